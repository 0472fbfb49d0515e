"""Where it can't be known, nothing is granted: each branch that says so in app/grants. The API server is a fake."""

from datetime import timedelta

import pytest

from app.fake_server import NOW, TEAM, Scene
from builders import READ_PODS, a_request
from daypass.app.grants.writer import GrantError
from daypass.app.ports import ACCESS_REQUESTS, CLUSTER_ROLES, JOBS, ROLE_BINDINGS, ROLES, RefusedError, UnavailableError
from daypass.domain.plan import Wants


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_t63_policy_that_cannot_be_read_stops_granting(scene: Scene) -> None:
    scene.policy()
    scene.policy("odd", effect="Perhaps")
    assert "odd" in scene.policies.unreadable
    scene.ask()
    await scene.run()
    assert scene.state() == "Undecided"
    assert "odd" in scene.message()
    assert not scene.server.count("create", JOBS)


async def test_t11_request_of_which_no_digest_can_be_made_is_undecided(scene: Scene) -> None:
    scene.policy(approvals=TEAM)

    def refuses(_document: object) -> bytes:
        raise ValueError("a number that two readers read differently")

    object.__setattr__(scene.judge, "canonical", refuses)
    scene.ask()
    await scene.run()
    assert scene.state() == "Undecided"
    assert "two readers" in scene.message()
    assert not scene.server.count("create", JOBS)


@pytest.mark.parametrize("rules", [None, [{"verbs": "get"}]], ids=["refused", "malformed"])
async def test_t11_role_that_cannot_be_read_is_neither_absent_nor_harmless(scene: Scene, rules: object) -> None:
    scene.policy()
    del scene.known.roles["view"]
    if rules is None:
        scene.server.broken["get", CLUSTER_ROLES.plural] = RefusedError("forbidden", 403)
    else:
        scene.server.put(CLUSTER_ROLES, "view", rules=rules)
    scene.ask()
    await scene.run()
    assert scene.state() == "Undecided"
    assert "Could not read what the decision needs" in scene.message()
    assert not scene.server.count("create", JOBS)


async def test_t22_role_that_is_not_there_is_failed(scene: Scene) -> None:
    scene.policy()
    del scene.known.roles["view"]
    scene.server.remove(CLUSTER_ROLES, "view")
    scene.ask()
    await scene.run()
    assert scene.state() == "Failed"
    assert not scene.server.count("create", JOBS)


async def test_t24_name_that_is_taken_is_no_grant(scene: Scene) -> None:
    scene.policy()
    uid = scene.ask()["metadata"]["uid"]
    scene.server.put(ROLE_BINDINGS, f"daypass-{uid}", "shop", roleRef={"kind": "ClusterRole", "name": "cluster-admin"})
    await scene.run()
    assert scene.state() == "Failed"
    assert "is not as it was asked for" in scene.message()


async def test_no_binding_is_made_where_the_job_went_meanwhile(scene: Scene) -> None:
    request = a_request(rules=[READ_PODS]).build()

    def job_goes() -> None:
        scene.grants.heard(scene.grants.observed(request.uid).job, None)

    scene.server.before["create", ROLES.plural] = job_goes
    with pytest.raises(GrantError, match="no RoleBinding without a dead-man Job"):
        await scene.writer.apply(request, Wants(chain=True, binding=True, expiration=NOW + timedelta(hours=1)))
    assert scene.server.count("create", JOBS) == 1
    assert not scene.server.count("create", ROLE_BINDINGS)


async def test_t34_binding_whose_delete_did_not_go_through_is_no_end(scene: Scene) -> None:
    scene.policy()
    uid = scene.ask()["metadata"]["uid"]
    await scene.run()
    scene.server.broken["delete", ROLE_BINDINGS.plural] = UnavailableError("no answer")
    scene.server.remove(ACCESS_REQUESTS, "fix", "shop")
    with pytest.raises(UnavailableError):
        await scene.writer.clear(uid)
    assert scene.grants.observed(uid).binding is not None


async def test_grant_of_which_nobody_knows_the_end_is_ended(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    await scene.run()
    body = scene.server.objects[ACCESS_REQUESTS.plural, "shop", "fix"]
    del body["status"]["expirationTime"]
    scene.edited()
    await scene.run()
    assert scene.state() == "Failed"
    assert scene.message() == "Nobody knows when the grant ends."
    assert scene.server.count("delete", ROLE_BINDINGS) == 1
