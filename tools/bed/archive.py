"""The download step: the official envtest archive, whose digest is pinned."""

import hashlib
import os
import queue
import tarfile
import tempfile
import threading
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final, cast

from bed import pins
from bed.progress import say, step

CONNECT_SECONDS: Final = 3.0
_STALL_SECONDS: Final = 30.0
_CHUNK: Final = 1 << 20


def fetch(wanted: Sequence[str], folder: Path) -> None:
    """Put the wanted binaries of the archive into the folder, or say why not; never raises for a missing network."""
    expected = pins.ENVTEST_SHA512.get(pins.machine())
    if expected is None:
        say(f"no envtest archive is pinned for {pins.machine()}")
        return
    address = pins.envtest_address()
    try:
        answer = _opened(address)
        with step(f"downloading {address}"), tempfile.TemporaryFile() as file:
            digest = hashlib.sha512()
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != expected:
                # Fail closed: an archive that isn't the pinned one is never unpacked.
                say("the archive's digest is not the pinned one: thrown away")
                return
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:gz") as tar:
                _unpack(tar, wanted, folder)
    except (OSError, HTTPException, tarfile.TarError) as error:
        say(f"no download of the envtest archive ({error}); building instead")


def _opened(address: str) -> HTTPResponse:
    """The answer, or OSError when nothing was reached in 3 s (looking a name up has no timeout of its own)."""
    answers: queue.Queue[HTTPResponse | OSError] = queue.Queue()

    def connect() -> None:
        try:
            answers.put(cast("HTTPResponse", urllib.request.urlopen(address, timeout=_STALL_SECONDS)))  # noqa: S310 - a constant https address
        except OSError as error:
            answers.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        answer = answers.get(timeout=CONNECT_SECONDS)
    except queue.Empty:
        message = f"no connection within {CONNECT_SECONDS:.0f} s"
        raise OSError(message) from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _unpack(tar: tarfile.TarFile, wanted: Sequence[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for member in tar:
        name = Path(member.name).name
        source = tar.extractfile(member) if member.isfile() and name in wanted else None
        if source is None:
            continue
        partial = folder / f".{name}.{os.getpid()}"
        with partial.open("wb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
        partial.chmod(0o755)
        partial.rename(folder / name)
