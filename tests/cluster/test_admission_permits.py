"""Asking for leave to run a workload or to do one operation: what only Daypass says of it, and who never approves it."""

import json
from typing import Any

import pytest

from bed.http import Response
from cluster.admission import Desk

WEBHOOK = "daypass-system/daypass-webhook"
WORKLOAD = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes:/etc"]}
DELETION = {"verb": "delete", "group": "", "resource": "persistentvolumeclaims", "name": "data"}
OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "node-check", "uid": "u-1"}


def _made(desk: Desk, name: str = "daypass-1", **workload: object) -> Response:
    """As Daypass's webhook makes a request for what a gate refused, with alice behind it."""
    body = desk.manifest(name, metadata={"labels": {"daypass.dev/cause": "c" * 40}}, role=None)
    who = {"username": "alice", "groups": ["developers", "system:authenticated"]}
    body["spec"] |= {"workload": WORKLOAD | workload, "requester": who, "subject": {"kind": "User", "name": "alice"}}
    path = f"/apis/daypass.dev/v1alpha1/namespaces/{desk.namespace}/accessrequests"
    return desk.bed.request("POST", path, body, WEBHOOK)


@pytest.mark.parametrize("spec", [{"workload": WORKLOAD}, {"action": DELETION}], ids=["workload", "action"])
def test_anybody_may_ask_for_a_permit(desk: Desk, spec: dict[str, Any]) -> None:
    assert desk.ask(role=None, **spec).done
    stored = desk.get()["spec"]
    assert stored["requester"]["username"] == stored["subject"]["name"] == "alice"
    ((kind, asked),) = spec.items()
    assert stored[kind].items() >= asked.items()


@pytest.mark.parametrize(
    ("privileges", "told"),
    [
        (["HostPathVolume"], "spec.workload.privileges[0]: there is no privilege 'HostPathVolume' (did you mean"),
        (["HostPorts", "hostnetwork"], "spec.workload.privileges[1]: there is no privilege 'hostnetwork'"),
        (["Baseline"], "spec.workload.privileges[0]: Baseline is a profile: ask for the controls"),
        (["Capabilities:net_admin"], "spec.workload.privileges[0]: Capabilities names capabilities in capitals"),
    ],
)
def test_a_privilege_that_there_is_not_is_refused_with_a_hint(desk: Desk, privileges: list[str], told: str) -> None:
    said = desk.ask(role=None, workload={**WORKLOAD, "privileges": privileges})
    assert said.reason.startswith(told)


@pytest.mark.parametrize(
    ("group", "resource", "told"),
    [
        ("", "pvc", 'there is no resource pvc in the core group, ""; did you mean persistentvolumeclaims?'),
        ("", "deployments", 'deployments are in group apps, not in the core group, ""'),
    ],
)
def test_a_resource_that_there_is_not_is_refused_with_a_hint(desk: Desk, group: str, resource: str, told: str) -> None:
    said = desk.ask(role=None, action={**DELETION, "group": group, "resource": resource})
    assert said.reason == f"spec.action.resource: {told}"


@pytest.mark.parametrize(
    "spec",
    [
        {"workload": {**WORKLOAD, "owner": OWNER}},
        {"workload": {**WORKLOAD, "authors": ["bob"]}},
        {"workload": {**WORKLOAD, "authorsUnknown": False}},
        {"workload": {**WORKLOAD, "findings": ["runs nothing at all"]}},
        {"action": {**DELETION, "findings": ["removes nothing"]}},
        {"action": {**DELETION, "parties": ["bob"]}},
        {"action": {**DELETION, "partyGroups": []}},
    ],
)
@pytest.mark.parametrize("user", ["alice", "admin"])
def test_t55_what_daypass_says_of_a_request_nobody_else_says(desk: Desk, user: str, spec: dict[str, Any]) -> None:
    said = desk.ask("fix", user, role=None, **spec)
    assert said.error.startswith("Error from server (Forbidden)")
    assert "Daypass's own word" in said.error
    assert "leave " in said.error


@pytest.mark.parametrize(
    ("name", "metadata", "told"),
    [
        ("daypass-0123456789abcdef0123", {}, "are for requests that Daypass makes itself"),
        ("", {"name": None, "generateName": "daypass-"}, "are for requests that Daypass makes itself"),
        ("fix", {"labels": {"daypass.dev/cause": "c" * 40}}, "daypass.dev/cause is"),
    ],
)
@pytest.mark.parametrize("user", ["alice", "admin"])
def test_t56_nobody_takes_the_place_of_a_request_that_daypass_makes(
    desk: Desk, user: str, name: str, metadata: dict[str, Any], told: str
) -> None:
    body = desk.manifest(name, metadata=metadata)
    body["metadata"] = {key: value for key, value in body["metadata"].items() if value is not None}
    path = f"/apis/daypass.dev/v1alpha1/namespaces/{desk.namespace}/accessrequests"
    answer = desk.bed.request("POST", path, body, user)
    assert answer.status == 403
    assert told in answer.message


def test_t16_a_permit_that_is_asked_for_already_is_refused_however_many_pods_it_wants(desk: Desk) -> None:
    assert desk.ask("first", role=None, workload=WORKLOAD).done
    more = {**WORKLOAD, "maxPods": 5}
    said = desk.ask("second", role=None, workload=more, reason="Again")
    assert said.reason == "first already asks for the same and waits for an answer"
    assert desk.ask("third", role=None, workload={**WORKLOAD, "serviceAccountName": "other"}).done


def test_t55_an_author_of_the_workload_is_told_that_somebody_else_must_answer(desk: Desk) -> None:
    assert _made(desk, owner=OWNER, authors=["alice", "bob"]).status == 201
    desk.evaluate("daypass-1")
    for decision in ("Approve", "Deny"):
        said = desk.review(decision, "bob", name="daypass-1")
        assert said.reason == (
            "you made or changed this workload: somebody else must answer, whatever groups you are in"
        )
    assert desk.review("Approve", "carol", name="daypass-1").done


def test_t01_uses_are_closed_to_everybody_who_writes_status(desk: Desk) -> None:
    assert desk.ask(role=None, workload=WORKLOAD).done
    desk.evaluate()
    use = {"key": "u-1", "kind": "Pod", "name": "a", "uid": "u-1", "time": "2026-01-01T00:00:00Z"}
    for user in ("bob", "admin"):
        said = desk.patch(json.dumps({"status": {"uses": [use]}}), user)
        assert not said.done
        assert "status" in said.reason


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        (
            {"workloads": {"privileges": ["HostPathVolume:/etc"]}},
            "spec.gate.workloads.privileges[0]: there is no privilege 'HostPathVolume' (did you mean HostPathVolumes?)",
        ),
        (
            {"workloads": {"namespaces": ["daypass-system"], "privileges": ["HostPorts"]}},
            "spec.gate.workloads.namespaces[0]: daypass-system can't be gated: Daypass itself runs there",
        ),
        (
            {"workloads": {"privileges": ["HostPorts"], "agents": [{"kind": "Group", "name": "system:*"}]}},
            "spec.gate.workloads.agents[0].name: system:* covers nodes or components of the cluster",
        ),
        (
            {
                "actions": [
                    {
                        "verbs": ["delete"],
                        "groups": [""],
                        "resources": ["pods"],
                        "by": [{"kind": "ServiceAccount", "namespace": "daypass-system", "name": "daypass-controller"}],
                    }
                ]
            },
            "spec.gate.actions[0].by[0]: ServiceAccounts of daypass-system can't be gated: Daypass itself runs as them",
        ),
        (
            {"workloads": {"privileges": ["HostPorts"], "namespaces": ["kube-system"]}},
            'spec.gate.workloads.namespaces[0]: Invalid value: "kube-system": kube-system can\'t be gated',
        ),
        (
            {"actions": [{"verbs": ["update"], "groups": ["coordination.k8s.io"], "resources": ["leases"]}]},
            "operations on this API group can't be gated",
        ),
        (
            {"actions": [{"verbs": ["delete"], "groups": ["*"], "resources": ["*"]}]},
            "spec.gate.actions[0].resources[0]",
        ),
    ],
)
def test_t45_a_gate_for_what_the_cluster_runs_on_is_refused(desk: Desk, gate: dict[str, Any], told: str) -> None:
    said = desk.write_policy(desk.policy(f"{desk.namespace}-gate", gate=gate))
    assert not said.done
    assert told in said.error


def test_t45_namespaces_of_the_match_are_no_way_round(desk: Desk) -> None:
    gate = {"workloads": {"privileges": ["HostPorts"]}}
    match = {"namespaces": ["shop", "kube-system"], "grants": {"workload": {"privileges": ["HostPorts"]}}}
    said = desk.write_policy(desk.policy(f"{desk.namespace}-gate", gate=gate, match=match))
    assert said.reason == "spec.match.namespaces[1]: kube-system can't be gated: the cluster needs it to run"


def test_t41_a_gate_does_not_depend_on_labels_of_namespaces(desk: Desk) -> None:
    match = {"namespaceSelector": {"matchLabels": {"a": "b"}}, "grants": {"workload": {"privileges": ["HostPorts"]}}}
    gate: dict[str, Any] = {"workloads": {"privileges": ["HostPorts"]}}
    said = desk.write_policy(desk.policy(f"{desk.namespace}-gate", gate=gate, match=match))
    assert "a gate's namespaces are named" in said.error
    named = {"workloads": {**gate["workloads"], "namespaces": [desk.namespace]}}
    assert desk.write_policy(desk.policy(f"{desk.namespace}-gate", gate=named, match=match)).done
