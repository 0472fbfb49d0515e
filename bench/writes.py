"""P10: what a request costs the API server, counted in its audit log."""

from bed.writes import writes_of
from bench.figures import Figure
from bench.scene import NAMESPACE, RULE, Scene


async def whole_life(scene: Scene) -> list[Figure]:
    """Asked, approved, active, expired: of a role and of rules."""
    figures = []
    for what, most, grant in (("role", 7, {}), ("rules", 8, {"rules": [RULE]})):
        (uid,) = await scene.ask(1, 10, **grant)
        await scene.approve(uid)
        await scene.until(lambda uid=uid: scene.state(uid) == "Expired", 60, "the end of a grant")
        name = scene.requests[uid]["metadata"]["name"]
        found = writes_of(scene.bed.audit_events(), NAMESPACE, name, uid)
        text = f"{len(found)}: {', '.join(found)}"
        figures.append(Figure("P10", f"API writes of a {what} request's life", text, f"≤ {most}", len(found) <= most))
    return figures
