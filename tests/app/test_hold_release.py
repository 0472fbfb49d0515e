"""Held pods are let go under an approved request, once each, whatever happens in between. The API server is a fake."""

import copy
from datetime import timedelta

import pytest

from app.hold_scene import HoldScene
from daypass.app.holds.release_checks import OWNERS_AT_ONCE
from daypass.app.ports import ACCESS_REQUESTS, DEPLOYMENTS, JOBS, PODS, ApiError, ConflictError, UnavailableError
from daypass.domain import names
from daypass.domain.review import ReviewDecision


@pytest.fixture
def scene() -> HoldScene:
    made = HoldScene()
    made.allow()
    return made


async def test_a_pod_waits_and_goes_when_its_request_is_approved(scene: HoldScene) -> None:
    pod = scene.hold(gates=("example.dev/quota", names.SCHEDULING_GATE))
    scene.workload(pod=pod)
    await scene.run("daypass-1")
    await scene.reconcile()
    assert scene.held()
    assert scene.told.pods[0][:2] == ("pod", "Held")
    await scene.active()
    await scene.reconcile()
    assert not scene.held()
    assert scene.uses() == [("pod", True)]
    assert scene.told.let_go == ["pod"]
    body = scene.server.objects[PODS.plural, "shop", "pod"]
    assert body["spec"]["schedulingGates"] == [{"name": "example.dev/quota"}]
    assert not body["metadata"]["annotations"]
    assert not len(scene.pods)


async def test_no_more_pods_than_it_has_go_and_the_first_go_first(scene: HoldScene) -> None:
    pod = scene.hold("a")
    for name in "bcd":
        scene.hold(name)
    scene.workload(pod=pod, pods=2, owner=None)
    await scene.active()
    for _ in range(3):
        await scene.reconcile()
    assert [scene.held(name) for name in "abcd"] == [False, False, True, True]
    assert ("c", "HoldContinues") in {one[:2] for one in scene.told.pods}
    assert "has no pod left of 2" in scene.told.pods[-1][2]


async def test_pods_that_come_later_go_under_the_same_request(scene: HoldScene) -> None:
    first = scene.hold("first")
    scene.workload(pod=first)
    await scene.active()
    await scene.reconcile()
    scene.hold("second")
    assert scene.arrived[-1] == "shop/daypass-1"
    await scene.reconcile()
    assert not scene.held("second")
    assert scene.uses() == [("first", True), ("second", True)]


@pytest.mark.parametrize("other", ["image", "owner", "namespace"])
async def test_pods_of_others_stay(scene: HoldScene, other: str) -> None:
    own = scene.job("own")
    pod = scene.hold("own-1", owner=own)
    if other == "image":
        scene.hold("other", owner=own, image="two")
    elif other == "owner":
        scene.hold("other", owner=scene.job("other"))
    else:
        scene.hold("other")
    scene.workload(pod=pod, owner=own, pods=9)
    await scene.active()
    await scene.reconcile()
    assert not scene.held("own-1")
    assert scene.held("other")


async def test_uses_of_pods_that_wait_are_in_the_write_that_begins_the_permit(scene: HoldScene) -> None:
    scene.workload(pod=scene.hold(), pods=1)
    await scene.run("daypass-1")
    scene.review(name="daypass-1")
    scene.server.calls.clear()
    await scene.run("daypass-1")
    assert (scene.state("daypass-1"), scene.uses()) == ("Active", [("pod", True)])
    assert scene.held()
    await scene.reconcile()
    assert not scene.held()
    assert scene.server.count("patch", ACCESS_REQUESTS) == 1


async def test_t55_pods_that_wait_are_judged_by_the_stages_of_the_write_that_begins_the_permit(
    scene: HoldScene,
) -> None:
    pod = scene.hold(authors=("bob",))
    scene.workload(pod=pod, authors=("bob",))
    scene.workload("mine", pod=pod)
    await scene.run("mine")
    scene.review(name="mine")
    scene.policies.unreadable["other"] = "spec.novel is not known"
    await scene.run("mine")
    assert scene.state("mine") == "Undecided"
    assert "stages" not in scene.body("mine")["status"]
    scene.policies.unreadable.clear()
    await scene.run("mine")
    assert scene.state("mine") == "Active"
    assert not scene.uses("mine"), "bob had a hand in the pod, and alone approved the request"


async def test_many_owners_do_not_delay_the_first_pods_that_go(scene: HoldScene) -> None:
    jobs = [scene.job(f"job-{number}") for number in range(OWNERS_AT_ONCE + 3)]
    pods = [scene.hold(f"pod-{number:03}", owner=job) for number, job in enumerate(jobs)]
    for number, job in enumerate(jobs):
        scene.workload(f"daypass-{number}", pod=pods[number], owner=job)
    scene.workload("mine", pods=100)
    await scene.active("mine")
    assert scene.server.count("get", JOBS) == OWNERS_AT_ONCE, "no more of them are read before it begins"
    assert len(scene.uses("mine")) == OWNERS_AT_ONCE
    scene.server.calls.clear()
    await scene.reconcile("mine")
    assert not any(scene.held(pod.name) for pod in pods), "the others go in their turn"
    assert len(scene.uses("mine")) == len(pods)
    calls = [call for call in scene.server.calls if call in {("get", JOBS.plural), ("patch", PODS.plural)}]
    assert calls[: 2 * OWNERS_AT_ONCE].count(("patch", PODS.plural)) == OWNERS_AT_ONCE


async def test_owners_of_pods_that_were_held_for_something_else_are_not_read(scene: HoldScene) -> None:
    own = scene.job()
    pod = scene.hold(owner=own)
    for number in range(3):
        scene.hold(f"forged-{number}", owner=scene.job(f"other-{number}"), authors=("mallory",))
    scene.workload(pod=pod, owner=own)
    await scene.active()
    await scene.reconcile()
    assert not scene.held()
    assert scene.server.count("get", JOBS) == 3, "its own: when it was judged, when it began, when it let go"


@pytest.mark.parametrize("held", [False, True])
async def test_only_who_has_pods_refused_is_told_how_to_hurry_their_controller(scene: HoldScene, *, held: bool) -> None:
    annotations = {names.ANNOTATION_AUTHORS: "alice"}
    owner = scene.server.put(DEPLOYMENTS, "web", "shop", metadata={"annotations": annotations})
    pod = scene.hold(owner=owner, heard=held)
    scene.workload(pod=pod, owner=owner)
    await scene.active()
    hint = "kubectl annotate deployment web"
    assert (hint in scene.message("daypass-1")) is not held
    if not held:
        scene.reserve("uid-1", "web-1", "daypass-1")
    writes = scene.server.count("patch", ACCESS_REQUESTS)
    await scene.run("daypass-1")
    assert (hint in scene.message("daypass-1")) is not held
    assert scene.server.count("patch", ACCESS_REQUESTS) == writes, "what is said does not change with each use"


async def test_permit_begins_though_the_owners_of_its_pods_cannot_be_read(scene: HoldScene) -> None:
    job = scene.job()
    scene.workload("mine", pod=scene.hold(owner=job))
    scene.server.broken["get", JOBS.plural] = UnavailableError("no answer")
    await scene.active("mine")
    with pytest.raises(UnavailableError):
        await scene.reconcile("mine")
    assert scene.held()
    assert not scene.uses("mine")


@pytest.mark.parametrize("point", ["uses", "gate"])
async def test_t37_killed_between_uses_and_gate_costs_no_second_use(scene: HoldScene, point: str) -> None:
    pod = scene.hold(heard=point == "gate")
    scene.workload(pod=pod, pods=1)
    await scene.active()
    if point == "uses":
        scene.pods.heard(None, pod)  # so that its use is not part of the write that began the permit
    resource = ACCESS_REQUESTS if point == "uses" else PODS
    scene.server.broken["patch", resource.plural] = UnavailableError("killed")
    with pytest.raises(UnavailableError):
        await scene.reconcile()
    assert scene.held()
    assert scene.uses() == ([] if point == "uses" else [("pod", True)])
    del scene.server.broken["patch", resource.plural]
    scene.again()
    await scene.reconcile()
    assert not scene.held()
    assert scene.uses() == [("pod", True)]


async def test_t37_without_a_use_to_write_the_request_is_read_live_first(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()
    scene.server.broken["patch", PODS.plural] = UnavailableError("killed")
    with pytest.raises(UnavailableError):
        await scene.reconcile()
    del scene.server.broken["patch", PODS.plural]
    scene.review(ReviewDecision.REVOKE, "daypass-1", heard=False)
    await scene.reconcile()
    assert scene.held(), "revoked, and the watch has not said so yet"


@pytest.mark.parametrize("late", [False, True], ids=["waited", "came later"])
async def test_t34_revoked_at_the_same_moment_lets_nothing_go(scene: HoldScene, *, late: bool) -> None:
    pod = scene.hold(heard=not late)
    scene.workload(pod=pod)
    await scene.active()
    if late:
        scene.pods.heard(None, pod)
    scene.server.before["patch" if late else "get", ACCESS_REQUESTS.plural] = lambda: scene.review(
        ReviewDecision.REVOKE, "daypass-1", heard=False
    )
    await scene.reconcile()
    assert scene.held()
    assert scene.uses() == ([] if late else [("pod", True)])


async def test_t34_request_deleted_unheard_lets_nothing_go(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()
    scene.server.remove(ACCESS_REQUESTS, "daypass-1", "shop")
    await scene.reconcile()
    assert scene.held()


async def test_pod_that_changed_meanwhile_goes_only_if_it_is_the_same_that_runs(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()

    def scheduler() -> None:
        body = scene.server.objects[PODS.plural, "shop", "pod"]
        scene.server._version += 1
        body["metadata"]["resourceVersion"] = str(scene.server._version)
        body["status"] = {"conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}

    scene.server.before["patch", PODS.plural] = scheduler
    await scene.reconcile()
    assert not scene.held()

    other = scene.hold("other")

    def attacker() -> None:
        scheduler()
        body = scene.server.objects[PODS.plural, "shop", "other"]
        scene.server._version += 1
        body["metadata"]["resourceVersion"] = str(scene.server._version)
        body["spec"]["containers"][0]["image"] = "evil"

    scene.server.before["patch", PODS.plural] = attacker
    await scene.reconcile()
    assert scene.held("other")
    assert next(scene.pods.all()).digest != other.digest
    assert scene.told.let_go == ["pod"]


@pytest.mark.parametrize("becomes", ["another of its name", "being deleted", "gone"])
async def test_pod_that_goes_while_it_is_let_go_is_not(scene: HoldScene, becomes: str) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()

    def meanwhile() -> None:
        body = scene.server.remove(PODS, "pod", "shop")
        if becomes == "another of its name":
            scene.hold(heard=False)
            return
        going = {**body["metadata"], "deletionTimestamp": "2026-03-02T12:00:00Z"}
        scene.server.put(PODS, "pod", "shop", spec=body["spec"], metadata=going)
        if becomes == "gone":
            scene.server.before["get", PODS.plural] = lambda: scene.server.remove(PODS, "pod", "shop")

    scene.server.before["patch", PODS.plural] = meanwhile
    await scene.reconcile()
    assert scene.told.let_go == []
    assert (PODS.plural, "shop", "pod") not in scene.server.objects if becomes == "gone" else scene.held()


async def test_pod_that_changed_as_its_request_ended_is_not_forgotten(
    scene: HoldScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()

    def too_late() -> None:
        body = scene.server.objects[PODS.plural, "shop", "pod"]
        scene.server._version += 1
        body["metadata"]["resourceVersion"] = str(scene.server._version)
        late = scene.server.now() + timedelta(days=1)
        monkeypatch.setattr(scene.server, "now", lambda: late)

    scene.server.before["patch", PODS.plural] = too_late
    await scene.reconcile()
    assert scene.held()
    assert len(scene.pods) == 1, "what follows may still let it go"


async def test_gate_that_the_api_server_keeps_is_told_and_tried_again(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()
    scene.refuse("patch", PODS)
    with pytest.raises(ApiError):
        await scene.reconcile()
    assert scene.told.pods[-1][1] == "HoldContinues"
    scene.server.broken.clear()
    await scene.reconcile()
    assert not scene.held()


async def test_five_hundred_pods_go_by_one_write_of_uses(scene: HoldScene) -> None:
    job = scene.job()
    pods = [scene.hold(f"p-{number:03}", owner=job) for number in range(500)]
    scene.workload(pod=pods[0], owner=job, pods=500)
    await scene.run("daypass-1")
    scene.review(name="daypass-1")
    scene.server.calls.clear()
    await scene.run("daypass-1")
    await scene.reconcile()
    assert not any(scene.held(pod.name) for pod in pods)
    assert scene.server.count("patch", ACCESS_REQUESTS) == 1
    assert scene.server.count("patch", PODS) == 500
    assert scene.server.count("get", JOBS) == 3, "is the workload there; who made it; and who, before they go"
    assert not scene.server.count("get", PODS)


async def test_endless_conflict_is_tried_again_later(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()
    scene.server.broken["patch", PODS.plural] = ConflictError("again", 409)
    with pytest.raises(ConflictError):
        await scene.reconcile()
    assert len(scene.pods) == 1
    scene.server.broken.clear()
    await scene.reconcile()
    assert not scene.held()


async def test_what_a_gone_controller_let_go_is_not_lost(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()
    await scene.reconcile()
    scene.again()
    scene.pods.heard(pod, None)  # the new one had listed it before the patch of the former came through
    assert await scene.permits.missed(scene.missing.pop()) == []
    assert not scene.told.lost_pods


async def test_t53_a_gate_that_somebody_else_took_off_is_noticed(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    body = scene.server.objects[PODS.plural, "shop", "pod"]
    body["spec"]["schedulingGates"] = []
    scene.pods.heard(pod, scene.seen(body))
    assert await scene.permits.missed(scene.missing.pop()) == []
    assert scene.told.lost_pods == ["pod"]
    assert not len(scene.pods)


@pytest.mark.parametrize("held", [True, False])
async def test_a_pod_that_was_made_anew_is_not_the_one_that_is_missed(scene: HoldScene, *, held: bool) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    scene.server.remove(PODS, "pod", "shop")
    scene.hold(gates=(names.SCHEDULING_GATE,) if held else (), heard=False)
    scene.pods.heard(pod, None)
    await scene.permits.missed(scene.missing.pop())
    assert not scene.told.lost_pods
    assert not len(scene.pods)


async def test_a_label_that_somebody_took_off_does_not_hide_a_held_pod(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.workload(pod=pod)
    body = scene.server.objects[PODS.plural, "shop", "pod"]
    del body["metadata"]["labels"][names.LABEL_HELD]
    scene.pods.heard(pod, None)
    await scene.permits.missed(scene.missing.pop())
    assert not scene.told.lost_pods
    await scene.active()
    await scene.reconcile()
    assert not scene.held()


async def test_missing_is_asked_again_where_the_api_server_did_not_answer(scene: HoldScene) -> None:
    pod = scene.hold()
    scene.pods.heard(pod, None)
    scene.server.broken["get", PODS.plural] = UnavailableError("no answer")
    name = scene.missing.pop()
    with pytest.raises(UnavailableError):
        await scene.permits.missed(name)
    scene.server.broken.clear()
    copy.deepcopy(scene.server.remove(PODS, "pod", "shop"))
    assert await scene.permits.missed(name) == []
    assert await scene.permits.missed(name) == []
