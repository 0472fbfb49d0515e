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
from daypass.domain.request import ActionGrant, Request, WorkloadGrant

Workload = tuple[str, str, str]
"""Namespace, ServiceAccount, and digest of what runs; empty for a request that does not say."""

WARM: Final = 1024
"""So many of those heard last are kept unpacked, since most are looked at right after."""


@dataclass(slots=True)
class Entry:
    """One request as it was last heard of."""

    key: str
    uid: str
    version: str
    slim: Request | None
    """Without spec, reviews and findings; None when it could not be read: ``fault`` says why."""
    fault: str
    whole: Request | None
    """Where it could be read, and is at hand."""
    _body: Json | None
    _packed: bytes = b""

    @property
    def body(self) -> Json:
        """The object as JSON, without its managed fields."""
        if self._body is not None:
            return self._body
        found: Json = json.loads(zlib.decompress(self._packed))
        return found

    @property
    def state(self) -> State | None:
        """The state that was last written."""
        return None if self.slim is None else state_of(self.slim.record)

    def opened(self) -> tuple[Request, Json]:
        """The whole request and its JSON, where it could be read."""
        body = self.body
        return self.whole or request_from(body), body

    def pack(self) -> None:
        """Keep it in little memory."""
        if self._body is not None:
            self._packed = zlib.compress(json.dumps(self._body, separators=(",", ":")).encode(), 1)
        self.whole = self._body = None


class Requests:
    """The requests by ``namespace/name``, by uid and by subject."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._keys: dict[str, str] = {}
        self._subjects: dict[str, set[str]] = {}
        self._workloads: dict[Workload, set[str]] = {}
        self._warm: dict[str, Entry] = {}

    def take(self, body: Json) -> Entry | None:
        """Keep an object; None when nothing newer than what is kept."""
        metadata = body["metadata"]
        key = f"{metadata['namespace']}/{metadata['name']}"
        known = self._entries.get(key)
        if known is not None and int(known.version) >= int(metadata["resourceVersion"]):
            return None
        kept = _without_managed_fields(body)
        slim, whole, fault = None, None, ""
        try:
            whole = request_from(kept, known.whole if known is not None else None)
            slim = _slim(whole)
        except MalformedError as error:
            fault = str(error)
        entry = Entry(key, metadata["uid"], metadata["resourceVersion"], slim, fault, whole, kept)
        self._warm.pop(key, None)
        self._warm[key] = entry
        if len(self._warm) > WARM:
            self._warm.pop(next(iter(self._warm))).pack()
        if known is not None:
            self._unlink(known)
        self._entries[key] = entry
        self._keys[entry.uid] = key
        if slim is not None:
            self._subjects.setdefault(slim.subject.username, set()).add(key)
            workload = _workload(slim)
            if workload is not None:
                self._workloads.setdefault(workload, set()).add(key)
        return entry

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

    def workloads(self, namespace: str, service_account: str, digest: str) -> Sequence[Request]:
        """The requests that may be for a pod which runs this, without spec, reviews and findings."""
        of = ((namespace, service_account, digest), (namespace, service_account, ""))
        found = (self._entries[key].slim for one in of for key in self._workloads.get(one, ()))
        return [one for one in found if one is not None]

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._entries)

    def _unlink(self, entry: Entry) -> None:
        self._keys.pop(entry.uid, None)
        if entry.slim is not None:
            _discard(self._subjects, entry.slim.subject.username, entry.key)
            _discard(self._workloads, _workload(entry.slim), entry.key)


def _workload(request: Request) -> Workload | None:
    """Which pods a request may be for."""
    grant = request.grant
    if not isinstance(grant, WorkloadGrant):
        return None
    return (request.namespace, grant.service_account_name, grant.pod_template_digest)


def _slim(whole: Request) -> Request:
    """What others need of a request; the findings of a permit are for its readers."""
    grant = whole.grant
    if isinstance(grant, WorkloadGrant | ActionGrant):
        grant = replace(grant, findings=())
    return replace(whole, grant=grant, spec={}, reviews=())


def _without_managed_fields(body: Json) -> dict[str, Any]:
    """They are half of an object, and nothing is decided on them."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}


def _discard(index: dict[Any, set[str]], name: object, key: str) -> None:
    keys = index.get(name)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[name]
