"""Requests for a workload or an action from asking to the answer: policies, risk, and whose answer counts."""

from typing import Any

import pytest

from bed import Bed
from cluster.errands import TEAM, Errand

WEBHOOK = "daypass-system/daypass-webhook"
WORKLOAD = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes:/etc"]}
DELETION = {"verb": "delete", "group": "", "resource": "persistentvolumeclaims", "name": "data"}
PODS = {"grants": {"workload": {"privileges": ["HostPathVolumes:/etc", "HostPorts"]}}}
ANYBODY = {"requesters": None}
"""Who made a workload is known by name, not by group."""
ACTIONS = {"grants": {"actions": [{"verbs": ["delete"], "groups": [""], "resources": ["persistentvolumeclaims"]}]}}


@pytest.fixture
def errand(cluster: Bed, namespace: str) -> Errand:
    return Errand(cluster, namespace)


def ask(errand: Errand, name: str, **spec: Any) -> None:  # noqa: ANN401 - fields of spec
    """As alice, who asks before she runs into the gate."""
    _create(errand, {"metadata": {"name": name}, "spec": spec}, "alice")


def made(errand: Errand, name: str, **workload: Any) -> None:  # noqa: ANN401 - fields of workload
    """As Daypass's webhook makes a request for what a gate held, with alice behind it."""
    who = {"username": "alice", "groups": ["developers", "system:authenticated"]}
    subject = {"kind": "User", "name": "alice"}
    spec = {"workload": WORKLOAD | workload, "requester": who, "subject": subject}
    _create(errand, {"metadata": {"name": name, "labels": {"daypass.dev/cause": "c" * 40}}, "spec": spec}, WEBHOOK)


def _create(errand: Errand, body: dict[str, Any], user: str) -> None:
    kind = {"apiVersion": "daypass.dev/v1alpha1", "kind": "AccessRequest"}
    spec = {"durationSeconds": 60, "reason": "To see it work", **body["spec"]}
    answer = errand.bed.request("POST", errand.path(), {**kind, **body, "spec": spec}, user=user)
    assert answer.status == 201, answer.message


def test_leave_for_a_workload_is_given_by_whom_the_policy_asks(errand: Errand) -> None:
    errand.policy(match=PODS)
    ask(errand, "report", workload=WORKLOAD)
    status = errand.until("report", "AwaitingApproval")
    assert status["access"] == "HostPathVolumes:…"
    assert status["risk"]["level"] == "Critical"
    assert "HostPathVolumes:/etc" in status["risk"]["findings"][0]
    errand.approve("report")
    status = errand.until("report", "Active")
    assert "objects" not in status
    assert status["expirationTime"]


def test_t09_leave_for_more_than_a_policy_lists_is_denied(errand: Errand) -> None:
    errand.policy(match=PODS)
    ask(errand, "report", workload={**WORKLOAD, "privileges": ["HostPorts", "HostPathVolumes:/"]})
    errand.until("report", "Denied")
    assert "permission for pods of ServiceAccount agent to use" in errand.condition("report", "Ready")["message"]


def test_leave_for_an_operation_is_given_by_whom_the_policy_asks(errand: Errand) -> None:
    errand.policy(match=ACTIONS)
    ask(errand, "drop", action=DELETION)
    status = errand.until("drop", "AwaitingApproval")
    assert (status["access"], status["risk"]["level"]) == ("delete persisten…", "Medium")
    errand.approve("drop")
    errand.until("drop", "Active")
    ask(errand, "drop-another", action={**DELETION, "verb": "update"})
    errand.until("drop-another", "Denied")


def test_t55_who_made_the_workload_does_not_approve_it(errand: Errand) -> None:
    errand.policy(match=PODS | ANYBODY)
    made(errand, "daypass-report", authors=["alice", "bob"], findings=["runs busybox:1.37: sh -c id"])
    status = errand.until("daypass-report", "AwaitingApproval")
    assert status["risk"]["findings"][0] == "runs busybox:1.37: sh -c id"
    refused = errand.review("daypass-report", user="bob")
    assert refused.status == 403
    assert "you made or changed this workload: somebody else must answer" in refused.message
    errand.approve("daypass-report", "carol")
    errand.until("daypass-report", "Active")


def test_t69_nobodys_single_approval_suffices_where_an_author_is_unknown(errand: Errand) -> None:
    errand.policy(match=PODS | ANYBODY, approvals=[TEAM])
    made(errand, "daypass-report", authors=["alice"], authorsUnknown=True)
    status = errand.until("daypass-report", "AwaitingApproval")
    assert [stage["required"] for stage in status["stages"]] == [2]
    errand.approve("daypass-report", "bob")
    errand.bed.wait_until(lambda: errand.status("daypass-report")["stages"][0].get("approvedBy") == ["bob"])
    assert errand.state("daypass-report") == "AwaitingApproval"
    errand.approve("daypass-report", "carol")
    errand.until("daypass-report", "Active")
