"""Decides what is wrong with what a policy says of workloads and operations, beyond what its schema can say.

A gate that covers what the cluster runs on would stop it (T45), and a privilege or resource that there is not leaves a
gate open.
"""

from collections.abc import Iterable, Iterator, Sequence

from daypass.domain import gate_bounds, globs, privileges, resources
from daypass.domain.gate_bounds import Bounds
from daypass.domain.policy import ActionGate, ActionPattern, Effect, IdentityPattern, Policy, WorkloadGate
from daypass.domain.violations import Violation

_ACCOUNTS = "system:serviceaccounts:"


def violations(policy: Policy, bounds: Bounds) -> Iterator[Violation]:
    """Every privilege and resource that there is not, and everything that the gate names and may not, each once."""
    return iter(dict.fromkeys(_violations(policy, bounds)))


def doubtful(policy: Policy) -> tuple[Violation, ...]:
    """Resources that Daypass does not know and that may be there all the same: a warning."""
    return tuple(_slips(policy, certain=False))


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


def unanswerable(policy: Policy, others: Iterable[Policy]) -> tuple[Violation, ...]:
    """What the gate stops and no Allow policy lets anybody ask for: a warning, for that policy may be elsewhere.

    Looked at is whether some Allow policy speaks of it at all, in a namespace of the gate; conditions and requesters
    are not.
    """
    gate = policy.gate
    if gate is None:
        return ()
    found: list[Violation] = []
    allowing = [one for one in (policy, *others) if one.effect is Effect.ALLOW and one.match.grants is not None]
    if gate.workloads is not None:
        granted = [
            pattern
            for one in allowing
            if one.match.grants is not None and _share_namespace(one, gate.workloads.namespaces)
            for pattern in one.match.grants.privileges
        ]
        found += [
            Violation(f"spec.gate.workloads.privileges[{at}]", _nobody(pattern))
            for at, pattern in enumerate(gate.workloads.privileges)
            if not any(privileges.overlaps(one, pattern) for one in granted)
        ]
    listed = [pattern for one in allowing if one.match.grants is not None for pattern in one.match.grants.actions]
    found += [
        Violation(
            f"spec.gate.actions[{at}]", _nobody(f"{', '.join(one.pattern.verbs)} {', '.join(one.pattern.resources)}")
        )
        for at, one in enumerate(gate.actions)
        if not any(_share_operation(one.pattern, pattern) for pattern in listed)
    ]
    return tuple(found)


def _nobody(what: str) -> str:
    return f"no Allow policy here lets anybody ask for {what}: what the gate stops could never be approved"


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
        if pattern.kind == "Group" and pattern.name.startswith(_ACCOUNTS):
            namespace = pattern.name.removeprefix(_ACCOUNTS)
        if pattern.kind != "ServiceAccount" and gate_bounds.covers_component(pattern.name):
            yield Violation(
                f"{path}[{at}].name",
                f"{pattern.name} covers nodes or components of the cluster, which can't be gated: name the agents",
            )
        elif namespace == gate_bounds.KUBE_SYSTEM:
            yield Violation(
                f"{path}[{at}]", "ServiceAccounts of kube-system can't be gated: the cluster needs them to run"
            )
        elif namespace == bounds.own_namespace:
            yield Violation(
                f"{path}[{at}]", f"ServiceAccounts of {namespace} can't be gated: Daypass itself runs as them"
            )


def _share_namespace(policy: Policy, gated: Sequence[str]) -> bool:
    allowed = policy.match.namespaces
    return allowed is None or any(globs.intersect_freely(one, other) for one in allowed for other in gated)


def _share_operation(gated: ActionPattern, granted: ActionPattern) -> bool:
    return (
        any(verb in granted.verbs for verb in gated.verbs)
        and ("*" in granted.groups or any(group in granted.groups for group in gated.groups))
        and any(globs.intersect_freely(one, other) for one in gated.resources for other in granted.resources)
    )
