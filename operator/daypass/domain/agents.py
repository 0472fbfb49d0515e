"""Decides whether a pod is an agent's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daypass.domain import globs, names
from daypass.domain.authors import Authors
from daypass.domain.identity import Identity
from daypass.domain.policy import IdentityPattern, OwnerKind, WorkloadGate


@dataclass(frozen=True, slots=True)
class Signs:
    """By what a pod may be known as an agent's."""

    namespace: str
    service_account: str
    labels: Mapping[str, str]
    caller: Identity | None
    """Who makes or changes it; None for a known controller, which only does what the owner says."""
    kinds: tuple[OwnerKind, ...] = ()
    """Of the objects that own it and that are above its controller, as far as they are known."""


def is_agents(gate: WorkloadGate, signs: Signs) -> bool:
    """Whether a pod is an agent's whoever the authors of its workload are.

    Rule: its ServiceAccount or its caller is named; a gate that names nobody means everybody. Labels and kinds of
    owners only ever add pods, for whoever makes the pod chooses them (T40).
    """
    agents = gate.agents
    if agents is None:
        return True
    account = Identity(names.service_account_username(signs.namespace, signs.service_account))
    if _named(agents, account, signs.namespace):
        return True
    if signs.caller is not None and _named(agents, signs.caller, signs.namespace, signs.caller.groups):
        return True
    return _is_added(gate, signs)


def is_by_agents(gate: WorkloadGate, authors: Authors, namespace: str) -> bool:
    """Whether somebody who had a hand in the workload is, or may be, an agent."""
    if gate.agents is None or authors.unknown:
        # Fail closed: somebody whom nobody recorded may be an agent (T69).
        return True
    return any(_named(gate.agents, Identity(username), namespace) for username in authors.usernames)


def _is_added(gate: WorkloadGate, signs: Signs) -> bool:
    if gate.pod_labels and all(signs.labels.get(key) == value for key, value in gate.pod_labels):
        return True
    return any(kind in gate.owner_kinds for kind in signs.kinds)


def _named(
    patterns: Iterable[IdentityPattern], who: Identity, namespace: str, groups: tuple[str, ...] | None = None
) -> bool:
    """Whether one of the patterns names somebody; ``groups`` None where only the username is known."""
    account = who.service_account
    for pattern in patterns:
        match pattern.kind:
            case "ServiceAccount":
                # Without a namespace it means one of the pod's own.
                if account is not None and _fits(pattern, account, namespace):
                    return True
            case "User":
                if globs.matches(pattern.name, who.username):
                    return True
            case _:
                if _in_group(pattern.name, account, groups):
                    return True
    return False


def _fits(pattern: IdentityPattern, account: tuple[str, str], namespace: str) -> bool:
    return globs.matches(pattern.namespace or namespace, account[0]) and globs.matches(pattern.name, account[1])


def _in_group(pattern: str, account: tuple[str, str] | None, groups: tuple[str, ...] | None) -> bool:
    if groups is not None:
        return globs.any_matches(pattern, groups)
    if account is None:
        # Fail closed: a person's groups are not recorded with their name, so they may be in this one.
        return True
    return globs.any_matches(pattern, names.account_groups(account[0]))
