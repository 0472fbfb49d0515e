"""Where things are: the clone, the cache outside it, and one folder for each bed that vanishes with it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TextIO

from bed.progress import say

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_LOCK: Final = "owner.lock"


def cache() -> Path:
    """The cache of binaries: ``DAYPASS_CACHE``, else the XDG cache folder; safe to delete at any time."""
    chosen = os.environ.get("DAYPASS_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser() / "daypass"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; it ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class BedFolder:
    """One bed's folder: keys, data, logs. Held by a lock, so that a dead owner's folder is known as such."""

    def __init__(self, path: Path, lock: TextIO) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Take this very folder, empty; raises BlockingIOError while a living bed holds it."""
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (path / _LOCK).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise
        for entry in path.iterdir():
            if entry.name != _LOCK:
                _remove(entry)
        return cls(path, lock)

    @classmethod
    def fresh(cls) -> Self:
        """A new folder among the temporary files, after removing those whose owner is dead."""
        home = Path(tempfile.gettempdir()) / f"daypass-beds-{os.getuid()}"
        home.mkdir(mode=0o700, exist_ok=True)
        with locked(home / ".making"):
            _remove_abandoned(home)
            return cls.claim(Path(tempfile.mkdtemp(prefix="bed-", dir=home)))

    def remove(self) -> None:
        """Give the folder up and delete it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _remove_abandoned(home: Path) -> None:
    for path in home.glob("bed-*"):
        with suppress(OSError), (path / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
            say(f"removed {path}, left by a bed that was killed")


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
