"""What Daypass writes for one request, counted in the API server's audit log (P10)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

_OURS: Final = {"daypass-controller", "daypass-webhook"}
_WRITES: Final = {"create", "update", "patch", "delete", "deletecollection"}
_NOT_COUNTED: Final = {"events", "leases"}


def writes_of(events: Iterable[Mapping[str, Any]], namespace: str, request: str, uid: str) -> list[str]:
    """Each write by our own identities that concerns the request or its objects, as ``verb resource``, in order."""
    return [
        f"{event['verb']} {_resource(event['objectRef'])}"
        for event in events
        if event["verb"] in _WRITES
        and event["stage"] == "ResponseComplete"
        and event["user"]["username"].rpartition(":")[2] in _OURS
        and event.get("objectRef", {}).get("namespace") == namespace
        and event["objectRef"]["resource"] not in _NOT_COUNTED
        and _name(event) in {request, f"daypass-{uid}"}
    ]


def _name(event: Mapping[str, Any]) -> str:
    """A POST has it in the body only."""
    body = event.get("requestObject") or {}
    return str(event["objectRef"].get("name") or body.get("metadata", {}).get("name", ""))


def _resource(reference: Mapping[str, Any]) -> str:
    below = reference.get("subresource")
    return f"{reference['resource']}/{below}" if below else str(reference["resource"])
