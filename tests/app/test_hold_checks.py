"""Under which request a held pod goes: whose it is, what it needs, and who approved that. The API server is a fake."""

import pytest

from app.hold_scene import PRIVILEGE, HoldScene
from daypass.app.ports import PODS
from daypass.domain.wording import JUDGED_ANEW


@pytest.fixture
def scene() -> HoldScene:
    made = HoldScene()
    made.allow()
    return made


async def test_t55_an_author_who_approved_does_not_count(scene: HoldScene) -> None:
    job = scene.job(authors="alice")
    pod = scene.hold(owner=job)
    scene.workload(pod=pod, owner=job)
    await scene.active()
    scene.job(authors="alice\nbob")  # bob changed the template, and back, after the request was made
    await scene.reconcile()
    assert scene.held()
    assert "bob, who had a hand in this" in scene.told.pods[-1][2]
    assert scene.told.pods[-1][2].endswith(f". {JUDGED_ANEW}")


async def test_t69_what_nobody_stamped_wants_two_people(scene: HoldScene) -> None:
    job = scene.job(authors=None)
    pod = scene.hold(owner=job)
    scene.workload(pod=pod, owner=job)
    await scene.active()
    await scene.reconcile()
    assert scene.held()
    assert "not everybody is known" in scene.told.pods[-1][2]


async def test_request_of_a_person_must_name_what_the_gates_want_to_know_of(scene: HoldScene) -> None:
    gate = {"workloads": {"namespaces": ["shop"], "privileges": ["HostPathVolumes", "HostPorts"]}}
    scene.policy("gate", match={"grants": {"roles": [{"kind": "ClusterRole", "name": "view"}]}}, gate=gate)
    scene.policy("permits", match=scene.policies.body("permits")["spec"]["match"], approvals=[scene.team(2)])  # type: ignore[index]
    job = scene.job()
    pod = scene.hold(owner=job)
    scene.workload("daypass-1", pod=pod, owner=job)
    scene.workload("less", pod=pod, privileges=("HostPorts:80",))
    scene.workload("enough", pod=pod)
    for name in ("less", "enough"):
        await scene.run(name)
        for who in ("bob", "carol"):
            scene.review(name=name, who=who)
        await scene.run(name)
        assert scene.state(name) == "Active"
    await scene.reconcile("less")
    assert scene.held()
    assert "does not name HostPathVolumes:/var/log" in scene.told.pods[-1][2]
    await scene.reconcile("enough")
    assert not scene.held()


@pytest.mark.parametrize("author", ["alice", "bob", ""])
async def test_t55_under_a_request_of_a_person_a_pod_goes_if_none_of_its_authors_approved_it(
    scene: HoldScene, author: str
) -> None:
    """Who made it says only the request that it was held for; without that nobody knows (T69)."""
    pod = scene.hold(authors=(author,))
    scene.workload("mine", pod=pod)
    scene.workload("daypass-2", pod=pod, authors=("carol",))  # for a pod of hers that runs the same
    if author:
        scene.workload("daypass-1", pod=pod, authors=(author,))
    await scene.active("mine")
    await scene.reconcile("mine")
    assert scene.held() == (author != "alice")
    if author != "alice":
        told = {"bob": "bob, who had a hand in this", "": "which alone says who made the pod"}[author]
        assert told in scene.told.pods[-1][2]


async def test_t63_a_request_of_a_person_lets_no_pod_go_while_a_policy_can_not_be_read(scene: HoldScene) -> None:
    scene.workload("mine")
    await scene.active("mine")
    scene.workload("daypass-1", pod=scene.hold())
    scene.policies.unreadable["newer"] = "spec.novel is not known"
    await scene.reconcile("mine")
    assert scene.held()
    assert "policy newer can't be read, and its gate may concern this pod" in scene.told.pods[-1][2]
    scene.policies.unreadable.clear()
    await scene.reconcile("mine")
    assert not scene.held()


@pytest.mark.parametrize("owned", [False, True])
async def test_t55_a_pod_like_that_of_another_waits_for_its_own_request(scene: HoldScene, *, owned: bool) -> None:
    job = scene.job() if owned else None
    first = scene.hold("d-alice", owner=job)
    scene.hold("d-bob", owner=job, authors=("alice", "bob") if owned else ("bob",))
    scene.workload("daypass-1", pod=first, owner=job)
    await scene.active()
    scene.server.remove(PODS, "d-alice", "shop")
    scene.pods.heard(first, None)
    await scene.reconcile()
    assert scene.held("d-bob")
    assert scene.uses() == [("d-alice", True)]


async def test_a_request_that_was_made_for_one_owner_lets_no_pod_of_another_go(scene: HoldScene) -> None:
    one, two = scene.job("one"), scene.job("two")
    first = scene.hold("first", owner=one)
    scene.hold("second", owner=two)
    scene.hold("bare")
    scene.workload("daypass-1", pod=first, owner=one, pods=3)
    await scene.active()
    await scene.reconcile()
    assert [name for name in ("first", "second", "bare") if scene.held(name)] == ["second", "bare"]
    assert scene.uses() == [("first", True)]
    assert {name for name, *_ in scene.told.pods} <= {"first"}, "nothing to tell the others"


async def test_t14_a_pod_that_needs_more_waits_for_the_request_that_names_it(scene: HoldScene) -> None:
    job = scene.job()
    first = scene.hold("first", owner=job)
    scene.workload("daypass-1", pod=first, owner=job)
    await scene.active()
    await scene.reconcile()
    assert not scene.held("first")
    more = (PRIVILEGE, "ServiceAccountPower:Critical")
    scene.hold("second", owner=job, privileges=more)
    scene.workload("daypass-2", pod=first, owner=job, privileges=more)
    await scene.run("daypass-2")
    await scene.reconcile()
    await scene.reconcile("daypass-2")
    assert scene.held("second")
    assert ("second", "Held") in {one[:2] for one in scene.told.pods}
    await scene.active("daypass-2")
    await scene.reconcile("daypass-2")
    assert not scene.held("second")
    assert scene.uses("daypass-2") == [("second", True)]
