"""The life of permits on a real API server: approved, in force, over; held pods let go; uses settled; pods evicted."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from bed import Bed
from cluster.errands import MERGE
from cluster.permits import Permits


@pytest.fixture
def permits(cluster: Bed, namespace: str) -> Permits:
    return Permits(cluster, namespace)


# States


@pytest.mark.parametrize("kind", ["workload", "action"])
def test_permit_is_approved_comes_into_force_and_ends_on_time(permits: Permits, kind: str) -> None:
    permits.allow()
    if kind == "workload":
        pod = permits.pod("free", held=False)
        uid = permits.workload("ask", pod, seconds=10)
    else:
        uid = permits.action("ask", "data")
    status = permits.until("ask", "AwaitingApproval")
    assert status["risk"]["findings"]
    permits.approve("ask")
    status = permits.until("ask", "Active")
    begin, end = (datetime.fromisoformat(status[field]) for field in ("startTime", "expirationTime"))
    assert end - begin == timedelta(seconds=10 if kind == "workload" else 120)
    told = f"What it asks for is let through until {status['expirationTime']}."
    assert permits.condition("ask", "Ready")["message"].startswith(told)
    assert permits.binding(uid) is None
    assert permits.object("jobs", uid) is None
    assert "objects" not in status
    if kind == "workload":
        status = permits.until("ask", "Expired", timeout=25)
        assert status["endTime"] == status["expirationTime"] == end.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (datetime.now(UTC) - end).total_seconds() < 5
    else:
        assert permits.review("ask", "Release", "alice").status == 200
        permits.until("ask", "Released")


def test_permit_begins_at_its_start_time(permits: Permits) -> None:
    permits.allow()
    start = (datetime.now(UTC) + timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    permits.workload("later", permits.pod("free", held=False), startTime=start)
    permits.until("later", "AwaitingApproval")
    permits.approve("later")
    permits.until("later", "Scheduled")
    assert permits.until("later", "Active", timeout=25)["startTime"] >= start


def test_policy_denies_and_people_deny_permits_as_ever(permits: Permits) -> None:
    pod = permits.pod("free", held=False)
    permits.allow(match={"conditions": [{"expression": "request.ticket != ''", "message": "a ticket is needed"}]})
    permits.workload("without", pod)
    permits.until("without", "Denied")
    assert "a ticket is needed" in permits.condition("without", "Ready")["message"]
    permits.workload("with", pod, ticket="OPS-1")
    permits.until("with", "AwaitingApproval")
    assert permits.review("with", "Deny", "bob", comment="not today").status == 200
    permits.until("with", "Denied")


def test_controller_that_was_away_gives_the_full_time_and_never_moves_the_end(cluster: Bed, permits: Permits) -> None:
    permits.allow()
    permits.workload("away", permits.pod("free", held=False), seconds=40)
    permits.until("away", "AwaitingApproval")
    cluster.controller.terminate()
    permits.approve("away")
    cluster.controller.start()
    status = permits.until("away", "Active")
    cluster.controller.terminate()
    cluster.controller.start()
    cluster.controller.wait_ready()
    time.sleep(1)
    assert permits.status("away")["expirationTime"] == status["expirationTime"]
    assert permits.state("away") == "Active"


# Held pods


def test_held_pod_is_let_go_within_a_second_of_the_approval(permits: Permits) -> None:
    permits.allow()
    pod = permits.pod("waits")
    permits.workload("daypass-one", pod)
    permits.until("daypass-one", "AwaitingApproval")
    assert "Waiting for policy" in permits.noted("waits", "Held")
    assert permits.held("waits")
    permits.approve("daypass-one")
    began = time.monotonic()
    permits.free("waits")
    assert time.monotonic() - began < 1
    (use,) = permits.uses("daypass-one")
    assert (use["uid"], use["kind"], use["confirmed"]) == (pod["metadata"]["uid"], "Pod", True)
    assert permits.noted("waits", "HoldReleased") == "Let go under AccessRequest daypass-one."


def test_pods_that_come_while_it_is_in_force_are_let_go_too_as_many_as_it_says(permits: Permits) -> None:
    permits.allow()
    first = permits.pod("first")
    permits.workload("daypass-two", first, pods=2)
    permits.until("daypass-two", "AwaitingApproval")
    permits.approve("daypass-two")
    permits.free("first")
    permits.pod("other", image="registry.invalid/two")
    permits.pod("second")
    permits.free("second")
    permits.pod("third")
    assert "has no pod left of 2" in permits.noted("third", "HoldContinues")
    assert permits.held("third")
    assert permits.held("other")


def test_denial_is_told_on_the_pod_and_on_its_owner(permits: Permits) -> None:
    permits.allow()
    permits.may_edit("alice")
    owner, (pod,) = permits.replicas("work")
    name = pod["metadata"]["name"]
    permits.workload("daypass-three", pod, owner=owner)
    permits.until("daypass-three", "AwaitingApproval")
    assert permits.review("daypass-three", "Deny", "bob", comment="too risky").status == 200
    told = permits.noted(name, "HoldDenied")
    assert told.startswith("Stays held: AccessRequest daypass-three was denied by bob: too risky. To be asked again, ")
    assert "kubectl delete areq daypass-three -n " in told
    assert permits.noted("work", "HoldDenied") == told
    assert permits.held(name)


def test_silence_is_told_on_the_pod(permits: Permits) -> None:
    permits.allow(limits={"pendingTimeoutSeconds": 10})
    permits.workload("daypass-four", permits.pod("waits"))
    permits.until("daypass-four", "TimedOut")
    assert "Not approved by" in permits.noted("waits", "HoldUnanswered")
    assert permits.held("waits")


def test_t55_author_of_the_workload_does_not_let_it_go(permits: Permits) -> None:
    permits.allow()
    permits.may_edit("alice", "bob")
    owner, (pod,) = permits.replicas("work", author="bob")
    name = pod["metadata"]["name"]
    permits.workload("daypass-five", pod, owner=owner)  # it names alice as the author: bob came later
    permits.until("daypass-five", "AwaitingApproval")
    permits.approve("daypass-five", "bob")
    permits.until("daypass-five", "Active")
    assert "bob, who had a hand in this" in permits.noted(name, "HoldContinues")
    assert permits.held(name)


def test_t53_a_hold_that_somebody_else_took_off_is_noticed(cluster: Bed, permits: Permits) -> None:
    permits.pod("waits")
    cluster.kubectl("delete", "validatingadmissionpolicybinding", "daypass-holds", "daypass-holds-status")
    try:
        patch = {"spec": {"schedulingGates": None}}
        path = f"{permits.core('pods')}/waits"
        cluster.wait_until(lambda: cluster.request("PATCH", path, patch, headers=MERGE).status == 200, what="unguarded")
        assert "runs unapproved" in permits.noted("waits", "HoldLost")
    finally:
        cluster.install()


# Uses


def test_t48_uses_are_confirmed_by_what_came_to_pass_and_given_back_else(permits: Permits) -> None:
    permits.allow()
    claim, kept = permits.claim("data"), permits.claim("kept")
    for name, target in (("spent", "data"), ("returned", "kept")):
        permits.action(name, target)
        permits.until(name, "AwaitingApproval")
        permits.approve(name)
        permits.until(name, "Active")
    permits.reserve("returned", kept["metadata"]["uid"], "kept", "PersistentVolumeClaim")
    permits.reserve("spent", claim["metadata"]["uid"], "data", "PersistentVolumeClaim")
    permits.bed.request(
        "PATCH", f"{permits.core('persistentvolumeclaims')}/data", {"metadata": {"finalizers": None}}, headers=MERGE
    )
    permits.removed("persistentvolumeclaims", "data")
    permits.until("spent", "Expired", timeout=25)
    assert permits.condition("spent", "Ready")["message"] == "Its one use is spent (UsedUp)."
    assert [use["confirmed"] for use in permits.uses("spent")] == [True]
    permits.bed.wait_until(lambda: not permits.uses("returned"), 120, what="the use is given back")
    assert permits.state("returned") == "Active"


def test_use_of_what_we_may_not_read_counts(permits: Permits) -> None:
    permits.allow()
    permits.action("secret", "token", resource="secrets")
    permits.until("secret", "AwaitingApproval")
    permits.approve("secret")
    permits.until("secret", "Active")
    permits.reserve("secret", "some-uid", "token", "Secret")
    permits.until("secret", "Expired", timeout=25)


# What goes with a permit


def test_t36_pods_are_evicted_when_their_permit_ends_and_a_budget_allows_it(permits: Permits) -> None:
    permits.allow(grant={"onExpiry": "Evict"})
    pod = permits.pod("waits")
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "keep", "namespace": permits.namespace},
        "spec": {"minAvailable": 1, "selector": {}},
    }
    permits.bed.apply(budget)
    permits.workload("daypass-six", pod)
    permits.until("daypass-six", "AwaitingApproval")
    permits.approve("daypass-six")
    permits.free("waits")
    running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    answer = permits.bed.request("PATCH", f"{permits.core('pods')}/waits/status", running, headers=MERGE)
    assert answer.status == 200, answer.message
    assert permits.review("daypass-six", "Revoke", "carol").status == 200
    permits.until("daypass-six", "Revoked")
    assert "could not be evicted yet" in permits.noted("waits", "RequestEnded")
    assert permits.found("waits") is not None
    permits.bed.kubectl("delete", "poddisruptionbudget", "keep", "-n", permits.namespace)
    permits.bed.wait_until(lambda: permits.found("waits") is None, 60, what="evicted")


def test_pods_stay_where_no_policy_says_otherwise(permits: Permits) -> None:
    permits.allow()
    permits.workload("daypass-seven", permits.pod("waits"), seconds=10)
    permits.until("daypass-seven", "AwaitingApproval")
    permits.approve("daypass-seven")
    permits.free("waits")
    permits.until("daypass-seven", "Expired", timeout=25)
    time.sleep(1)
    assert permits.found("waits") is not None


def test_request_ends_when_its_workload_goes(permits: Permits) -> None:
    permits.allow()
    permits.may_edit("alice")
    owner, (pod,) = permits.replicas("work")
    permits.workload("daypass-eight", permits.pod("bare"))
    permits.workload("daypass-nine", pod, owner=owner)
    for name in ("daypass-eight", "daypass-nine"):
        permits.until(name, "AwaitingApproval")
    permits.noted("bare", "Held")
    permits.removed("pods", "bare")
    permits.until("daypass-eight", "Failed", timeout=25)
    assert (
        permits.condition("daypass-eight", "Ready")["message"]
        == "WorkloadGone: the pod that waited for it is gone, or has changed."
    )
    permits.bed.kubectl("delete", "replicaset", "work", "-n", permits.namespace)
    permits.until("daypass-nine", "Failed", timeout=60)
    assert (
        f"WorkloadGone: ReplicaSet {permits.namespace}/work is gone."
        in permits.condition("daypass-nine", "Ready")["message"]
    )


def test_nobody_but_the_webhook_and_the_controller_writes_uses(permits: Permits) -> None:
    permits.allow()
    permits.workload("mine", permits.pod("free", held=False))
    permits.until("mine", "AwaitingApproval")
    use = {"key": "x", "kind": "Pod", "name": "x", "uid": "x", "time": "2026-01-01T00:00:00Z", "confirmed": True}
    for user in ("alice", "bob"):
        answer = permits.bed.request(
            "PATCH", f"{permits.path('mine')}/status", {"status": {"uses": [use]}}, user=user, headers=MERGE
        )
        assert answer.status == 403
