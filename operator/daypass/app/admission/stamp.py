"""Stamp a request: who asks is whom the API server authenticated, never what somebody typed (T06)."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from daypass.api import convert
from daypass.app.admission.answer import INVALID, Answer, Call, Operation, allow, refuse
from daypass.app.ports import Json
from daypass.domain.identity import SubjectKind, subject_of
from daypass.domain.json_values import member

_Patch: TypeAlias = list[Mapping[str, Any]]


def stamp(call: Call) -> Answer:
    """Decide what admission fills in of ``spec.requester`` and ``spec.subject``.

    On creation the requester is the caller, and the subject is the requester unless the request names one; a
    ServiceAccount without a namespace is one of the request's own.
    On update whatever admission filled in then is put back from the stored object where the new one lacks
    it, so that applying the same manifest again, by anyone and in either way, changes nothing. All else that
    an update changes is left for the schema to refuse, which says that spec never changes (T04).
    """
    spec = member(call.object, "spec")
    if not isinstance(spec, Mapping):
        return allow("Unstamped")  # the schema refuses it with the path, which reads better than a word of ours
    if call.operation is Operation.CREATE:
        return _stamp_new(spec, call)
    stored = member(call.old, "spec")
    if not isinstance(stored, Mapping):
        return allow("Unstamped")
    patch: _Patch = []
    _put_back(patch, spec, stored, "requester")
    _put_back(patch, spec, stored, "subject")
    return _answer(patch)


def _stamp_new(spec: Json, call: Call) -> Answer:
    caller = call.caller
    stamped = convert.identity_json(caller)
    given = spec.get("requester")
    patch: _Patch = []
    if given is None:
        patch.append({"op": "add", "path": "/spec/requester", "value": stamped})
    elif isinstance(given, Mapping):
        for key, value in given.items():
            if value != stamped.get(key):
                return refuse(
                    "RequesterDiffers",
                    f"spec.requester.{key}: this request is made by {caller.username!r}, and who asks is what the"
                    " API server authenticated: leave spec.requester out",
                )
        if given != stamped:
            patch.append({"op": "replace", "path": "/spec/requester", "value": stamped})
    else:
        return refuse("RequesterDiffers", "spec.requester: must be an object: leave it out", INVALID)
    subject = spec.get("subject")
    if subject is None:
        patch.append({"op": "add", "path": "/spec/subject", "value": convert.subject_json(subject_of(caller))})
    elif member(subject, "kind") == SubjectKind.SERVICE_ACCOUNT.value and not member(subject, "namespace"):
        patch.append({"op": "add", "path": "/spec/subject/namespace", "value": call.namespace})
    return _answer(patch)


def _put_back(patch: _Patch, spec: Json, stored: Json, key: str) -> None:
    """Fill in what the new value lacks and the stored one has; what both have is left as it came."""
    before, now = stored.get(key), spec.get(key)
    if before is None:
        return
    if now is None:
        patch.append({"op": "add", "path": f"/spec/{key}", "value": before})
    elif isinstance(now, Mapping) and isinstance(before, Mapping):
        missing = {name: value for name, value in before.items() if name not in now}
        if missing:
            patch.append({"op": "replace", "path": f"/spec/{key}", "value": {**now, **missing}})


def _answer(patch: _Patch) -> Answer:
    if not patch:
        return allow("AlreadyStamped")
    return Answer(allowed=True, decision="Stamped", patch=tuple(patch))
