"""Requests for a workload or an action, their uses, and gates: between JSON and domain values."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.case_tables import cases
from builders import a_person, a_subject
from daypass.api import convert, fields
from daypass.domain.identity import Identity, subject_of
from daypass.domain.policy import (
    ActionGate,
    ActionPattern,
    Gate,
    GateMode,
    IdentityPattern,
    OnExpiry,
    OnMissing,
    OwnerKind,
    WorkloadGate,
)
from daypass.domain.request import ActionGrant, OwnerReference, Use, WorkloadGrant

DIGEST = "ab" * 32
TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALL_OF_WORKLOAD = WorkloadGrant(
    service_account_name="agent",
    privileges=("HostNamespaces:hostPID", "HostPathVolumes:/var/log"),
    pod_template_digest=DIGEST,
    max_pods=7,
    owner=OwnerReference("batch/v1", "Job", "node-check", "u-1"),
    authors=("alice", "system:serviceaccount:shop:agent"),
    authors_unknown=True,
    findings=("runs busybox:1.37",),
)
ALL_OF_ACTION = ActionGrant("connect", "", "pods", "exec", "web-1", DIGEST, 3, ("runs sh",), ("eve",), ("ops",))
EXEC = ActionPattern(("connect",), ("",), ("pods/exec",))


def stored(body: dict[str, Any], **status: object) -> dict[str, Any]:
    """As the API server gives it back."""
    metadata = {**body["metadata"], "uid": "u-2", "generation": 1, "creationTimestamp": "2026-01-31T12:00:00Z"}
    return {**body, "metadata": metadata, "status": status}


def a_manifest(grant: WorkloadGrant | ActionGrant) -> dict[str, Any]:
    alice = a_person("alice", uid="a-1")
    return convert.request_json(
        "shop",
        "daypass-1",
        grant,
        reason="Job node-check uses the node",
        duration_seconds=600,
        requester=alice,
        subject=subject_of(alice),
        labels={"daypass.dev/cause": "c"},
    )


@pytest.mark.parametrize(
    "grant",
    [
        ALL_OF_WORKLOAD,
        WorkloadGrant("default", ("HostPorts:80",)),
        ALL_OF_ACTION,
        ActionGrant("delete", "apps", "deployments", "", "web"),
        ActionGrant("delete", "", "pods", "", "web"),
    ],
)
def test_a_request_that_was_written_is_read_as_it_was(grant: WorkloadGrant | ActionGrant) -> None:
    body = a_manifest(grant)
    request = convert.request_from(stored(body))
    assert request.grant == grant
    assert request.permits
    assert request.requester == Identity("alice", "a-1", ("developers", "system:authenticated"))
    assert request.subject == a_subject("alice")
    assert (request.duration_seconds, request.reason) == (600, "Job node-check uses the node")
    assert body["metadata"]["labels"] == {"daypass.dev/cause": "c"}


def test_what_a_person_pastes_says_no_more_than_it_must() -> None:
    grant = replace(WorkloadGrant("agent", ("HostPathVolumes:/etc",)), pod_template_digest=DIGEST)
    body = convert.request_json("shop", "node-check", grant, reason="why", duration_seconds=900)
    assert body == {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "node-check", "namespace": "shop"},
        "spec": {
            "workload": {
                "serviceAccountName": "agent",
                "privileges": ["HostPathVolumes:/etc"],
                "podTemplateDigest": DIGEST,
                "maxPods": 1,
            },
            "durationSeconds": 900,
            "reason": "why",
        },
    }
    action = convert.grant_json(ActionGrant("delete", "", "pods", "", "web"))
    assert action == {"action": {"group": "", "verb": "delete", "resource": "pods", "name": "web", "maxUses": 1}}


def test_uses_come_back_as_they_were() -> None:
    uses = (
        Use("u-1", "Pod", "web-1", "u-1", TIME),
        Use("u-1@77", "PersistentVolumeClaim", "data", "u-1", TIME, confirmed=True),
    )
    body = stored(a_manifest(ALL_OF_WORKLOAD), uses=[convert.use_json(use) for use in uses])
    assert convert.request_from(body).record.uses == uses


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_t15_no_finding_hides_what_it_says(text: str) -> None:
    body = a_manifest(replace(ALL_OF_WORKLOAD, findings=(text,)))
    if fields.is_plain(text) and text:
        assert convert.request_from(stored(body)).grant == replace(ALL_OF_WORKLOAD, findings=(text,))
    else:
        with pytest.raises(convert.MalformedError, match="findings"):
            convert.request_from(stored(body))


def policy(**spec: object) -> dict[str, Any]:
    base = cases("approvalpolicies", "accepted")[0].body
    return {**base, "spec": {**base["spec"], **spec}}


def test_a_gate_is_read_whole() -> None:
    match = {"grants": {"workload": {"privileges": ["Baseline"]}, "actions": [_exec(names=["web-*"])]}}
    gate = {
        "mode": "Audit",
        "workloads": {
            "namespaces": ["shop"],
            "agents": [{"kind": "ServiceAccount", "name": "agent"}, {"kind": "Group", "name": "agents"}],
            "ownerKinds": [{"group": "batch", "kind": "Job"}],
            "podLabels": {"b": "2", "a": "1"},
            "privileges": ["HostPorts", "Restricted"],
            "onMissing": "Hold",
            "request": True,
        },
        "actions": [_exec(by=[{"kind": "User", "name": "a"}], request=True)],
    }
    read = convert.policy_from(policy(match=match, gate=gate, grant={"onExpiry": "Evict"}))
    assert read.on_expiry is OnExpiry.EVICT
    assert read.match.grants is not None
    assert read.match.grants.privileges == ("Baseline",)
    assert read.match.grants.actions == (replace(EXEC, names=("web-*",)),)
    assert read.gate == Gate(
        GateMode.AUDIT,
        WorkloadGate(
            ("shop",),
            ("HostPorts", "Restricted"),
            (IdentityPattern("ServiceAccount", "agent"), IdentityPattern("Group", "agents")),
            (OwnerKind("batch", "Job"),),
            (("a", "1"), ("b", "2")),
            OnMissing.HOLD,
            request=True,
        ),
        (ActionGate(("*",), EXEC, (IdentityPattern("User", "a"),), request=True),),
    )


def test_what_a_gate_does_not_say_is_the_least_surprise() -> None:
    read = convert.policy_from(policy(gate={"workloads": {"privileges": ["HostPorts"]}, "actions": [_exec()]}))
    assert read.gate == Gate(GateMode.ENFORCE, WorkloadGate(("*",), ("HostPorts",)), (ActionGate(("*",), EXEC),)), (
        "everybody, everywhere, and refused"
    )
    assert read.on_expiry is OnExpiry.KEEP
    assert convert.policy_from(policy()).gate is None


def test_a_gate_has_the_namespaces_of_the_match_where_it_names_none() -> None:
    match = {"namespaces": ["shop", "shop-*"], "grants": {"workload": {"privileges": ["HostPorts"]}}}
    gate = {"workloads": {"privileges": ["HostPorts"]}, "actions": [_exec(), _exec(namespaces=["other"])]}
    read = convert.policy_from(policy(match=match, gate=gate)).gate
    assert read is not None
    assert read.workloads is not None
    assert read.workloads.namespaces == ("shop", "shop-*")
    assert [one.namespaces for one in read.actions] == [("shop", "shop-*"), ("other",)]


@pytest.mark.parametrize(
    ("gate", "path"),
    [
        ({"workload": {"privileges": ["HostPorts"]}}, "spec.gate.workload"),
        ({"workloads": {"privileges": ["HostPorts"], "privilege": []}}, "spec.gate.workloads.privilege"),
        ({"workloads": {"privileges": ["HostPorts"], "agents": [{"kind": "User", "name": "a", "uid": "1"}]}}, "uid"),
        ({"workloads": {"privileges": ["HostPorts"], "namespaces": None}}, "spec.gate.workloads"),
        ({"actions": [{"verbs": ["delete"], "groups": [""], "resources": ["pods"], "name": "a"}]}, "[0].name"),
    ],
)
def test_t19_a_field_that_is_not_known_is_refused_with_its_path(gate: dict[str, Any], path: str) -> None:
    with pytest.raises(convert.MalformedError) as caught:
        convert.policy_from(policy(gate=gate))
    assert any(path in violation.path for violation in caught.value.violations)


def _exec(**more: object) -> dict[str, Any]:
    return {"verbs": ["connect"], "groups": [""], "resources": ["pods/exec"], **more}
