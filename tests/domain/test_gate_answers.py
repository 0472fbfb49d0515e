"""What of a gate nobody could answer, or whom it takes for an agent: told as warnings."""

from dataclasses import replace

import pytest

from builders import a_deny, a_policy, account, group, user
from daypass.domain.gate_answers import warnings
from daypass.domain.policy import (
    ActionGate,
    ActionPattern,
    Expression,
    Gate,
    IdentityPattern,
    Limits,
    OnMissing,
    Policy,
    WorkloadGate,
)

DELETION = ActionPattern(("delete",), ("",), ("persistentvolumeclaims",))
LISTED = ActionPattern(("delete", "create"), ("*",), ("*",))


def gated(
    *privileges: str,
    agents: tuple[IdentityPattern, ...] | None = None,
    actions: tuple[ActionGate, ...] = (),
    on_missing: OnMissing = OnMissing.DENY,
    request: bool = False,
) -> Policy:
    named = WorkloadGate(("shop",), privileges, agents, on_missing=on_missing, request=request)
    return replace(a_policy("gate"), gate=Gate(workloads=named if privileges else None, actions=actions))


def warned(policy: Policy, *others: Policy) -> list[str]:
    return [one.path for one in warnings(policy, others)]


def test_a_gate_that_no_policy_answers_is_told() -> None:
    gate = gated("HostPorts", "Devices:nvidia.com/gpu", actions=(ActionGate(("shop",), DELETION),))
    assert warned(gate) == [
        "spec.gate.workloads.privileges[0]",
        "spec.gate.workloads.privileges[1]",
        "spec.gate.actions[0]",
    ]
    pods = a_policy("pods", roles=(), privileges=("Baseline",))
    devices = a_policy("devices", roles=(), privileges=("Devices",), namespaces=None)
    actions = a_policy("actions", roles=(), actions=(ActionPattern(("delete", "create"), ("*",), ("*",)),))
    assert warned(gate, pods, actions) == ["spec.gate.workloads.privileges[1]"]
    assert warned(gate, pods, devices, actions) == []
    assert warned(replace(gate, match=pods.match), devices, actions) == []


@pytest.mark.parametrize(
    "answer",
    [
        a_deny(roles=(), privileges=("HostPorts",)),
        a_policy("elsewhere", roles=(), privileges=("HostPorts",), namespaces=("other-*",)),
        a_policy("else", roles=(), privileges=("HostPorts:80",)),
    ],
)
def test_a_policy_answers_where_it_allows_it_in_that_namespace(answer: Policy) -> None:
    assert warned(gated("HostPorts:443"), answer) == ["spec.gate.workloads.privileges[0]"]


def test_an_upper_bound_that_is_narrower_than_the_gate_is_no_mistake() -> None:
    answer = a_policy("narrow", roles=(), privileges=("HostPathVolumes:/var/*",))
    assert warned(gated("HostPathVolumes"), answer) == []
    assert warned(a_policy()) == []


def test_of_a_profile_each_control_that_no_policy_answers_is_named() -> None:
    most = a_policy("most", roles=(), privileges=("HostPathVolumes:/var/*", "Capabilities", "HostNamespaces"))
    rest = a_policy("rest", roles=(), privileges=("PrivilegedContainers", "HostProcess", "AppArmor", "HostProbes"))
    (found,) = warnings(gated("Baseline"), (most, rest))
    lacking = "HostPorts, ProcMount, SELinux, Seccomp, Sysctls (of Baseline)"
    assert str(found).startswith(
        f"spec.gate.workloads.privileges[0]: no Allow policy here lets anybody ask for {lacking}:"
    )
    assert warned(gated("Baseline"), a_policy("all", roles=(), privileges=("Restricted", "Baseline"))) == []
    (all_of_it,) = warnings(gated("Baseline"), ())
    assert "ask for Baseline: " in str(all_of_it)


@pytest.mark.parametrize(
    "gate",
    [gated("HostPorts", "Baseline", request=True), gated("HostPorts", "Baseline", on_missing=OnMissing.HOLD)],
)
def test_requests_that_daypass_makes_are_matched_by_no_policy_that_wants_groups_or_tickets(gate: Policy) -> None:
    answer = a_policy("answer", roles=(), privileges=("Baseline",))
    match = answer.match
    groups = replace(answer, name="groups", match=replace(match, requesters=(group("devs"), group("ops"))))
    mixed = replace(answer, match=replace(match, requesters=(group("devs"), account("agent"))))
    pattern = replace(answer, name="pattern", limits=Limits(ticket_pattern="^OPS-"))
    ticketed = Expression("request . ticket != ''", "needs a ticket")
    condition = replace(answer, name="condition", match=replace(match, conditions=(ticketed,)))
    found = list(map(str, warnings(gate, (groups, pattern, condition))))
    assert [one.partition(":")[0] for one in found] == ["spec.gate.workloads"] * 2
    made = "the requests that Daypass makes for it can't be approved:"
    assert f"{made} groups names requesters by group" in found[0]
    assert "name users or ServiceAccounts, or leave match.requesters out" in found[0]
    assert f"{made} pattern, condition wants a ticket" in found[1]
    for other in (answer, mixed):
        assert warned(gate, groups, other) == []
    asked_by_people = gated("HostPorts", "Baseline")
    assert warned(asked_by_people, groups, pattern) == []


def test_the_caller_of_an_operation_is_known_with_groups_but_brings_no_ticket() -> None:
    gate = gated(actions=(ActionGate(("shop",), DELETION, request=True),))
    groups = a_policy("groups", roles=(), actions=(LISTED,), requesters=(group("devs"),))
    assert warned(gate, groups) == []
    ticketed = replace(groups, limits=Limits(ticket_pattern="^OPS-"))
    assert warned(gate, ticketed) == ["spec.gate.actions[0]"]
    assert warned(gated(actions=(ActionGate(("shop",), DELETION),)), ticketed) == []


def test_agents_that_are_a_group_are_told() -> None:
    answer = a_policy("answer", roles=(), privileges=("Devices",))
    named = (user("a"), group("agents"), group("system:serviceaccounts:shop"), account("*"))
    (found,) = warnings(gated("Devices", agents=named), (answer,))
    assert found.path == "spec.gate.workloads.agents[1]"
    assert "every person who made one is taken for a member of agents" in found.message
