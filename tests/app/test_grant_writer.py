"""What a grant consists of: deleted once, not forgotten where that failed, believed only as it was asked for.

The API server here is a fake.
"""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from app.fake_server import Body, Scene, merged
from builders import NOON, a_request
from daypass.app.grants.found import Grants
from daypass.app.grants.manifests import binding_from, job_from
from daypass.app.grants.writer import GrantWriter
from daypass.app.ports import JOBS, ROLE_BINDINGS, RefusedError, Resource, UnavailableError
from daypass.domain.grants import Found, FoundBinding, GrantKind, binding_content

REQUEST = a_request().build()
BINDING = FoundBinding(Found("binding-1", "10", "shop", "daypass-1"), binding_content(REQUEST, NOON, "job-1"))


class Deleting:
    """A fake of the one call that is made here."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls: list[str] = []
        self.fails = fails

    async def delete(self, _resource: object, _name: str, uid: str, _namespace: str = "") -> bool:
        self.calls.append(uid)
        await asyncio.sleep(0)
        if self.fails:
            raise UnavailableError("no answer")
        return True


def a_writer(objects: Deleting) -> tuple[GrantWriter, Grants]:
    grants = Grants()
    grants.made(BINDING)
    nothing: Any = None
    server: Any = objects
    return GrantWriter(server, nothing, grants, nothing), grants


async def test_two_who_end_a_grant_at_once_delete_its_binding_once_on_a_fake_server() -> None:
    server = Deleting()
    writer, grants = a_writer(server)
    done = await asyncio.gather(*(writer.delete(REQUEST.uid, GrantKind.BINDING) for _ in range(2)))
    assert sorted(done) == [False, True]
    assert server.calls == ["binding-1"]
    assert grants.observed(REQUEST.uid).empty


async def test_t34_binding_whose_delete_failed_is_still_there_on_a_fake_server() -> None:
    writer, grants = a_writer(Deleting(fails=True))
    with pytest.raises(UnavailableError):
        await writer.delete(REQUEST.uid, GrantKind.BINDING)
    assert grants.observed(REQUEST.uid).binding == BINDING
    grants.heard(None, BINDING)
    assert grants.observed(REQUEST.uid).binding == BINDING


PARSERS: dict[str, Callable[[Body], Any]] = {
    JOBS.plural: job_from,
    ROLE_BINDINGS.plural: binding_from,
}
STRANGER = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "erin"}


def edited_by_others(scene: Scene, resource: Resource, change: Body) -> None:
    """Somebody writes to the one object of that kind, and the watch tells."""
    ((key, before),) = [(key, one) for key, one in scene.server.objects.items() if key[0] == resource.plural]
    after = merged(before, change)
    scene.server._version += 1
    after["metadata"]["resourceVersion"] = str(scene.server._version)
    scene.server.objects[key] = after
    parse = PARSERS[resource.plural]
    scene.grants.heard(parse(copy.deepcopy(before)), parse(copy.deepcopy(after)))


async def granted() -> Scene:
    scene = Scene()
    scene.policy()
    scene.ask()
    await scene.run()
    assert scene.state() == "Active", scene.message()
    return scene


def gone(scene: Scene) -> bool:
    return not any(key[0] in {JOBS.plural, ROLE_BINDINGS.plural} for key in scene.server.objects)


async def test_t26_what_others_changed_is_restored_on_a_fake_server() -> None:
    scene = await granted()
    edited_by_others(scene, ROLE_BINDINGS, {"subjects": [STRANGER]})
    edited_by_others(scene, JOBS, {"spec": {"ttlSecondsAfterFinished": 9}})
    await scene.run()
    assert scene.state() == "Active"
    assert len(scene.notes.told) == 2


async def test_t24_a_binding_whose_restoring_others_change_again_gives_nothing_on_a_fake_server() -> None:
    scene = await granted()
    scene.server.meddling["replace", ROLE_BINDINGS.plural] = lambda body: body["subjects"].append(STRANGER)
    edited_by_others(scene, ROLE_BINDINGS, {"subjects": [STRANGER]})
    await scene.run()
    assert scene.state() == "Failed"
    assert "not as it was asked for" in scene.message()
    assert gone(scene)


async def test_t26_a_binding_that_can_not_be_restored_gives_nothing_on_a_fake_server() -> None:
    scene = await granted()
    scene.server.broken["replace", ROLE_BINDINGS.plural] = RefusedError("denied by a policy", 403)
    edited_by_others(scene, ROLE_BINDINGS, {"subjects": [STRANGER]})
    await scene.run()
    assert scene.state() == "Failed"
    assert "can't be restored: denied by a policy" in scene.message()
    assert gone(scene)


@pytest.mark.parametrize(
    ("edit", "meddled"),
    [
        ({"spec": {"suspend": True}}, {"spec": {"suspend": True}}),
        ({"spec": {"activeDeadlineSeconds": 100_000}}, {"spec": {"activeDeadlineSeconds": 100_000}}),
        ({"spec": {"activeDeadlineSeconds": 100_000}}, {"spec": {"suspend": True}}),
    ],
)
async def test_t66_a_job_whose_restoring_others_change_again_guards_nothing_on_a_fake_server(
    edit: Body, meddled: Body
) -> None:
    scene = await granted()
    edited_by_others(scene, JOBS, {"status": {"startTime": job(scene)["metadata"]["creationTimestamp"]}})
    scene.server.meddling["patch", JOBS.plural] = lambda body: body.update(merged(body, meddled))
    edited_by_others(scene, JOBS, edit)
    await scene.run()
    assert scene.state() == "Failed"
    assert "not as it was asked for" in scene.message()
    assert gone(scene)


def job(scene: Scene) -> Body:
    (found,) = [body for key, body in scene.server.objects.items() if key[0] == JOBS.plural]
    return found
