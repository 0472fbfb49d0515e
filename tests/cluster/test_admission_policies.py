"""Writing policies: what can't work, or is looser than it reads, is refused with the path of the field."""

import json
from typing import Any

import pytest

from cluster.admission import Desk


def _stage(**parts: object) -> dict[str, Any]:
    return {"name": "team", "approvers": {"groups": ["approvers"]}, **parts}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"approvals": [_stage(approvers={})]}, "a stage needs approvers"),
        ({"approvals": [_stage(approvers={"groups": []})]}, "spec.approvals[0].approvers.groups"),
        ({"approvals": [_stage(approvers={"groups": ["system:authenticated"]})]}, "must not start with system:"),
        ({"approvals": [_stage(approvers={"users": ["bob"]}, required=2)]}, "could never be satisfied"),
        ({"approvals": None}, "exactly one of autoApprove: true and approvals"),
    ],
    ids=["none", "empty", "everybody", "too few", "no stage"],
)
def test_t10_a_policy_that_nobody_could_approve_is_refused(desk: Desk, spec: dict[str, Any], told: str) -> None:
    said = desk.write_policy(desk.policy(f"{desk.namespace}-bad", **spec))
    assert not said.done
    assert told in said.error


def test_t10_two_stages_for_one_person_are_refused(desk: Desk) -> None:
    stages = [_stage(approvers={"users": ["bob"]}), _stage(name="security", approvers={"users": ["bob"]})]
    assert desk.write_policy(desk.policy(f"{desk.namespace}-bad", approvals=stages)).reason == (
        "spec.approvals: the stages list too few people: one person fills one place in a policy"
    )


@pytest.mark.parametrize(
    ("where", "unknown"),
    [
        (lambda spec: spec, "spec.nameSpaces"),
        (lambda spec: spec["match"], "spec.match.nameSpaces"),
        (lambda spec: spec["approvals"][0], "spec.approvals[0].nameSpaces"),
        (lambda spec: spec["approvals"][0]["approvers"], "spec.approvals[0].approvers.nameSpaces"),
    ],
    ids=["spec", "match", "stage", "approvers"],
)
def test_t19_an_unknown_field_is_refused_with_its_path(desk: Desk, where: Any, unknown: str) -> None:  # noqa: ANN401
    body = desk.policy(f"{desk.namespace}-bad")
    where(body["spec"])["nameSpaces"] = ["shop"]
    said = desk.bed.kubectl("create", "--validate=false", "-f", "-", input=json.dumps(body), check=False)
    assert said.returncode != 0
    assert f"{unknown}: unknown field" in said.stderr


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("request.tickt == 'x'", "request.tickt"),
        ("request.ticket", "bool"),
        ("request.ticket ==", "spec.match.conditions[0].expression"),
        ("request.ticket.matches('(')", "spec.match.conditions[0].expression"),
    ],
    ids=["typo", "not bool", "syntax", "pattern"],
)
def test_t19_an_expression_that_cannot_be_judged_is_refused(desk: Desk, expression: str, told: str) -> None:
    body = desk.policy(f"{desk.namespace}-bad")
    body["spec"]["match"]["conditions"] = [{"expression": expression, "message": "needs a ticket"}]
    said = desk.write_policy(body)
    assert said.reason.startswith("spec.match.conditions[0].expression: ")
    assert told in said.reason


def test_t10_policies_that_step_aside_in_a_circle_are_refused(desk: Desk) -> None:
    first, second = f"{desk.namespace}-one", f"{desk.namespace}-two"

    def policy(name: str, other: str) -> dict[str, Any]:
        body = desk.policy(name)
        body["spec"]["match"]["unless"] = [other]
        return body

    said = desk.write_policy(policy(first, second))
    assert said.done
    assert said.error == (
        f"Warning: spec.match.unless[0]: there is no policy {second}: what this policy matches stays undecided\n"
    )
    desk.bed.wait_until(
        lambda: not desk.write_policy(policy(second, first)).done, what="the webhook hears of the first"
    )
    assert desk.write_policy(policy(second, first)).reason == (
        "spec.match.unless: leads back to this policy: in a circle each would step aside for the next"
    )


def test_a_gate_for_what_nobody_may_ask_for_is_written_with_a_warning(desk: Desk) -> None:
    gate = {"workloads": {"namespaces": [desk.namespace], "privileges": ["HostPorts"], "onMissing": "Deny"}}
    said = desk.write_policy(desk.policy(f"{desk.namespace}-gate", gate=gate))
    assert said.done
    assert said.error.startswith(
        "Warning: spec.gate.workloads.privileges[0]: no Allow policy here lets anybody ask for HostPorts: "
    )


def test_all_violations_are_told_at_once(desk: Desk) -> None:
    body = desk.policy(f"{desk.namespace}-bad", limits={"ticketPattern": "("})
    body["spec"]["match"]["conditions"] = [{"expression": "1", "message": "m"}]
    said = desk.write_policy(body)
    assert "spec.match.conditions[0].expression" in said.reason
    assert "spec.limits.ticketPattern" in said.reason


def test_t49_a_policy_nested_without_end_is_refused(desk: Desk) -> None:
    deep = json.dumps(desk.policy(f"{desk.namespace}-bad")).replace(
        '"effect"', '"deep": ' + '{"a":' * 3000 + "1" + "}" * 3000 + ', "effect"'
    )
    answer = desk.bed.request("POST", "/apis/daypass.dev/v1alpha1/approvalpolicies", deep)
    assert answer.status >= 400
    assert desk.ask("still-up").done
