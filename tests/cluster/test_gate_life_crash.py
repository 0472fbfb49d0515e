"""Killed between any two calls of a release: no second use, no pod forgotten (T37); many pods at a time (P13)."""

from collections import Counter
from datetime import UTC, datetime
from urllib.request import urlopen

import pytest

from bed import Bed
from cluster.leases import free_lease
from cluster.permits import Permits
from cluster.proxy import Proxy

HELD = "labelSelector=daypass.dev/held%3Dtrue"
RELEASE = ["status with the uses", "pod"]


@pytest.fixture
def permits(cluster: Bed, namespace: str) -> Permits:
    return Permits(cluster, namespace)


@pytest.mark.parametrize("pods", [1, 3])
def test_t37_killed_between_any_two_calls_of_a_release(proxy: Proxy, permits: Permits, pods: int) -> None:
    permits.allow()
    proxy.controller.start()
    for point in range(1, len(RELEASE) + pods):
        held = [permits.pod(f"p-{point}-{number}", image=f"registry.invalid/{point}") for number in range(pods)]
        name = f"daypass-{point}"
        permits.workload(name, held[0], pods=pods)
        permits.until(name, "AwaitingApproval")
        killed = point < len(RELEASE) + pods - 1
        proxy.kill_at(point if killed else None)
        permits.approve(name)
        if killed:
            proxy.restart()
        status = permits.until(name, "Active")
        for pod in held:
            permits.free(pod["metadata"]["name"], 60)
        uses = permits.uses(name)
        assert sorted(use["uid"] for use in uses) == sorted(pod["metadata"]["uid"] for pod in held)
        assert all(use["confirmed"] for use in uses)
        assert permits.status(name)["expirationTime"] == status["expirationTime"]


def test_t37_killed_after_the_uses_and_away_until_the_end_lets_nothing_go(proxy: Proxy, permits: Permits) -> None:
    permits.allow()
    proxy.controller.start()
    pod = permits.pod("waits")
    permits.workload("daypass-late", pod, seconds=10)
    permits.until("daypass-late", "AwaitingApproval")
    permits.noted("waits", "Held")  # the controller knows of the pod: its use is in the write that begins the permit
    proxy.kill_at(1)
    permits.approve("daypass-late")
    proxy.bed.wait_until(lambda: proxy.controller.pid is None, what="killed")
    assert len(permits.uses("daypass-late")) == 1
    assert permits.held("waits")
    end = datetime.fromisoformat(permits.status("daypass-late")["expirationTime"])
    proxy.bed.wait_until(lambda: datetime.now(UTC) > end, 25, what="its time is over")
    free_lease(proxy.bed)
    proxy.controller.start()
    permits.until("daypass-late", "Expired")
    assert "Stays held" in permits.noted("waits", "HoldContinues")
    assert permits.held("waits")


def test_p13_five_hundred_held_pods_of_one_owner(cluster: Bed, permits: Permits) -> None:
    permits.allow()
    permits.may_edit("alice")
    cluster.controller.terminate()  # so many pods at once may keep a busy API server from renewing its Lease
    owner, pods = permits.replicas("work", 500)
    cluster.controller.start()
    permits.workload("daypass-many", pods[0], pods=500, owner=owner)
    permits.until("daypass-many", "AwaitingApproval")
    cluster.wait_until(lambda: _known(cluster) >= 500, what="the controller has heard of all")
    before = _written(permits)
    permits.approve("daypass-many")
    path = f"{permits.core('pods')}?{HELD}&limit=1"
    cluster.wait_until(lambda: not cluster.request("GET", path).json["items"], 120, what="all are let go")
    assert len(permits.uses("daypass-many")) == 500
    assert _written(permits) - before == Counter(accessrequests=1, pods=500), "the state and all uses at once"


def test_p13_one_held_pod_at_a_time(permits: Permits) -> None:
    permits.allow()
    for number in range(3):
        pod = permits.pod(f"p-{number}", image=f"registry.invalid/{number}")
        permits.workload(f"daypass-{number}", pod)
        permits.until(f"daypass-{number}", "AwaitingApproval")
        before = _written(permits)
        permits.approve(f"daypass-{number}")
        permits.free(f"p-{number}")
        written = _written(permits) - before
        assert written["pods"] == 1
        assert written["accessrequests"] in {1, 2}, "the uses are in the write that begins the permit, or in the next"


def _known(cluster: Bed) -> float:
    """How many held pods the controller knows of, which it says every few seconds."""
    with urlopen(f"http://127.0.0.1:{cluster.controller_health}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("daypass_held_pods "))


def _written(permits: Permits) -> Counter[str]:
    """What the controller has patched here, by resource."""
    controller = "system:serviceaccount:daypass-system:daypass-controller"
    return Counter(
        str(event["objectRef"]["resource"])
        for event in permits.bed.audit_events(permits.namespace)
        if (event["user"]["username"], event["verb"]) == (controller, "patch")
        and event["objectRef"].get("namespace") == permits.namespace
    )
