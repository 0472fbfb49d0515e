"""Keys, certificate and secret paths out of mounted folders, taken anew when they change (T61, T62)."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from daypass.domain.review import Review
from daypass.signing.reviews import ReviewSigner
from daypass.signing.validity import not_after

POLL_SECONDS: Final = 2.0
_PEM: Final = ".pem"
_SHORTEST_PATH: Final = 64
"""Hex digits: 256 bits."""

log = structlog.get_logger(__name__)


class Folder:
    """The files of one mounted folder; a kubelet swaps them all at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Mapping[str, bytes] | None = None

    def changed(self) -> Mapping[str, bytes] | None:
        """The files by name where they differ from those last taken, else None; raises OSError."""
        files = {each.name: each.read_bytes() for each in self.path.iterdir() if each.is_file()}
        return None if files == self._seen else files

    def taken(self, files: Mapping[str, bytes]) -> None:
        """Remember what was taken over."""
        self._seen = files


class SigningKeys:
    """Signs with the keys of a folder: ``<key id>.pem`` each, and ``active``."""

    def __init__(self) -> None:
        self._signer: ReviewSigner | None = None

    @property
    def loaded(self) -> bool:
        """Whether there is a key to sign with."""
        return self._signer is not None

    def take(self, files: Mapping[str, bytes]) -> None:
        """Use these keys from now on; raises ValueError, and the ones before stay in use."""
        keys = {name.removesuffix(_PEM): pem for name, pem in files.items() if name.endswith(_PEM)}
        self._signer = ReviewSigner(keys, files.get("active", b"").decode("ascii", "replace").strip())

    def sign(self, review: Review) -> Review:
        """Sign with the active key; raises ValueError when there is none."""
        if self._signer is None:
            msg = "there is no signing key yet"
            raise ValueError(msg)
        return self._signer.sign(review)


class SecretPaths:
    """The paths that only the API server is given: one a line, the one in use and the next.

    They are not for ever: while the webhook is unreachable, the API server tells its callers the whole URL. So
    ``daypass setup`` replaces them without an outage, and no trust rests on them alone (T52).
    """

    def __init__(self) -> None:
        self.mutating: tuple[str, ...] = ()
        self.validating: tuple[str, ...] = ()
        self.gates: tuple[str, ...] = ()
        self.holds: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether those that reviews need are known; those of the gates come with the first setup that knows gates."""
        return bool(self.mutating and self.validating)

    def take(self, files: Mapping[str, bytes]) -> None:
        """Use these paths from now on; raises ValueError when one is missing or too easy to guess."""
        mutating, validating = (_paths(name, files.get(name, b"")) for name in ("mutating", "validating"))
        gates, holds = (_paths(name, files[name]) if name in files else () for name in ("gates", "holds"))
        known = (*mutating, *validating, *gates, *holds)
        if sum(map(len, map(set, (mutating, validating, gates, holds)))) != len(set(known)):
            # What knows the gates' paths (the controller) must not learn by them a path behind which we sign.
            msg = "the paths of two configurations must differ"
            raise ValueError(msg)
        self.mutating, self.validating, self.gates, self.holds = mutating, validating, gates, holds


class Certificate:
    """The TLS side: one context for the whole life, into which a renewed certificate is loaded."""

    def __init__(self, folder: Path, client_ca: Path | None) -> None:
        self.context = _context(client_ca)
        self.not_after: datetime | None = None
        self._chain = folder / "tls.crt"
        self._key = folder / "tls.key"

    @property
    def loaded(self) -> bool:
        """Whether there is a certificate to serve with."""
        return self.not_after is not None

    def take(self, files: Mapping[str, bytes]) -> None:
        """Serve new connections with this certificate; raises ValueError or OSError (ssl.SSLError is one)."""
        ends = not_after(files.get("tls.crt", b""))
        _context(None).load_cert_chain(self._chain, self._key)  # a pair that does not fit must not reach the one in use
        self.context.load_cert_chain(self._chain, self._key)
        self.not_after = ends


class Mounts:
    """The three folders, and what was made of them."""

    def __init__(self, serving: Path, signing: Path, paths: Path, client_ca: Path | None = None) -> None:
        self.certificate = Certificate(serving, client_ca)
        self.keys = SigningKeys()
        self.paths = SecretPaths()
        self._parts = (
            (Folder(serving), self.certificate),
            (Folder(signing), self.keys),
            (Folder(paths), self.paths),
        )

    @property
    def loaded(self) -> bool:
        """Whether all that serving needs has been read."""
        return all(part.loaded for _, part in self._parts)

    def refresh(self) -> None:
        """Take over what changed; what can't be read leaves in use what was, and is said in the log."""
        for folder, part in self._parts:
            try:
                files = folder.changed()
                if files is None:
                    continue
                part.take(files)
            except (OSError, ValueError) as error:
                log.warning("files can't be used", folder=str(folder.path), error=str(error))
                continue
            folder.taken(files)
            log.info("files taken", folder=str(folder.path))

    async def follow(self, seconds: float = POLL_SECONDS) -> None:
        """Refresh for ever."""
        while True:
            self.refresh()
            await asyncio.sleep(seconds)


def _paths(name: str, lines: bytes) -> tuple[str, ...]:
    paths = lines.decode("ascii", "replace").split()
    if not paths or any(len(path) < _SHORTEST_PATH for path in paths):
        msg = f"the {name} path must have {_SHORTEST_PATH} hex digits"
        raise ValueError(msg)
    return tuple(f"/{path}" for path in paths)


def _context(client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
