"""What held pods are told, which pods go with their permit, and which requests end because nobody waits any more."""

import copy
from datetime import timedelta

import pytest

from app.fake_server import NOW, moment
from app.hold_scene import PRIVILEGE, HoldScene
from daypass.app.holds.eviction import AT_ONCE, LONGEST_GRACE_SECONDS
from daypass.app.holds.pod_events import TOLD_AT_MOST
from daypass.app.ports import APPROVAL_POLICIES, JOBS, PODS, UnavailableError
from daypass.domain.review import ReviewDecision
from daypass.domain.wording import JUDGED_ANEW

REFUSED = UnavailableError("Cannot evict pod as it would violate the pod's disruption budget.", 429, "TooManyRequests")


@pytest.fixture
def scene() -> HoldScene:
    return HoldScene()


async def test_denial_is_told_to_the_pod_and_to_its_owner(scene: HoldScene) -> None:
    scene.allow()
    job = scene.job()
    pod = scene.hold(owner=job)
    scene.workload(pod=pod, owner=job)
    await scene.run("daypass-1")
    await scene.reconcile()
    scene.review(ReviewDecision.DENY, "daypass-1")
    await scene.run("daypass-1")
    await scene.reconcile()
    assert scene.held()
    message = (
        "Stays held: AccessRequest daypass-1 was denied by bob. To be asked again, change what it runs; or have the"
        " request deleted (kubectl delete areq daypass-1 -n shop), then delete the pod."
    )
    assert scene.told.pods[-1] == ("pod", "HoldDenied", message)
    assert scene.told.owners[-1] == ("Job work", "HoldDenied", message)
    assert ("Job work", "Held") in {one[:2] for one in scene.told.owners}


async def test_nothing_is_said_twice_however_often_a_patrol_comes_by(scene: HoldScene) -> None:
    scene.allow()
    job = scene.job()
    pods = [scene.hold(f"pod-{number:02}", owner=job) for number in range(TOLD_AT_MOST + 10)]
    scene.workload(pod=pods[0], owner=job)
    await scene.run("daypass-1")
    for _ in range(5):
        await scene.reconcile()
    assert [(len(scene.told.pods), len(scene.told.owners))] == [(TOLD_AT_MOST, 1)]
    # What goes makes room for who was not told yet, and only they are.
    scene.pods.heard(pods[0], None)
    await scene.reconcile()
    assert [one[0] for one in scene.told.pods[TOLD_AT_MOST:]] == [f"pod-{TOLD_AT_MOST:02}"]
    # Another state is another thing to say, to each once.
    scene.review(ReviewDecision.DENY, "daypass-1")
    await scene.run("daypass-1")
    for _ in range(5):
        await scene.reconcile()
    denied = [one for one in (*scene.told.pods, *scene.told.owners) if one[1] == "HoldDenied"]
    assert len(denied) == len(set(denied)) == TOLD_AT_MOST + 1


async def test_what_there_was_no_room_to_say_is_said_later(scene: HoldScene) -> None:
    scene.allow()
    job = scene.job()
    pod = scene.hold(owner=job)
    scene.workload(pod=pod, owner=job)
    await scene.run("daypass-1")
    scene.told.has_room = False
    await scene.reconcile()
    scene.told.has_room = True
    for _ in range(2):
        await scene.reconcile()
    assert ([one[0] for one in scene.told.pods], [one[0] for one in scene.told.owners]) == (["pod"], ["Job work"])


async def test_silence_is_told_too(scene: HoldScene) -> None:
    scene.allow(limits={"pendingTimeoutSeconds": 60})
    pod = scene.hold()
    body = scene.workload(pod=pod)
    scene.requests.drop("shop/daypass-1", body["metadata"]["uid"])
    scene.body("daypass-1")["metadata"]["creationTimestamp"] = moment(NOW - timedelta(hours=1))
    scene.edited("daypass-1")
    await scene.run("daypass-1")
    await scene.reconcile()
    assert scene.told.pods[-1][1] == "HoldUnanswered"
    assert "Not approved by" in scene.told.pods[-1][2]


async def test_pods_whose_policy_was_deleted_hear_what_to_do(scene: HoldScene) -> None:
    scene.allow()
    scene.workload(pod=scene.hold())
    await scene.run("daypass-1")
    scene.heard(APPROVAL_POLICIES, scene.server.remove(APPROVAL_POLICIES, "permits"), gone=True)
    await scene.run("daypass-1")
    await scene.reconcile()
    name, reason, message = scene.told.pods[-1]
    assert (name, reason) == ("pod", "HoldDenied")
    assert message.startswith("Stays held: AccessRequest daypass-1 was denied: ")
    assert message.endswith(f". {JUDGED_ANEW}")


@pytest.mark.parametrize("others", [False, True])
async def test_a_pod_for_which_there_is_no_request_hears_what_to_do(scene: HoldScene, *, others: bool) -> None:
    """Its labels changed, which it reads of itself; or its request was deleted while no controller ran.

    That somebody asked for any pod of the account, or Daypass for one of somebody else, does not help this one.
    """
    scene.allow()
    pod = scene.hold()
    if others:
        scene.workload("anything")
        scene.workload("daypass-2", pod=pod, authors=("carol",))
    assert [key async for key in scene.permits.patrol()] == []
    assert not scene.told.pods, "the news of its request may be on its way"
    for _ in range(3):
        assert [key async for key in scene.permits.patrol()] == []
    assert scene.told.pods == [("pod", "HoldContinues", f"Stays held: no AccessRequest is for it as it is now. {JUDGED_ANEW}")]  # fmt: skip
    scene.workload(pod=pod)
    assert [key async for key in scene.permits.patrol()] == []
    assert len(scene.told.pods) == 1


async def test_denial_of_another_owners_request_is_nothing_to_the_pod(scene: HoldScene) -> None:
    scene.allow()
    one, two = scene.job("one"), scene.job("two")
    pod = scene.hold(owner=one)
    scene.workload("daypass-1", pod=pod, owner=one)
    scene.workload("daypass-2", pod=pod, owner=two)
    for name in ("daypass-1", "daypass-2"):
        await scene.run(name)
    scene.review(ReviewDecision.DENY, "daypass-2")
    await scene.run("daypass-2")
    await scene.reconcile("daypass-2")
    assert not scene.told.pods
    scene.review(ReviewDecision.DENY, "daypass-1")
    await scene.run("daypass-1")
    await scene.reconcile("daypass-1")
    assert scene.told.pods[-1][1] == "HoldDenied"


async def test_pod_with_another_request_open_still_has_hope(scene: HoldScene) -> None:
    scene.allow()
    pod = scene.hold()
    for name in ("daypass-1", "daypass-2"):
        scene.workload(name, pod=pod)
        await scene.run(name)
    scene.review(ReviewDecision.DENY, "daypass-1")
    await scene.run("daypass-1")
    await scene.reconcile("daypass-1")
    assert not scene.told.pods
    scene.review(ReviewDecision.DENY, "daypass-2")
    await scene.run("daypass-2")
    await scene.reconcile("daypass-1")
    assert scene.told.pods[-1][1] == "HoldDenied"


async def test_an_open_request_for_anothers_pod_that_runs_the_same_is_no_hope(scene: HoldScene) -> None:
    scene.allow()
    pod = scene.hold()
    scene.workload("daypass-2", pod=pod, authors=("carol",))
    scene.workload(pod=pod)
    for name in ("daypass-1", "daypass-2"):
        await scene.run(name)
    scene.review(ReviewDecision.DENY, "daypass-1")
    await scene.run("daypass-1")
    await scene.reconcile()
    assert scene.told.pods[-1][1] == "HoldDenied"


@pytest.mark.parametrize("elses", ["pending", "for something else", "used up"])
async def test_what_another_request_can_not_give_keeps_no_pod_from_hearing_of_its_own(
    scene: HoldScene, elses: str
) -> None:
    """A request that a person made without a digest is for every pod of the ServiceAccount."""
    scene.allow(gate={"workloads": {"privileges": ["Baseline"], "onMissing": "Hold"}})
    scene.workload("ahead", privileges=("Capabilities:NET_ADMIN",) if elses == "for something else" else (PRIVILEGE,))
    await scene.run("ahead")
    if elses != "pending":
        await scene.active("ahead")
    if elses == "used up":
        scene.reserve("one", "one", "ahead")
        scene.reserve("two", "two", "ahead")
    scene.workload(pod=scene.hold())
    await scene.run("daypass-1")
    await scene.reconcile()
    assert scene.told.pods[-1][1] == "Held"
    await scene.reconcile("ahead")
    assert ("HoldContinues" in {one[1] for one in scene.told.pods}) == (elses != "pending")
    assert not any(JUDGED_ANEW in one[2] for one in scene.told.pods), "another pod would wait for the same"
    scene.review(ReviewDecision.DENY, "daypass-1")
    await scene.run("daypass-1")
    await scene.reconcile()
    assert scene.told.pods[-1][1] == ("Held" if elses == "pending" else "HoldDenied")


async def test_deleted_request_is_told(scene: HoldScene) -> None:
    scene.allow()
    pod = scene.hold()
    body = scene.workload(pod=pod)
    await scene.run("daypass-1")
    entry = scene.requests.get("shop/daypass-1")
    assert entry is not None
    assert entry.slim is not None
    scene.requests.drop("shop/daypass-1", body["metadata"]["uid"])
    assert scene.permits.dropped(entry.slim)
    assert await scene.permits.reconcile(body["metadata"]["uid"]) is None
    message = f"Stays held: AccessRequest daypass-1 was deleted. {JUDGED_ANEW}"
    assert scene.told.pods[-1] == ("pod", "HoldContinues", message)
    assert await scene.permits.reconcile(body["metadata"]["uid"]) is None


# What onExpiry says of pods


async def admitted(
    scene: HoldScene, on_expiry: str = "Evict", *, end: ReviewDecision | None = ReviewDecision.REVOKE
) -> None:
    """A pod was let go under a permit, and the permit has ended."""
    scene.allow(grant={"onExpiry": on_expiry})
    pod = scene.hold()
    scene.workload(pod=pod)
    await scene.active()
    await scene.reconcile()
    assert not scene.held()
    if end is not None:
        scene.review(end, "daypass-1")
        await scene.run("daypass-1")


@pytest.mark.parametrize("end", [ReviewDecision.REVOKE, ReviewDecision.RELEASE])
async def test_t36_pods_go_with_their_permit(scene: HoldScene, end: ReviewDecision) -> None:
    await admitted(scene, end=None)
    scene.review(end, "daypass-1", who="bob" if end is ReviewDecision.REVOKE else "alice")
    await scene.run("daypass-1")
    assert await scene.reconcile() is None
    assert scene.server.count("evict", PODS) == 1
    assert (PODS.plural, "shop", "pod") not in scene.server.objects
    assert "evicted, as policy permits says" in scene.told.pods[-1][2]
    calls = len(scene.server.calls)
    assert await scene.reconcile() is None
    assert len(scene.server.calls) == calls, "done is done"


async def test_pods_stay_where_the_policy_keeps_them(scene: HoldScene) -> None:
    await admitted(scene, "Keep")
    assert await scene.reconcile() is None
    assert not scene.server.count("evict", PODS)


async def test_pods_stay_while_the_permit_is_in_force(scene: HoldScene) -> None:
    await admitted(scene, end=None)
    await scene.reconcile()
    assert not scene.server.count("evict", PODS)


@pytest.mark.parametrize("what", ["finished", "another", "gone", "going"])
async def test_only_what_runs_and_was_admitted_is_evicted(scene: HoldScene, what: str) -> None:
    await admitted(scene)
    key = (PODS.plural, "shop", "pod")
    if what == "finished":
        scene.server.objects[key]["status"] = {"phase": "Succeeded"}
    elif what == "another":
        scene.server.objects[key]["metadata"]["uid"] = "another"
    elif what == "going":
        scene.server.objects[key]["metadata"]["deletionTimestamp"] = moment(NOW)
    else:
        del scene.server.objects[key]
    assert await scene.reconcile() is None
    assert not scene.server.count("evict", PODS)


YEAR = 31_536_000


@pytest.mark.parametrize(
    ("asked", "going", "given"),
    [
        *((None, None, 30), (0, None, 0), (60, None, 60), (YEAR, None, LONGEST_GRACE_SECONDS)),
        *((YEAR, YEAR, LONGEST_GRACE_SECONDS), (YEAR, LONGEST_GRACE_SECONDS, None), (60, 60, None)),
    ],
)
async def test_t36_a_pod_has_minutes_to_end_and_not_the_year_that_its_author_chose(
    scene: HoldScene, monkeypatch: pytest.MonkeyPatch, asked: int | None, going: int | None, given: int | None
) -> None:
    """Also where somebody deleted it before, so that it is ``going`` already."""
    await admitted(scene)
    pod = scene.server.objects[PODS.plural, "shop", "pod"]
    if asked is not None:
        pod["spec"]["terminationGracePeriodSeconds"] = asked
    if going is not None:
        pod["metadata"] |= {"deletionTimestamp": moment(NOW), "deletionGracePeriodSeconds": going}
    graces: list[int] = []

    async def evict(_name: str, _uid: str, _namespace: str, grace_seconds: int) -> bool:
        graces.append(grace_seconds)
        return True

    monkeypatch.setattr(scene.server, "evict", evict)
    await scene.reconcile()
    assert graces == ([] if given is None else [given])


async def test_disruption_budget_is_asked_again(scene: HoldScene) -> None:
    await admitted(scene)
    scene.server.broken["evict", PODS.plural] = REFUSED
    due = await scene.reconcile()
    assert due is not None
    assert timedelta(0) < due - scene.server.now() <= timedelta(seconds=10)
    assert scene.told.pods[-1][1] == "not evicted"
    assert "disruption budget" in scene.told.pods[-1][2]
    scene.server.broken.clear()
    assert await scene.reconcile() is None
    assert scene.told.pods[-1][1] == "evicted"


async def test_api_server_that_does_not_answer_leaves_it_to_the_queue(scene: HoldScene) -> None:
    await admitted(scene)
    scene.server.broken["evict", PODS.plural] = UnavailableError("no answer")
    with pytest.raises(UnavailableError):
        await scene.reconcile()


async def test_t36_pods_are_evicted_several_at_a_time_and_one_that_fails_keeps_no_other(
    scene: HoldScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.allow(grant={"onExpiry": "Evict"})
    job = scene.job()
    pods = [scene.hold(f"p-{number:02}", owner=job) for number in range(60)]
    scene.workload(pod=pods[0], owner=job, pods=60)
    await scene.active()
    await scene.reconcile()
    scene.review(ReviewDecision.REVOKE, "daypass-1")
    await scene.run("daypass-1")
    at_once, most, evict = 0, 0, scene.server.evict

    async def counted(name: str, uid: str, namespace: str, grace_seconds: int) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            if name == "p-00":
                raise UnavailableError("no answer")
            return await evict(name, uid, namespace, grace_seconds)
        finally:
            at_once -= 1

    monkeypatch.setattr(scene.server, "evict", counted)
    with pytest.raises(UnavailableError):
        await scene.reconcile()
    left = [name for (plural, _, name) in scene.server.objects if plural == PODS.plural]
    assert left == ["p-00"]
    assert 1 < most <= AT_ONCE


async def test_controller_that_starts_later_evicts_what_is_left(scene: HoldScene) -> None:
    await admitted(scene)
    scene.again()
    await scene.reconcile()
    assert scene.told.pods[-1][1] == "evicted"


async def test_of_what_ended_long_ago_nothing_is_looked_for(scene: HoldScene) -> None:
    await admitted(scene)
    scene.body("daypass-1")["status"]["endTime"] = moment(NOW - timedelta(days=2))
    scene.edited("daypass-1")
    assert await scene.reconcile() is None
    assert not scene.server.count("get", PODS)


async def test_policy_that_is_gone_says_nothing_any_more(scene: HoldScene) -> None:
    await admitted(scene)
    gone = scene.server.remove(APPROVAL_POLICIES, "permits")
    scene.policies.drop("permits", gone["metadata"]["uid"])
    assert await scene.reconcile() is None
    assert not scene.server.count("evict", PODS)


async def test_policy_that_cannot_be_read_is_waited_for(scene: HoldScene) -> None:
    await admitted(scene)
    scene.policy("permits", effect="Perhaps")
    assert await scene.reconcile() is not None
    assert not scene.server.count("evict", PODS)


async def test_deleted_permit_takes_its_pods_along(scene: HoldScene) -> None:
    await admitted(scene, end=None)
    entry = scene.requests.get("shop/daypass-1")
    assert entry is not None
    assert entry.slim is not None
    scene.requests.drop(entry.key, entry.uid)
    assert scene.permits.dropped(entry.slim)
    assert await scene.permits.reconcile(entry.uid) is None
    assert "is gone: evicted" in scene.told.pods[-1][2]


# Workloads that are gone


async def test_request_ends_with_its_workload(scene: HoldScene) -> None:
    scene.allow()
    job = scene.job()
    pod = scene.hold(owner=job)
    scene.workload(pod=pod, owner=job)
    await scene.run("daypass-1")
    assert [key async for key in scene.permits.patrol()] == []
    scene.server.remove(JOBS, "work", "shop")
    assert [key async for key in scene.permits.patrol()] == ["shop/daypass-1"]
    await scene.run("daypass-1")
    assert (scene.state("daypass-1"), scene.message("daypass-1")) == ("Failed", "WorkloadGone: Job shop/work is gone.")


async def test_t69_another_workload_of_that_name_is_not_it(scene: HoldScene) -> None:
    scene.allow()
    job = scene.job()
    scene.workload(owner=job)
    await scene.run("daypass-1")
    scene.server.remove(JOBS, "work", "shop")
    scene.job()
    scene.review(name="daypass-1")
    await scene.run("daypass-1")
    assert scene.state("daypass-1") == "Failed", "looked at live before it is granted"


@pytest.mark.parametrize("why", ["forbidden", "no answer", "not served"])
async def test_what_cannot_be_looked_at_counts_as_there(scene: HoldScene, why: str) -> None:
    scene.allow()
    job = scene.job()
    if why == "not served":
        job = {**job, "kind": "Workflow", "apiVersion": "argoproj.io/v1alpha1"}
    else:
        scene.server.remove(JOBS, "work", "shop")
        if why == "forbidden":
            scene.refuse("get", JOBS)
        else:
            scene.server.broken["get", JOBS.plural] = UnavailableError("no answer")
    scene.workload(owner=job)
    await scene.run("daypass-1")
    assert [key async for key in scene.permits.patrol()] == []


@pytest.mark.parametrize("alike", ["none", "of an owner", "of somebody else"])
async def test_bare_pod_that_goes_takes_its_request_along(scene: HoldScene, alike: str) -> None:
    scene.allow()
    pod = scene.hold()
    if alike == "of an owner":
        scene.hold("owned", owner=scene.job())
    elif alike == "of somebody else":
        scene.hold("other", authors=("bob",))
    scene.workload(pod=pod)
    await scene.run("daypass-1")
    await scene.reconcile()
    scene.server.remove(PODS, "pod", "shop")
    scene.pods.heard(pod, None)
    assert await scene.permits.missed(scene.missing.pop()) == ["shop/daypass-1"]
    await scene.run("daypass-1")
    assert scene.message("daypass-1") == "WorkloadGone: the pod that waited for it is gone, or has changed."


async def test_request_for_a_pod_that_was_refused_waits_on(scene: HoldScene) -> None:
    scene.allow()
    pod = scene.hold(heard=False)
    scene.server.remove(PODS, "pod", "shop")
    scene.workload(pod=pod)
    await scene.run("daypass-1")
    await scene.reconcile()
    assert [key async for key in scene.permits.patrol()] == []
    await scene.active()


async def test_request_of_a_person_needs_no_workload_yet(scene: HoldScene) -> None:
    scene.allow()
    body = copy.deepcopy(scene.workload("mine"))
    assert "owner" not in body["spec"]["workload"]
    await scene.active("mine")


async def test_permit_in_force_outlives_its_workload(scene: HoldScene) -> None:
    scene.allow()
    job = scene.job()
    scene.workload(owner=job)
    await scene.active()
    scene.server.remove(JOBS, "work", "shop")
    assert [key async for key in scene.permits.patrol()] == []
    await scene.run("daypass-1")
    assert scene.state("daypass-1") == "Active"
