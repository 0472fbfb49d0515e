"""Uses that the webhook reserved are confirmed by what the API server has, or given back (T47, T48)."""

from datetime import timedelta

import pytest

from app.fake_server import NOW, moment
from app.hold_scene import CLAIMS, DEVICES, SECRETS, HoldScene
from daypass.app.ports import ACCESS_REQUESTS, PODS, UnavailableError
from daypass.domain.review import ReviewDecision


@pytest.fixture
async def scene() -> HoldScene:
    made = HoldScene()
    made.allow()
    made.action(maxUses=2)
    await made.active("act")
    return made


async def test_deletion_that_came_to_pass_is_spent(scene: HoldScene) -> None:
    body = scene.server.put(CLAIMS, "data", "shop")
    scene.reserve(body["metadata"]["uid"], "data", age=3)
    due = await scene.reconcile("act")
    assert scene.uses("act") == [("data", False)], "still on its way"
    assert due is not None
    scene.server.remove(CLAIMS, "data", "shop")
    assert await scene.reconcile("act") is None
    assert scene.uses("act") == [("data", True)]
    assert scene.told.uses == [(1, 0)]


async def test_deletion_that_waits_for_a_finalizer_is_spent(scene: HoldScene) -> None:
    body = scene.server.put(CLAIMS, "data", "shop", metadata={"deletionTimestamp": moment(NOW)})
    scene.reserve(body["metadata"]["uid"], "data", age=3)
    await scene.reconcile("act")
    assert scene.uses("act") == [("data", True)]


async def test_t48_deletion_that_was_refused_elsewhere_is_given_back(scene: HoldScene) -> None:
    body = scene.server.put(CLAIMS, "data", "shop")
    scene.reserve(body["metadata"]["uid"], "data", age=33)
    assert await scene.reconcile("act") is None
    assert scene.uses("act") == []
    assert scene.told.uses == [(0, 1)]


async def test_action_whose_uses_are_spent_is_used_up(scene: HoldScene) -> None:
    for name in ("a", "b"):
        scene.reserve(name, "data", age=3)
        await scene.run("act")
        assert scene.state("act") == "Active"
    assert not scene.permits.ends("shop/act")
    await scene.reconcile("act")
    assert scene.permits.ends("shop/act")
    await scene.run("act")
    assert not scene.permits.ends("shop/act")
    assert scene.state("act") == "Expired"
    assert scene.message("act") == "All its 2 uses are spent (UsedUp)."


@pytest.mark.parametrize(("plural", "spent"), [(SECRETS.plural, True), ("unknown", True), (CLAIMS.plural, False)])
async def test_what_may_not_be_read_counts_as_used(scene: HoldScene, plural: str, spent: bool) -> None:  # noqa: FBT001
    scene.refuse("get", SECRETS)
    body = scene.server.put(CLAIMS, "data", "shop")
    changed = scene.body("act")
    changed["spec"]["action"]["resource"] = plural
    scene.edited("act")
    scene.reserve(body["metadata"]["uid"], "data", age=40)
    await scene.reconcile("act")
    assert scene.uses("act") == ([("data", True)] if spent else [])


async def test_object_of_the_whole_cluster_is_found(scene: HoldScene) -> None:
    scene.action("wipe", verb="update", group=DEVICES.group, resource=DEVICES.plural, name="disk")
    await scene.active("wipe")
    body = scene.server.put(DEVICES, "disk")
    uid, version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
    scene.reserve(uid, "disk", "wipe", key=f"{uid}@{version}", age=3)
    await scene.reconcile("wipe")
    assert scene.uses("wipe") == [("disk", False)]
    scene.server.put(DEVICES, "disk")
    await scene.reconcile("wipe")
    assert scene.uses("wipe") == [("disk", True)]


async def test_api_server_that_does_not_answer_changes_nothing(scene: HoldScene) -> None:
    scene.server.broken["get", CLAIMS.plural] = UnavailableError("no answer")
    scene.reserve("x", "data", age=40)
    with pytest.raises(UnavailableError):
        await scene.reconcile("act")
    assert scene.uses("act") == [("data", False)]


async def test_pod_that_came_is_confirmed_and_one_that_did_not_is_given_back(scene: HoldScene) -> None:
    pod = scene.hold("came", gates=())
    scene.workload("mine", pod=pod)
    await scene.active("mine")
    scene.reserve(pod.uid, "came", "mine", age=40)
    scene.reserve("nowhere", "did-not", "mine", age=40)
    await scene.reconcile("mine")
    assert scene.uses("mine") == [("came", True)]
    assert scene.told.uses == [(1, 1)]


async def test_uses_that_a_webhook_reserves_meanwhile_are_kept(scene: HoldScene) -> None:
    scene.reserve("gone", "data", age=3)
    scene.server.before["patch", ACCESS_REQUESTS.plural] = lambda: scene.reserve("later", "other")
    await scene.reconcile("act")
    assert scene.uses("act") == [("data", True), ("other", False)]


async def test_nobody_looks_right_after_the_reservation(scene: HoldScene) -> None:
    scene.reserve("gone", "data")
    due = await scene.reconcile("act")
    assert due is not None
    assert due - scene.server.now() <= timedelta(seconds=2)
    assert not scene.server.count("get", CLAIMS)


async def test_uses_of_a_permit_that_ended_are_settled_too(scene: HoldScene) -> None:
    scene.reserve("gone", "data", age=3)
    scene.review(ReviewDecision.REVOKE, "act")
    await scene.run("act")
    assert scene.state("act") == "Revoked"
    await scene.reconcile("act")
    assert scene.uses("act") == [("data", True)]


async def test_ordinary_writes_of_status_leave_uses_alone(scene: HoldScene) -> None:
    scene.reserve("gone", "data", age=1)
    scene.review(ReviewDecision.RELEASE, "act", who="alice")
    await scene.run("act")
    assert scene.uses("act") == [("data", False)]


async def test_conflict_without_end_is_left_to_the_queue(scene: HoldScene) -> None:
    scene.hold("pod", gates=())
    scene.reserve("gone", "data", age=3)

    def again() -> None:
        scene.edited("act", heard=False)
        scene.server.before["patch", ACCESS_REQUESTS.plural] = again

    again()
    with pytest.raises(Exception, match="modified"):
        await scene.reconcile("act")
    assert not scene.server.count("get", PODS)
