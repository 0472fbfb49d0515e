"""A request's life on the real API server: every way through the table of states."""

import re
import threading
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest

from bed import Bed
from cluster.errands import TEAM, Errand, Json


@pytest.fixture
def errand(cluster: Bed, namespace: str) -> Errand:
    return Errand(cluster, namespace)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_ask_approve_bind_expire(errand: Errand) -> None:
    policy = errand.policy(approvals=[{**TEAM, "required": 2}])
    assert not errand.may()
    uid = errand.ask("fix", seconds=10, ticket="OPS-1")
    status = errand.until("fix", "AwaitingApproval")
    message = errand.condition("fix", "Ready")["message"]
    assert f"policy {policy}, stage team (0 of 2): group approvers" in message
    assert re.fullmatch("[0-9a-f]{64}", status["digest"])
    assert status["risk"]["level"]
    assert _moment(status["pendingDeadlineTime"]) > datetime.now(UTC)
    assert [one["name"] for one in status["policies"]] == [policy]
    errand.approve("fix", "bob")
    errand.bed.wait_until(lambda: "(1 of 2)" in errand.condition("fix", "Ready")["message"])
    assert not errand.may()
    errand.approve("fix", "carol")
    errand.bed.kubectl("wait", "--for=condition=Ready", "areq/fix", "-n", errand.namespace, "--timeout=25s")
    assert errand.may()
    status = errand.status("fix")
    begin, end = _moment(status["startTime"]), _moment(status["expirationTime"])
    assert end - begin == timedelta(seconds=10)
    job, binding = errand.job(uid), errand.binding(uid)
    assert job is not None
    assert binding is not None
    assert job["metadata"]["ownerReferences"][0]["uid"] == uid
    assert binding["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    assert binding["metadata"]["annotations"]["daypass.dev/expiration-time"] == status["expirationTime"]
    assert [one["kind"] for one in status["objects"]] == ["Job", "RoleBinding"]
    errand.bed.wait_until(lambda: errand.binding(uid) is None, 25)
    assert datetime.now(UTC) - end < timedelta(seconds=2)
    status = errand.until("fix", "Expired")
    assert not errand.may()
    errand.gone(uid)
    assert status["endTime"] == status["expirationTime"]
    kinds = {one["type"]: one["status"] for one in status["conditions"]}
    assert kinds == {"Approved": "True", "Granted": "False", "Ready": "False", "Stalled": "True"}
    assert "bob, carol" in errand.condition("fix", "Approved")["message"]
    errand.bed.wait_until(lambda: {"AccessGranted", "AccessEnded"} <= set(errand.events("fix")))
    lines = [line for line in errand.bed.controller.log.splitlines() if uid in line and '"decision"' in line]
    assert len(lines) == 3


def test_rules_are_granted_by_a_role_of_their_own(cluster: Bed, namespace: str) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    cluster.install({"grantableRules": [rule]})
    errand = Errand(cluster, namespace)
    errand.policy(match={"grants": {"rules": [rule]}}, autoApprove=True)
    uid = errand.ask("read", rules=[{**rule, "resourceNames": ["settings"]}])
    status = errand.until("read", "Active")
    assert [one["kind"] for one in status["objects"]] == ["Job", "Role", "RoleBinding"]
    assert errand.object("roles", uid)["rules"][0]["resourceNames"] == ["settings"]  # type: ignore[index]
    errand.review("read", "Release", "alice")
    errand.until("read", "Released")
    errand.gone(uid)
    cluster.install()


def test_rules_that_the_operator_does_not_hold_are_refused_by_name(errand: Errand) -> None:
    rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["delete"]}
    policy = errand.policy(match={"grants": {"rules": [rule]}}, autoApprove=True)
    errand.ask("too-much", rules=[rule])
    errand.until("too-much", "Failed")
    assert "delete deployments.apps" in errand.condition("too-much", "Ready")["message"]
    errand.bed.wait_until(lambda: _policy_state(errand, policy) == "NotGrantable")


def test_policy_approves_by_itself(errand: Errand) -> None:
    policy = errand.policy(autoApprove=True)
    errand.ask("auto")
    errand.until("auto", "Active")
    assert errand.condition("auto", "Approved")["message"] == f"Approved by policy {policy}."


def test_deny_policy_denies_with_its_message(errand: Errand) -> None:
    errand.policy(autoApprove=True)
    condition = {"expression": "request.ticket == ''", "message": "no ticket, no access"}
    errand.policy("no", effect="Deny", match={"conditions": [condition]})
    errand.ask("denied")
    status = errand.until("denied", "Denied")
    assert "no ticket, no access" in errand.condition("denied", "Ready")["message"]
    assert errand.condition("denied", "Stalled")["status"] == "True"
    assert status["endTime"]


def test_no_policy_denies(errand: Errand) -> None:
    errand.ask("nobody-allows")
    errand.until("nobody-allows", "Denied")
    assert errand.condition("nobody-allows", "Ready")["message"] == (
        f"no policy lets alice be granted ClusterRole view in namespace {errand.namespace}"
    )


def test_one_deny_is_final(errand: Errand) -> None:
    errand.policy(approvals=[{**TEAM, "required": 2}])
    errand.ask("fix")
    errand.until("fix", "AwaitingApproval")
    errand.approve("fix", "bob")
    assert errand.review("fix", "Deny", "carol", "not today").status == 200
    errand.until("fix", "Denied")
    assert errand.condition("fix", "Ready")["message"] == "Denied by carol: not today"
    assert errand.review("fix", "Approve", "dave").status >= 400


def test_nobody_answers_in_time(errand: Errand) -> None:
    errand.policy(limits={"pendingTimeoutSeconds": 10})
    errand.ask("slow")
    status = errand.until("slow", "AwaitingApproval")
    created = _moment(errand.get("slow")["metadata"]["creationTimestamp"])
    assert _moment(status["pendingDeadlineTime"]) - created == timedelta(seconds=10)
    errand.until("slow", "TimedOut", timeout=25)


def test_starts_later(errand: Errand) -> None:
    errand.policy()
    start = (datetime.now(UTC) + timedelta(seconds=10)).replace(microsecond=0)
    uid = errand.ask("later", startTime=start.strftime("%Y-%m-%dT%H:%M:%SZ"))
    errand.until("later", "AwaitingApproval")
    errand.approve("later")
    errand.until("later", "Scheduled")
    assert errand.binding(uid) is None
    assert errand.condition("later", "Approved")["status"] == "True"
    status = errand.until("later", "Active")
    assert start <= _moment(status["startTime"]) <= start + timedelta(seconds=2)


def test_revoked_by_an_approver_at_once(errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix")
    errand.review("fix", "Revoke", "carol", "enough")
    errand.until("fix", "Revoked", timeout=25)
    assert errand.binding(uid) is None
    errand.gone(uid)


def test_released_by_the_agent_at_once(errand: Errand) -> None:
    errand.policy()
    agent = f"{errand.namespace}/agent"
    uid = errand.grant("fix", agent)
    assert errand.may(agent)
    assert errand.review("fix", "Release", agent).status == 200
    errand.until("fix", "Released", timeout=25)
    assert errand.binding(uid) is None


def test_released_while_it_waits_was_never_approved(errand: Errand) -> None:
    errand.policy()
    errand.ask("fix")
    errand.until("fix", "AwaitingApproval")
    assert errand.review("fix", "Release", "alice").status == 200
    errand.until("fix", "Released")
    assert errand.condition("fix", "Approved")["status"] == "False"


def test_t14_policy_edit_voids_reviews_and_leaves_active_grants_alone(errand: Errand) -> None:
    errand.policy(approvals=[{**TEAM, "required": 2}])
    errand.ask("waiting")
    first = errand.until("waiting", "AwaitingApproval")["digest"]
    errand.approve("waiting", "bob")
    errand.bed.wait_until(lambda: "(1 of 2)" in errand.condition("waiting", "Ready")["message"])
    errand.policy()
    errand.bed.wait_until(lambda: "(0 of 1)" in errand.condition("waiting", "Ready")["message"])
    assert errand.status("waiting")["digest"] != first
    errand.bed.wait_until(lambda: "ReviewVoid" in errand.events("waiting"))
    errand.approve("waiting", "carol")
    errand.until("waiting", "Active")
    errand.policy(approvals=[{**TEAM, "required": 2}])
    errand.policy("no", effect="Deny")
    errand.ask("next", role={"kind": "ClusterRole", "name": "edit"})
    errand.until("next", "Denied")
    assert errand.state("waiting") == "Active"


def test_limit_on_active_grants_holds_for_requests_of_one_instant(errand: Errand) -> None:
    errand.policy(roles=[{"kind": "ClusterRole", "name": name} for name in ("view", "edit")], autoApprove=True,
                  limits={"maxActivePerSubject": 1})  # fmt: skip
    names = {"a": "view", "b": "edit"}
    threads = [
        threading.Thread(target=errand.ask, args=(name,), kwargs={"role": {"kind": "ClusterRole", "name": role}})
        for name, role in names.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = sorted(errand.bed.wait_until(lambda n=name: _settled(errand, n)) for name in names)  # type: ignore[misc]
    assert states == ["Active", "Denied"]


def _settled(errand: Errand, name: str) -> str:
    state = errand.state(name)
    return state if state in {"Active", "Denied"} else ""


def test_policy_and_request_applied_in_the_same_instant(cluster: Bed, namespace: str) -> None:
    for number in range(20):
        errand = Errand(cluster, namespace)
        writing = threading.Thread(
            target=errand.policy,
            args=(f"at-once-{number}",),
            kwargs={"autoApprove": True, "match": {"conditions": [_condition(number)]}},
        )
        manifests = _both(errand, number)
        writing.start()
        cluster.kubectl_apply(manifests)
        writing.join()
        errand.until(f"together-{number}", "Active")


def _condition(number: int) -> Json:
    return {"expression": f"request.ticket == 'T-{number}'", "message": "another ticket"}


def _both(errand: Errand, number: int) -> Json:
    """What ``kubectl apply -f folder`` sends: the policy first, the request right after it."""
    spec = {
        "effect": "Allow",
        "autoApprove": True,
        "match": {
            "namespaces": [errand.namespace],
            "requesters": [{"kind": "User", "name": "*"}],
            "grants": {"roles": [{"kind": "ClusterRole", "name": "view"}]},
            "conditions": [_condition(number)],
        },
    }
    policy = {"kind": "ApprovalPolicy", "metadata": {"name": f"listed-{errand.namespace}-{number}"}, "spec": spec}
    request = {
        "kind": "AccessRequest",
        "metadata": {"name": f"together-{number}", "namespace": errand.namespace},
        "spec": {
            "role": {"kind": "ClusterRole", "name": "view"},
            "durationSeconds": 600 + number,
            "reason": "both at once",
            "ticket": f"T-{number}",
            "startTime": f"2020-01-01T00:00:{number:02}Z",
        },
    }
    items = [{"apiVersion": "daypass.dev/v1alpha1", **one} for one in (policy, request)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _policy_state(errand: Errand, policy: str) -> str:
    found = errand.bed.get("approvalpolicies", policy) or {}
    conditions = found.get("status", {}).get("conditions", [])
    return next((str(one["reason"]) for one in conditions if one["type"] == "Ready"), "")


def test_policy_says_whether_it_works(errand: Errand) -> None:
    good = errand.policy("good", autoApprove=True)
    errand.bed.wait_until(lambda: _policy_state(errand, good) == "Ready")
    unbound = errand.policy("unbound", roles=[{"kind": "ClusterRole", "name": "cluster-admin"}])
    errand.bed.wait_until(lambda: _policy_state(errand, unbound) == "NotGrantable")
    unknown = errand.policy("unknown", match={"unless": ["nobody-wrote-this"]})
    errand.bed.wait_until(lambda: _policy_state(errand, unknown) == "UnknownPolicy")


def test_t19_expression_that_fails_leaves_the_request_undecided(errand: Errand) -> None:
    condition = {"expression": "request.namespaceLabels['tier'] == 'gold'", "message": "gold only"}
    policy = errand.policy(match={"conditions": [condition]}, autoApprove=True)
    errand.ask("gold")
    errand.until("gold", "Undecided")
    errand.bed.wait_until(lambda: _policy_state(errand, policy) == "ExpressionFailed")
    errand.bed.kubectl("label", "namespace", errand.namespace, "tier=gold")
    errand.until("gold", "Active")


def test_what_cannot_be_decided_can_be_given_up(errand: Errand) -> None:
    condition = {"expression": "request.namespaceLabels['tier'] == 'gold'", "message": "gold only"}
    errand.policy(match={"conditions": [condition]}, autoApprove=True)
    errand.ask("gold")
    errand.until("gold", "Undecided")
    assert errand.review("gold", "Release", "alice").status == 200
    errand.until("gold", "Released")


def test_finished_requests_are_deleted_after_their_retention_time(cluster: Bed, errand: Errand) -> None:
    errand.policy(autoApprove=True)
    errand.ask("fix")
    errand.until("fix", "Active")
    assert errand.review("fix", "Release", "alice").status == 200
    errand.until("fix", "Released")
    cluster.controller.terminate()
    cluster.controller.command += ["--retention-seconds", "5"]
    try:
        cluster.controller.start()
        cluster.wait_until(lambda: errand.bed.request("GET", errand.path("fix")).status == 404, 30)
    finally:
        cluster.controller.terminate()
        del cluster.controller.command[-2:]
        cluster.controller.start()
        cluster.controller.wait_ready()


def test_nothing_is_written_when_a_controller_starts_and_nothing_has_changed(cluster: Bed, errand: Errand) -> None:
    errand.policy()
    errand.ask("waiting", "erin")
    errand.until("waiting", "AwaitingApproval")
    errand.grant("active")
    errand.ask("denied", role={"kind": "ClusterRole", "name": "edit"})
    errand.until("denied", "Denied")
    names = ("waiting", "active", "denied")
    before = [errand.get(name)["metadata"]["resourceVersion"] for name in names]
    cluster.controller.terminate()
    count = len(_writes(errand))
    cluster.controller.start()
    cluster.controller.wait_ready()
    errand.grant("after", seconds=30)
    assert [errand.get(name)["metadata"]["resourceVersion"] for name in names] == before
    assert len(_writes(errand)) - count == 4


def _writes(errand: Errand) -> list[Json]:
    """All writes of the controller in this namespace, but Events."""
    return [
        event
        for event in errand.bed.audit_events(errand.namespace)
        if event["user"]["username"].endswith(":daypass-controller")
        and event["stage"] == "ResponseComplete"
        and event["verb"] in {"create", "update", "patch", "delete"}
        and event["objectRef"].get("namespace") == errand.namespace
        and event["objectRef"]["resource"] != "events"
    ]


def test_figures_of_the_controller(cluster: Bed, errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix", seconds=10)

    def figures() -> dict[str, float]:
        with urlopen(f"http://127.0.0.1:{cluster.controller_health}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    cluster.wait_until(lambda: figures()["daypass_grants_active"] >= 1)
    assert figures()["daypass_controller_leading"] == 1
    assert figures()['daypass_requests{reason="Active"}'] >= 1
    cluster.wait_until(lambda: errand.binding(uid) is None)
    assert figures()["daypass_bindings_overdue"] == 0
    assert figures()["daypass_grant_end_lateness_seconds_count"] >= 1
