"""What is wrong with what a policy says of workloads and operations, each with its path and all at once."""

from dataclasses import replace

import pytest

from builders import a_policy, account, group, user
from daypass.domain.gate_bounds import Bounds
from daypass.domain.gate_rules import doubtful
from daypass.domain.policy import ActionGate, ActionPattern, Gate, IdentityPattern, OnExpiry, Policy, WorkloadGate
from daypass.domain.policy_rules import violations

BOUNDS = Bounds("daypass-system", frozenset({"kube-system", "daypass-system", "vault"}))
DELETION = ActionPattern(("delete",), ("",), ("persistentvolumeclaims",))


def gated(
    *privileges: str,
    agents: tuple[IdentityPattern, ...] | None = None,
    namespaces: tuple[str, ...] = ("shop",),
    actions: tuple[ActionGate, ...] = (),
    policy: Policy | None = None,
) -> Policy:
    workloads = WorkloadGate(namespaces, privileges, agents) if privileges else None
    return replace(policy or a_policy(), gate=Gate(workloads=workloads, actions=actions))


def told(policy: Policy) -> list[str]:
    return [str(one) for one in violations(policy, (), BOUNDS)]


@pytest.mark.parametrize(
    "policy",
    [
        gated("HostNamespaces", "HostPathVolumes:/var/*", "Baseline", "Restricted", "ServiceAccountPower:Critical"),
        gated(
            "Devices", agents=(account("*"), account("agent", "*"), user("*"), user("*@example.org"), group("agents"))
        ),
        gated("Devices", agents=(group("system:authenticated"), group("system:serviceaccounts:shop"))),
        gated("Devices", namespaces=("*",)),
        gated("Devices", namespaces=("kube-*",)),
        gated(actions=(ActionGate(("*",), DELETION, (account("*", "*"),)),)),
        a_policy(roles=(), privileges=("Baseline", "Devices:nvidia.com/*")),
    ],
)
def test_nothing_is_wrong(policy: Policy) -> None:
    assert told(policy) == []


@pytest.mark.parametrize(
    "pattern",
    [
        *("system:nodes", "system:masters", "system:*", "*:nodes", "system:kube-proxy", "*:*"),
        *("system:bootstrappers", "*:bootstrappers", "system:bootstrappers:kubeadm:default-node-token"),
        *("system:bootstrappers:*", "system:bootstrap:*", "*:*:*:*"),
    ],
)
@pytest.mark.parametrize("kind", ["User", "Group"])
def test_t45_a_pattern_that_covers_nodes_or_components_is_refused(kind: str, pattern: str) -> None:
    one = IdentityPattern(kind, pattern)
    why = f"{pattern} covers nodes or components of the cluster, which can't be gated: name the agents"
    assert told(gated("Devices", agents=(user("a"), one))) == [f"spec.gate.workloads.agents[1].name: {why}"]
    assert told(gated(actions=(ActionGate(("*",), DELETION, (one,)),))) == [f"spec.gate.actions[0].by[0].name: {why}"]


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        (account("a", "kube-system"), "ServiceAccounts of kube-system can't be gated: the cluster needs them to run"),
        (group("system:serviceaccounts:kube-system"), "ServiceAccounts of kube-system can't be gated"),
        (
            account("*", "daypass-system"),
            "ServiceAccounts of daypass-system can't be gated: Daypass itself runs as them",
        ),
        (group("system:serviceaccounts:daypass-system"), "ServiceAccounts of daypass-system can't be gated"),
    ],
)
def test_t45_accounts_that_the_cluster_or_daypass_runs_as_are_refused(agent: IdentityPattern, why: str) -> None:
    (found,) = told(gated("Devices", agents=(agent,)))
    assert found.startswith(f"spec.gate.workloads.agents[0]: {why}")


@pytest.mark.parametrize(
    ("namespace", "why"),
    [
        ("kube-system", "kube-system can't be gated: the cluster needs it to run"),
        ("daypass-system", "daypass-system can't be gated: Daypass itself runs there"),
        ("vault", "vault can't be gated: nothing is ever granted there, so nobody could approve anything"),
    ],
)
def test_t45_namespaces_that_are_never_gated_are_refused(namespace: str, why: str) -> None:
    named = ("shop-1", namespace)
    assert told(gated("Devices", namespaces=named)) == [f"spec.gate.workloads.namespaces[1]: {why}"]
    actions = (ActionGate(("*",), DELETION), ActionGate(named, DELETION))
    assert told(gated(actions=actions)) == [f"spec.gate.actions[1].namespaces[1]: {why}"]
    inherited = gated("Devices", namespaces=named, policy=a_policy(namespaces=named))
    assert told(inherited) == [f"spec.match.namespaces[1]: {why}"]


def test_a_policy_without_gate_may_speak_of_any_namespace() -> None:
    assert told(a_policy(namespaces=("kube-system", "daypass-system"))) == []


def test_privileges_that_there_are_not_are_told_with_a_hint_and_all_at_once() -> None:
    listed = a_policy(roles=(), privileges=("Baselin", "HostPorts"))
    assert told(gated("HostPathVolume", "HostPorts", "Baseline:x", policy=listed)) == [
        "spec.match.grants.workload.privileges[0]: there is no privilege 'Baselin' (did you mean Baseline?)",
        "spec.gate.workloads.privileges[0]: there is no privilege 'HostPathVolume' (did you mean HostPathVolumes?)",
        "spec.gate.workloads.privileges[2]: Baseline is a profile and takes no value",
    ]


def test_resources_that_there_are_not_are_refused_in_the_gate_and_in_what_may_be_asked_for() -> None:
    listed = a_policy(roles=(), actions=(ActionPattern(("delete",), ("",), ("pods", "pvc")),))
    gate = gated(actions=(ActionGate(("*",), ActionPattern(("delete",), ("apps",), ("deployment",))),), policy=listed)
    of_core = 'there is no resource pvc in the core group, ""'
    assert told(gate) == [
        f"spec.match.grants.actions[0].resources[1]: {of_core}; did you mean persistentvolumeclaims?",
        "spec.gate.actions[0].resources[0]: there is no resource deployment in group apps; did you mean deployments?",
    ]
    assert doubtful(gate) == ()


def test_pods_to_be_evicted_where_there_can_be_none_are_a_doubt() -> None:
    policy = replace(a_policy(), on_expiry=OnExpiry.EVICT)
    assert list(map(str, doubtful(policy))) == [
        "spec.grant.onExpiry: Evict says nothing: no workload may be asked for, so there are no pods to evict"
    ]
    assert doubtful(replace(a_policy(roles=(), privileges=("HostPorts",)), on_expiry=OnExpiry.EVICT)) == ()


def test_a_resource_that_may_be_there_is_a_doubt() -> None:
    gate = gated(actions=(ActionGate(("*",), ActionPattern(("delete",), ("apps",), ("widgets", "deployments"))),))
    assert told(gate) == []
    known = "Daypass knows no resource widgets in group apps"
    assert list(map(str, doubtful(gate))) == [f"spec.gate.actions[0].resources[0]: {known}"]


def test_a_namespace_that_both_parts_of_a_gate_inherit_is_told_once() -> None:
    named = ("kube-system",)
    gate = gated("Devices", namespaces=named, actions=(ActionGate(named, DELETION),), policy=a_policy(namespaces=named))
    assert told(gate) == ["spec.match.namespaces[0]: kube-system can't be gated: the cluster needs it to run"]
