"""Decides what is wrong with what a policy says of workloads and operations, beyond what its schema can say.

A gate that covers what the cluster runs on would stop it (T45), and a privilege or resource that there is not leaves a
gate open.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from daypass.domain import gate_bounds, names, privileges, resources
from daypass.domain.gate_bounds import Bounds
from daypass.domain.policy import ActionGate, IdentityPattern, OnExpiry, Policy, WorkloadGate
from daypass.domain.violations import Violation

_GROUP_OF_NAMESPACE: Final = f"{names.ALL_ACCOUNTS}:"


def violations(policy: Policy, bounds: Bounds) -> Iterator[Violation]:
    """Every privilege and resource that there is not, and everything that the gate names and may not, each once."""
    return iter(dict.fromkeys(_violations(policy, bounds)))


def doubtful(policy: Policy) -> tuple[Violation, ...]:
    """Resources that Daypass does not know and that may be there all the same, and what says nothing: warnings."""
    return (*_slips(policy, certain=False), *_nobody_to_evict(policy))


def _violations(policy: Policy, bounds: Bounds) -> Iterator[Violation]:
    if policy.match.grants is not None:
        yield from _privileges("spec.match.grants.workload.privileges", policy.match.grants.privileges)
    yield from _slips(policy, certain=True)
    gate = policy.gate
    if gate is None:
        return
    inherited = policy.match.namespaces
    if gate.workloads is not None:
        at = "spec.gate.workloads"
        yield from _namespaces(gate.workloads, at, inherited, bounds)
        yield from _identities(gate.workloads.agents, f"{at}.agents", bounds)
        yield from _privileges(f"{at}.privileges", gate.workloads.privileges)
    for number, action in enumerate(gate.actions):
        at = f"spec.gate.actions[{number}]"
        yield from _namespaces(action, at, inherited, bounds)
        yield from _identities(action.by, f"{at}.by", bounds)


def _privileges(path: str, patterns: Sequence[str]) -> Iterator[Violation]:
    for at, pattern in enumerate(patterns):
        fault = privileges.fault(pattern)
        if fault:
            yield Violation(f"{path}[{at}]", fault)


def _slips(policy: Policy, *, certain: bool) -> Iterator[Violation]:
    listed = policy.match.grants.actions if policy.match.grants is not None else ()
    patterns = [(f"spec.match.grants.actions[{at}]", one) for at, one in enumerate(listed)]
    if policy.gate is not None:
        patterns += [(f"spec.gate.actions[{at}]", one.pattern) for at, one in enumerate(policy.gate.actions)]
    for path, pattern in patterns:
        for at, resource in enumerate(pattern.resources):
            found = resources.slip(resource, pattern.groups)
            if found is not None and found.certain is certain:
                yield Violation(f"{path}.resources[{at}]", found.message)


def _nobody_to_evict(policy: Policy) -> Iterator[Violation]:
    grants = policy.match.grants
    if policy.on_expiry is OnExpiry.EVICT and grants is not None and not grants.privileges:
        why = "Evict says nothing: no workload may be asked for, so there are no pods to evict"
        yield Violation("spec.grant.onExpiry", why)


def _namespaces(
    gate: WorkloadGate | ActionGate, path: str, inherited: tuple[str, ...] | None, bounds: Bounds
) -> Iterator[Violation]:
    where = "spec.match" if gate.namespaces == inherited else path
    for at, namespace in enumerate(gate.namespaces):
        why = bounds.ungated(namespace)
        if why:
            yield Violation(f"{where}.namespaces[{at}]", why)


def _identities(patterns: Sequence[IdentityPattern] | None, path: str, bounds: Bounds) -> Iterator[Violation]:
    for at, pattern in enumerate(patterns or ()):
        namespace = pattern.namespace
        if pattern.kind == "Group" and pattern.name.startswith(_GROUP_OF_NAMESPACE):
            namespace = pattern.name.removeprefix(_GROUP_OF_NAMESPACE)
        if pattern.kind != "ServiceAccount" and gate_bounds.covers_component(pattern.name):
            yield Violation(
                f"{path}[{at}].name",
                f"{pattern.name} covers nodes or components of the cluster, which can't be gated: name the agents",
            )
        elif namespace == names.KUBE_SYSTEM:
            yield Violation(
                f"{path}[{at}]", "ServiceAccounts of kube-system can't be gated: the cluster needs them to run"
            )
        elif namespace == bounds.own_namespace:
            yield Violation(
                f"{path}[{at}]", f"ServiceAccounts of {namespace} can't be gated: Daypass itself runs as them"
            )
