"""Access is given only on what is there at that moment, whatever a watch has told so far. The API server is a fake."""

from datetime import timedelta
from typing import Any

import pytest

from app.fake_server import KEY, NOW, RULES, TEAM, Body, Scene, merged, moment
from daypass.app.grants.manifests import job_from
from daypass.app.ports import (
    ACCESS_REQUESTS,
    APPROVAL_POLICIES,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    JOBS,
    ROLE_BINDINGS,
    ApiError,
    ConflictError,
    Json,
    Resource,
    UnavailableError,
)
from daypass.domain import names
from daypass.domain.review import ReviewDecision

MORE = [*RULES, {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]
AGENT = {"kind": "ServiceAccount", "namespace": "shop", "name": "agent"}


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def waiting(scene: Scene) -> None:
    """A request that waits for one person."""
    scene.policy(approvals=TEAM)
    scene.ask()
    await scene.run()
    assert scene.state() == "AwaitingApproval"


def nothing_given(scene: Scene) -> None:
    """No access, not for a moment, and what was made ready for it meanwhile is gone."""
    assert not scene.server.count("create", ROLE_BINDINGS)
    assert not scene.grants.uids()
    assert not [key for key in scene.server.objects if key[0] in {JOBS.plural, ROLE_BINDINGS.plural}]


async def test_t34_policy_deleted_unheard_grants_nothing(scene: Scene) -> None:
    scene.policy()
    scene.server.remove(APPROVAL_POLICIES, "p")
    scene.ask()
    await scene.run()
    assert scene.state() == "Denied"
    nothing_given(scene)
    assert not scene.policies.readable()


async def test_t14_policy_edited_unheard_voids_the_approval(scene: Scene) -> None:
    await waiting(scene)
    scene.review()
    scene.policy(approvals=[{**TEAM[0], "required": 2}], heard=False)
    await scene.run()
    assert scene.state() == "AwaitingApproval"
    assert "0 of 2" in scene.message()
    assert any("the approval of bob is void" in text for text in scene.notes.told)
    nothing_given(scene)


async def test_t34_deny_policy_written_unheard_denies(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    scene.policy("freeze", effect="Deny", heard=False)
    await scene.run()
    assert scene.state() == "Denied"


async def test_t63_policy_that_became_unreadable_unheard_stops_granting(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    scene.policy("odd", effect="Perhaps", heard=False)
    await scene.run()
    assert scene.state() == "Undecided"
    assert "odd" in scene.message()
    nothing_given(scene)
    gone = scene.server.remove(APPROVAL_POLICIES, "odd")
    assert scene.policies.drop("odd", gone["metadata"]["uid"])
    await scene.run()
    assert scene.state() == "Active"


async def test_policies_that_cannot_be_read_grant_nothing(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    scene.server.broken["list", APPROVAL_POLICIES.plural] = UnavailableError("no answer")
    with pytest.raises(UnavailableError):
        await scene.run()
    nothing_given(scene)


async def test_what_access_hangs_on_is_made_while_its_conditions_are_read(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    order: list[str] = []
    scene.server.before["list", APPROVAL_POLICIES.plural] = lambda: order.append("read")
    scene.server.before["create", JOBS.plural] = lambda: order.append("Job")
    scene.server.before["create", ROLE_BINDINGS.plural] = lambda: order.append("binding")
    await scene.run()
    assert sorted(order[:2]) == ["Job", "read"]
    assert order[2] == "binding"
    assert scene.server.calls.index(("create", JOBS.plural)) < scene.server.calls.index(
        ("create", ROLE_BINDINGS.plural)
    )
    assert scene.server.count("create", JOBS) == 1


async def test_t37_reads_that_fail_take_nothing_from_a_grant_that_a_killed_controller_made(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    scene.server.broken["patch", ACCESS_REQUESTS.plural] = UnavailableError("killed before it wrote this down")
    with pytest.raises(UnavailableError):
        await scene.run()
    scene.server.broken = {("list", APPROVAL_POLICIES.plural): UnavailableError("no answer")}
    with pytest.raises(UnavailableError):
        await scene.run()
    assert not scene.server.count("delete", JOBS)
    scene.server.broken.clear()
    await scene.run()
    assert scene.state() == "Active"
    assert scene.server.count("create", ROLE_BINDINGS) == 1


async def test_t24_a_job_whose_end_others_changed_on_its_way_gives_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = scene.server.create

    async def changed(resource: Resource, body: Json, namespace: str = "") -> Json:
        later = {"metadata": {"annotations": {names.ANNOTATION_EXPIRATION: moment(NOW + timedelta(days=365))}}}
        return await create(resource, merged(dict(body), later) if resource is JOBS else body, namespace)

    monkeypatch.setattr(scene.server, "create", changed)
    scene.policy()
    scene.ask()
    await scene.run()
    assert scene.state() == "Failed"
    assert "not as it was asked for" in scene.message()
    nothing_given(scene)


async def test_t37_a_job_that_was_made_though_no_answer_came_is_gone_on_with(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, now = scene.server.create, scene.server.now
    made: list[Any] = []

    async def unanswered(resource: Resource, body: Json, namespace: str = "") -> Json:
        found = await create(resource, body, namespace)
        if resource is JOBS and not made:
            made.append(found)
            monkeypatch.setattr(scene.server, "now", lambda: now() + timedelta(seconds=5))
            message = "no answer"
            raise UnavailableError(message)
        return found

    monkeypatch.setattr(scene.server, "create", unanswered)
    scene.policy()
    scene.ask()
    with pytest.raises(UnavailableError):
        await scene.run()
    scene.grants.heard(None, job_from(made[0]))
    await scene.run()
    assert scene.state() == "Active"
    assert scene.server.count("create", JOBS) == 1


async def test_reads_of_a_grant_are_few_and_shared(scene: Scene) -> None:
    scene.policy()
    names = [f"fix-{number}" for number in range(20)]
    for name in names:
        scene.ask(name)
    await scene.run(*names)
    assert {scene.state(name) for name in names} == {"Active"}
    assert scene.server.count("list", APPROVAL_POLICIES) <= 3
    assert not scene.server.count("get", CONFIG_MAPS)


async def test_t61_key_that_was_taken_back_voids_the_approval_at_once(scene: Scene) -> None:
    await waiting(scene)
    scene.review()
    scene.policy(approvals=[{**TEAM[0], "required": 2}])
    await scene.run()
    assert scene.server.count("get", CONFIG_MAPS) == 1
    scene.policy(approvals=TEAM)
    await scene.run()
    assert scene.state() == "AwaitingApproval", "other generation, other digest"
    scene.server.put(CONFIG_MAPS, "daypass-signing-keys", "daypass-system", data={})
    scene.review()
    await scene.run()
    assert scene.state() == "AwaitingApproval"
    assert f"ReviewVoid: Reviews signed by key {KEY} are void: it is not published." in scene.notes.told
    nothing_given(scene)


async def test_t61_without_the_published_keys_nothing_is_granted(scene: Scene) -> None:
    await waiting(scene)
    await scene.ballots._fresh()
    scene.review()
    scene.server.broken["get", CONFIG_MAPS.plural] = ApiError("forbidden", 403)
    with pytest.raises(ApiError):
        await scene.run()
    nothing_given(scene)


async def test_no_review_is_called_void_before_the_keys_were_read(scene: Scene) -> None:
    await waiting(scene)
    scene.review()
    scene.policy("odd", effect="Perhaps")
    await scene.run()
    assert scene.state() == "Undecided"
    assert not scene.notes.told


@pytest.mark.parametrize("start", [None, NOW + timedelta(hours=1)], ids=["at once", "later"])
async def test_limit_on_active_grants_holds_for_those_approved_at_one_instant(scene: Scene, start: object) -> None:
    scene.policy(limits={"maxActivePerSubject": 1})
    given: Body = {} if start is None else {"startTime": moment(NOW + timedelta(hours=1))}
    for name in ("one", "two"):
        scene.ask(name, **given)
    await scene.run("one", "two")
    assert sorted([scene.state("one"), scene.state("two")]) == sorted(["Scheduled" if given else "Active", "Denied"])
    assert scene.server.count("create", JOBS) == (0 if given else 1), "none is made for who may not have it"


async def test_limit_that_came_unheard_makes_requests_go_one_by_one(scene: Scene) -> None:
    scene.policy()
    scene.policy(limits={"maxActivePerSubject": 1}, heard=False)
    for name in ("one", "two"):
        scene.ask(name)
    await scene.run("one", "two")
    assert sorted([scene.state("one"), scene.state("two")]) == ["Active", "Denied"]


async def suspended(scene: Scene) -> None:
    """A grant that is suspended because its role was widened."""
    await waiting(scene)
    scene.review()
    await scene.run()
    assert scene.state() == "Active"
    scene.role(MORE)
    await scene.run()
    assert scene.state() == "Suspended"
    assert "ClusterRole view is not what was approved" in scene.message()
    assert scene.server.count("delete", ROLE_BINDINGS) == 1


async def test_t34_suspended_grant_resumes_only_on_a_live_look_at_its_role(scene: Scene) -> None:
    await suspended(scene)
    scene.role(RULES)
    good = scene.known.roles["view"]
    scene.role(MORE)
    scene.known.roles["view"] = good  # the cache has not heard yet that it was widened again
    await scene.run()
    assert scene.state() == "Suspended"
    assert scene.server.count("create", ROLE_BINDINGS) == 1
    scene.role(RULES)
    await scene.run()
    assert scene.state() == "Active"


async def test_t34_suspended_grant_that_was_revoked_unheard_does_not_resume(scene: Scene) -> None:
    await suspended(scene)
    scene.role(RULES)
    scene.review(ReviewDecision.REVOKE, heard=False)
    await scene.run()
    assert scene.state() == "Revoked"
    assert scene.server.count("create", ROLE_BINDINGS) == 1


async def test_suspended_grant_whose_request_is_gone_does_not_resume(scene: Scene) -> None:
    await suspended(scene)
    scene.role(RULES)
    scene.server.remove(ACCESS_REQUESTS, "fix", "shop")
    await scene.run()
    assert scene.server.count("create", ROLE_BINDINGS) == 1
    assert not scene.grants.uids()


async def test_role_that_cannot_be_compared_is_not_taken_for_what_was_approved(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    await scene.run()
    del scene.known.roles["view"]
    scene.server.remove(CLUSTER_ROLES, "view")
    await scene.run()
    assert scene.state() == "Suspended"
    assert "view does not exist" in scene.message()


async def test_drift_names_what_changed_role_or_subject(scene: Scene) -> None:
    scene.account()
    scene.policy(match={"grants": {"roles": [{"kind": "ClusterRole", "name": "view"}]},
                        "subjects": [{"kind": "ServiceAccount", "name": "*"}]})  # fmt: skip
    scene.ask(subject=AGENT)
    scene.ask("other", subject=AGENT)
    await scene.run("fix")
    scene.role(MORE)
    await scene.run("fix")
    assert "ClusterRole view is not what was approved" in scene.message()
    scene.role(RULES)
    await scene.run("fix")
    assert scene.state() == "Active"
    scene.account(made=scene.server.now() + timedelta(seconds=90))
    await scene.run("fix")
    assert scene.state() == "Suspended"
    assert "ServiceAccount shop/agent is not the one that was approved, but was made anew" in scene.message()


async def test_request_that_changed_meanwhile_is_judged_again(scene: Scene) -> None:
    await waiting(scene)
    scene.review()
    scene.review(ReviewDecision.DENY, heard=False)
    await scene.run()
    assert scene.state() == "Denied"
    nothing_given(scene)


async def test_conflicts_without_end_are_left_to_the_queue(scene: Scene) -> None:
    scene.policy()
    scene.ask()
    scene.server.broken["patch", ACCESS_REQUESTS.plural] = ConflictError("again", 409)
    with pytest.raises(ConflictError):
        await scene.run()
