"""Killed, cut off, doubled: whatever happens to the controller, each request comes to its right end."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bed import Bed
from bed.daypass import controller_process
from bed.ports import reserve
from cluster.errands import Errand, Json
from cluster.leases import LEASE, free_lease
from cluster.proxy import Proxy

READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}


@pytest.fixture
def errand(cluster: Bed, namespace: str) -> Errand:
    return Errand(cluster, namespace)


GRANT = ["status", "Job", "RoleBinding", "status"]
END = ["RoleBinding", "Job", "status"]


def test_t37_killed_between_any_two_calls_of_a_grant(proxy: Proxy, errand: Errand) -> None:
    proxy.bed.install({"grantableRules": [READ]})
    errand.policy()
    errand.policy("rules", match={"grants": {"rules": [READ]}})
    proxy.controller.start()
    for rules in (False, True):
        for point in range(1, len(GRANT) + 1 + rules):
            name = f"grant-{point}{'-rules' if rules else ''}"
            proxy.kill_at(point)
            what: Json = {"rules": [READ]} if rules else {}
            uid = errand.ask(name, seconds=120, **what)
            if point == 1:
                proxy.restart()
            errand.until(name, "AwaitingApproval")
            errand.approve(name)
            if point > 1:
                proxy.restart()
            status = errand.until(name, "Active")
            _whole(errand, uid, status)
            assert errand.review(name, "Release", "alice").status == 200
            errand.until(name, "Released")
            errand.gone(uid)
    proxy.bed.install()


def _whole(errand: Errand, uid: str, status: dict[str, str]) -> None:
    """One Job, one binding, one end, and that end never later than from the approval on."""
    binding, job = errand.binding(uid), errand.job(uid)
    assert binding is not None
    assert job is not None
    for one in (binding, job):
        assert one["metadata"]["annotations"]["daypass.dev/expiration-time"] == status["expirationTime"]
    begin = datetime.fromisoformat(status["startTime"])
    assert datetime.fromisoformat(status["expirationTime"]) - begin == timedelta(seconds=120)
    assert binding["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]


def test_t37_killed_between_any_two_calls_of_an_end(proxy: Proxy, errand: Errand) -> None:
    errand.policy()
    proxy.controller.start()
    for point in range(1, len(END) + 1):
        for state, decision, who in (("Released", "Release", "alice"), ("Revoked", "Revoke", "carol")):
            name = f"end-{point}-{state.lower()}"
            uid = errand.grant(name)
            proxy.kill_at(point)
            assert errand.review(name, decision, who).status == 200
            proxy.restart()
            errand.until(name, state)
            errand.gone(uid)


def test_t37_killed_after_the_binding_and_away_until_its_end_grants_nothing_twice(proxy: Proxy, errand: Errand) -> None:
    errand.policy()
    proxy.controller.start()
    uid = errand.ask("once", seconds=10)
    errand.until("once", "AwaitingApproval")
    proxy.kill_at(2)
    errand.approve("once")
    errand.bed.wait_until(lambda: proxy.controller.pid is None)
    assert errand.binding(uid) is not None
    assert errand.state("once") == "AwaitingApproval"
    errand.bed.wait_until(lambda: errand.binding(uid) is None, 30, what="ended by Kubernetes alone")
    proxy.restart()
    errand.until("once", "Expired")
    assert errand.binding(uid) is None


def test_t30_killed_before_the_deadline_and_the_binding_is_gone_all_the_same(cluster: Bed, errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix", seconds=10)
    end = datetime.fromisoformat(errand.status("fix")["expirationTime"])
    cluster.controller.kill()
    cluster.webhook.kill()
    cluster.wait_until(lambda: errand.binding(uid) is None, 30)
    late = (datetime.now(UTC) - end).total_seconds()
    assert 0 <= late <= 15
    assert not errand.may()
    free_lease(cluster)
    cluster.start()
    status = errand.until("fix", "Expired")
    assert status["endTime"] == status["expirationTime"]


def test_t30_overdue_grants_are_ended_first_by_a_controller_that_starts(cluster: Bed, errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix", seconds=10)
    cluster.controller.kill()
    cluster.control_plane.controller_manager.pause()
    try:
        end = datetime.fromisoformat(errand.status("fix")["expirationTime"])
        cluster.wait_until(lambda: datetime.now(UTC) > end + timedelta(seconds=1))
        assert errand.binding(uid) is not None
        free_lease(cluster)
        cluster.controller.start()
        errand.until("fix", "Expired")
        assert errand.binding(uid) is None
    finally:
        cluster.control_plane.controller_manager.resume()
    cluster.controller.wait_ready()
    errand.gone(uid)


def test_t38_standby_takes_over_and_a_leader_that_hung_writes_no_more(cluster: Bed, errand: Errand) -> None:
    errand.policy()
    errand.ask("before")
    errand.until("before", "AwaitingApproval")
    (port,) = reserve(1)
    second = controller_process(cluster.endpoint, f"127.0.0.1:{port}", name="second")
    second.start()
    second.wait_ready()
    try:
        cluster.controller.pause()
        errand.approve("before")
        status = errand.until("before", "Active")
        cluster.controller.resume()
        cluster.wait_until(lambda: cluster.controller.pid is None, what="the former leader ends")
        assert cluster.controller.exit_code == 1
        assert errand.status("before") == status
    finally:
        cluster.controller.kill()
        assert second.terminate() == 0, second.log
        cluster.controller.start()
        cluster.controller.wait_ready()
    uid = errand.get("before")["metadata"]["uid"]
    found = [
        event
        for event in cluster.audit_events(errand.namespace)
        if event["verb"] == "create"
        and event["objectRef"].get("resource") == "rolebindings"
        and event["objectRef"].get("namespace") == errand.namespace
        and uid in str(event.get("requestObject", {}).get("metadata", {}).get("name"))
    ]
    assert len(found) == 1


def test_t38_leader_that_hung_alone_ends_though_there_is_news_to_hear(cluster: Bed, errand: Errand) -> None:
    errand.policy()
    cluster.controller.pause()
    for number in range(3):
        errand.ask(f"meanwhile-{number}", role={"kind": "Role", "name": f"role-{number}"})
    time.sleep(13)
    cluster.controller.resume()
    cluster.wait_until(lambda: cluster.controller.pid is None, what="the former leader ends")
    assert cluster.controller.exit_code == 1
    free_lease(cluster)
    cluster.controller.start()
    cluster.controller.wait_ready()


def test_sigterm_releases_the_lease_and_ends_in_order(cluster: Bed) -> None:
    cluster.wait_until(lambda: cluster.request("GET", LEASE).json["spec"].get("holderIdentity"), what="it leads")
    code = cluster.controller.terminate()
    holder = cluster.request("GET", LEASE).json["spec"].get("holderIdentity", "")
    cluster.controller.start()
    cluster.controller.wait_ready()
    assert (code, holder) == (0, "")


def test_api_server_restarted_under_both_processes(cluster: Bed, errand: Errand) -> None:
    errand.policy()
    before = errand.grant("before", seconds=25)
    errand.ask("during")
    errand.until("during", "AwaitingApproval")
    cluster.control_plane.restart_api_server()
    renewed = cluster.request("GET", LEASE).json["spec"]["renewTime"]
    cluster.wait_until(lambda: _decided(cluster, renewed), what="the leader leads on, or ends")
    if cluster.controller.pid is None:  # on a slow machine the API server was away for longer than it may lead unasked
        assert cluster.controller.exit_code == 1
        cluster.controller.start()
    errand.bed.wait_until(lambda: errand.review("during").status == 200, what="reviews are possible again")
    errand.until("during", "Active")
    errand.until("before", "Expired")
    errand.gone(before)
    assert cluster.controller.pid is not None
    assert cluster.webhook.pid is not None


def _decided(cluster: Bed, renewed: str) -> bool:
    """Whether the Lease was renewed since then, or its holder is no more."""
    return cluster.controller.pid is None or cluster.request("GET", LEASE).json["spec"]["renewTime"] != renewed


def test_watches_that_are_cut_or_answered_410(proxy: Proxy, errand: Errand) -> None:
    errand.policy()
    proxy.controller.start()
    errand.grant("warm", seconds=300)
    for round_ in range(2):
        proxy.cut_watches()
        errand.grant(f"cut-{round_}", seconds=300)
    refusals = 0

    def gone(request: web.Request) -> web.Response | None:
        nonlocal refusals
        if "watch" not in request.query or refusals >= 12:
            return None
        refusals += 1
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
        return web.json_response({**status, "message": "too old resource version"}, status=410)

    proxy.fault = gone
    proxy.cut_watches()
    errand.grant("after-410", seconds=300)
    assert refusals
    assert proxy.controller.pid is not None
    uid = errand.get("warm")["metadata"]["uid"]
    errand.bed.request("DELETE", errand.object_path("rolebindings", uid))
    errand.until("warm", "Revoked")


def test_controller_ends_with_an_error_when_its_watch_of_requests_is_refused_for_good(
    proxy: Proxy, errand: Errand
) -> None:
    proxy.controller.start()
    errand.bed.wait_until(lambda: proxy.watches > 7, what="everything is watched")

    def refuse(request: web.Request) -> web.Response | None:
        if "watch" in request.query and "accessrequests" in request.path:
            return web.json_response({"kind": "Status", "code": 400, "message": "no"}, status=400)
        return None

    proxy.fault = refuse
    proxy.cut_watches()
    errand.bed.wait_until(lambda: proxy.controller.pid is None, 60, what=proxy.controller.log)
    assert proxy.controller.exit_code == 1
