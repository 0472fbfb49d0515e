"""P10: what a request costs the API server, counted in its audit log."""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.figures import Figure
from bench.scene import NAMESPACE, RULE, Scene

OURS = ("daypass-controller", "daypass-webhook")
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def writes_of(events: Iterable[Mapping[str, Any]], request_name: str, request_uid: str) -> list[str]:
    """Each write by our own identities that concerns the request or its objects, as ``verb resource``, in order."""
    return [
        f"{event['verb']} {_resource(event['objectRef'])}"
        for event in events
        if event["verb"] in WRITES
        and event["stage"] == "ResponseComplete"
        and event["user"]["username"].rpartition(":")[2] in OURS
        and event.get("objectRef", {}).get("resource") not in {"events", "leases"}
        and _concerns(event, request_name, request_uid)
    ]


async def whole_life(scene: Scene) -> list[Figure]:
    """Asked, approved, active, expired: of a role and of rules."""
    figures = []
    for what, most, grant in (("role", 7, {}), ("rules", 8, {"rules": [RULE]})):
        (uid,) = await scene.ask(1, 10, **grant)
        await scene.approve(uid)
        await scene.until(lambda uid=uid: scene.state(uid) == "Expired", 60, "the end of a grant")
        name = scene.requests[uid]["metadata"]["name"]
        found = writes_of(scene.bed.audit_events(), name, uid)
        text = f"{len(found)}: {', '.join(found)}"
        figures.append(Figure("P10", f"API writes of a {what} request's life", text, f"≤ {most}", len(found) <= most))
    return figures


def _concerns(event: Mapping[str, Any], name: str, uid: str) -> bool:
    """By name on deletes and patches; a POST has its name in the body."""
    reference = event.get("objectRef", {})
    if reference.get("namespace") != NAMESPACE:
        return False
    body = event.get("requestObject") or {}
    known = reference.get("name") or (body.get("metadata") or {}).get("name", "")
    return known in {name, f"daypass-{uid}"}


def _resource(reference: Mapping[str, Any]) -> str:
    below = reference.get("subresource")
    return f"{reference['resource']}/{below}" if below else str(reference["resource"])
