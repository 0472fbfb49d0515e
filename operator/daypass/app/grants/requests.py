"""Every AccessRequest that is known: packed as it was heard, with the little of it that others need in the open."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from daypass.api.convert import request_from
from daypass.api.malformed import MalformedError
from daypass.app.ports import Json
from daypass.domain.conditions import State, state_of
from daypass.domain.request import Request

WARM: Final = 256
"""So many of those heard last are kept unpacked, since most are looked at right after."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it was last heard of."""

    key: str
    uid: str
    version: str
    packed: bytes
    slim: Request | None
    """Without spec and reviews; None when it could not be read: ``fault`` says why."""
    fault: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """The object as JSON."""
        found: dict[str, Any] = json.loads(zlib.decompress(self.packed))
        return found

    @property
    def state(self) -> State | None:
        """The state that was last written."""
        return None if self.slim is None else state_of(self.slim.record)


class Requests:
    """The requests by ``namespace/name``, by uid and by subject."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._keys: dict[str, str] = {}
        self._subjects: dict[str, set[str]] = {}
        self._warm: dict[str, tuple[str, Request, Json]] = {}

    def take(self, body: Json) -> Entry | None:
        """Keep an object; None when nothing newer than what is kept."""
        metadata = body["metadata"]
        key = f"{metadata['namespace']}/{metadata['name']}"
        known = self._entries.get(key)
        if known is not None and int(known.version) >= int(metadata["resourceVersion"]):
            return None
        slim, fault = None, ""
        try:
            whole = request_from(body)
            slim = replace(whole, spec={}, reviews=())
            self._warm[key] = (metadata["resourceVersion"], whole, body)
        except MalformedError as error:
            fault = str(error)
        packed = zlib.compress(json.dumps(body, separators=(",", ":")).encode(), 1)
        entry = Entry(key, metadata["uid"], metadata["resourceVersion"], packed, slim, fault)
        if len(self._warm) > WARM:
            del self._warm[next(iter(self._warm))]
        if known is not None:
            self._unlink(known)
        self._entries[key] = entry
        self._keys[entry.uid] = key
        if slim is not None:
            self._subjects.setdefault(slim.subject.username, set()).add(key)
        return entry

    def opened(self, entry: Entry) -> tuple[Request, Json]:
        """The whole request and its JSON, where the entry could be read; those just heard are still at hand."""
        version, whole, body = self._warm.get(entry.key, ("", None, None))
        if whole is not None and body is not None and version == entry.version:
            return whole, body
        unpacked = entry.body
        return request_from(unpacked), unpacked

    def drop(self, key: str, uid: str) -> bool:
        """Forget an object that is gone; whether it was known. Another of the same name stays."""
        known = self._entries.get(key)
        if known is None or known.uid != uid:
            return False
        self._unlink(known)
        self._warm.pop(key, None)
        del self._entries[key]
        return True

    def get(self, key: str) -> Entry | None:
        """What is kept under ``namespace/name``."""
        return self._entries.get(key)

    def key_of(self, uid: str) -> str | None:
        """``namespace/name`` of the request with that uid."""
        return self._keys.get(uid)

    def entries(self) -> Iterator[Entry]:
        """All of them; a snapshot."""
        return iter(list(self._entries.values()))

    def peers(self, request: Request) -> Sequence[Request]:
        """The other requests of the same subject, in every namespace."""
        found = (self._entries[key].slim for key in self._subjects.get(request.subject.username, ()))
        return [one for one in found if one is not None and one.uid != request.uid]

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._entries)

    def _unlink(self, entry: Entry) -> None:
        self._keys.pop(entry.uid, None)
        if entry.slim is not None:
            _discard(self._subjects, entry.slim.subject.username, entry.key)


def _discard(index: dict[Any, set[str]], name: object, key: str) -> None:
    keys = index.get(name)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[name]
