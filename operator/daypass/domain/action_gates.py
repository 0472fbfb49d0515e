"""Decides which operations a gate concerns."""

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from daypass.domain import globs, names
from daypass.domain.action_patterns import is_named
from daypass.domain.authors import is_node
from daypass.domain.identity import Identity
from daypass.domain.policy import ActionGate, GateMode, IdentityPattern, Policy

COMPONENTS: Final = frozenset({"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"})
KUBE_SYSTEM_ACCOUNTS: Final = names.service_account_username(names.KUBE_SYSTEM, "")
"""How the usernames of the ServiceAccounts of kube-system begin."""
ANONYMOUS: Final = "system:anonymous"


@dataclass(frozen=True, slots=True)
class BindingSubject:
    """Whom a RoleBinding names, as it is written there: kind ServiceAccount, User or Group."""

    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, as far as gates look at it. ``namespace`` is the object's own, empty for the whole cluster."""

    verb: str
    group: str
    resource: str
    subresource: str
    name: str
    namespace: str
    caller: Identity
    subjects: tuple[BindingSubject, ...] = ()
    """Whom a binding names that it did not name before; of one that is deleted, all that it named."""

    @property
    def target(self) -> str:
        """The resource as gates name it, with its subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Concern:
    """An action gate that an operation falls under, and the policy that it belongs to."""

    policy: str
    mode: GateMode
    gate: ActionGate


class ActionGates:
    """All gates for operations, made once for each change of a policy; what no gate names costs one look-up."""

    __slots__ = ("_by_target", "_never")

    def __init__(self, policies: Iterable[Policy], never: Collection[str]) -> None:
        """``never`` are the namespaces that no gate reaches, whatever its globs say (T45)."""
        self._never = frozenset(never)
        self._by_target: dict[tuple[str, str, str], list[Concern]] = {}
        for policy in policies:
            if policy.gate is None:
                continue
            for gate in policy.gate.actions:
                concern = Concern(policy.name, policy.gate.mode, gate)
                pattern = gate.pattern
                for target in {*itertools.product(pattern.verbs, pattern.groups, pattern.resources)}:
                    self._by_target.setdefault(target, []).append(concern)

    def of(self, operation: Operation) -> tuple[Concern, ...]:
        """The gates that an operation falls under.

        Rule: all that a gate gives must fit: verb, group, resource with its subresource, name, the object's namespace
        (objects of the whole cluster have none and are always looked at), the caller, and whom a binding names. The
        cluster's own components are exempt, whatever a gate says: nobody could approve what they do, and without them
        nothing works (T45).
        """
        found = self._by_target.get((operation.verb, operation.group, operation.target))
        if found is None or operation.namespace in self._never or is_component(operation.caller):
            return ()
        return tuple(one for one in found if _fits(one.gate, operation))


def is_component(caller: Identity) -> bool:
    """Whether this is a part of the cluster itself, by the name under which it is authenticated."""
    return caller.username in COMPONENTS or caller.username.startswith(KUBE_SYSTEM_ACCOUNTS) or is_node(caller)


def gated_first(operation: Operation, concerns: Iterable[Concern]) -> Operation:
    """The same, with those subjects of a binding in front for whose sake gates look at it: who reads sees them (T44)."""
    if len(operation.subjects) < 2:  # noqa: PLR2004 - nothing to put in order
        return operation
    gates = [one.gate for one in concerns]
    front = [subject for subject in operation.subjects if any(_is_named(gate, subject, operation) for gate in gates)]
    seen = {*front}
    return replace(operation, subjects=(*front, *(one for one in operation.subjects if one not in seen)))


def _fits(gate: ActionGate, operation: Operation) -> bool:
    if not is_named(gate.pattern, operation.resource, operation.subresource, operation.name):
        return False
    if operation.namespace and not globs.matches_any(gate.namespaces, operation.namespace):
        return False
    if gate.by is not None and not any(_is(one, operation.caller, operation) for one in gate.by):
        return False
    return gate.binding_subjects is None or any(_is_named(gate, one, operation) for one in operation.subjects)


def _is_named(gate: ActionGate, subject: BindingSubject, operation: Operation) -> bool:
    return any(_names(one, subject, operation) for one in gate.binding_subjects or ())


def _is(pattern: IdentityPattern, caller: Identity, operation: Operation) -> bool:
    if pattern.kind == "Group":
        return globs.any_matches(pattern.name, caller.groups)
    if pattern.kind == "User":
        return globs.matches(pattern.name, caller.username)
    account = caller.service_account
    return account is not None and _is_account(pattern, *account, operation)


def _names(pattern: IdentityPattern, subject: BindingSubject, operation: Operation) -> bool:
    """Whether a binding to this subject gives something to whom the pattern names (T44).

    Rule: a ServiceAccount is one identity however it is spelled: as a ServiceAccount, as a User, or by a group that
    holds it; a pattern of kind Group that holds it fits it too.
    """
    if subject.kind == "Group":
        return _names_group(pattern, subject.name, operation)
    username = subject.name
    if subject.kind == "ServiceAccount":
        username = names.service_account_username(subject.namespace or operation.namespace, subject.name)
    if username == ANONYMOUS:
        return True
    account = Identity(username).service_account
    if pattern.kind == "Group":
        held = () if account is None else names.account_groups(account[0])
        return globs.any_matches(pattern.name, (*held, *names.EVERYBODY))
    if pattern.kind == "User":
        return globs.matches(pattern.name, username)
    return account is not None and _is_account(pattern, *account, operation)


def _names_group(pattern: IdentityPattern, group: str, operation: Operation) -> bool:
    if group in names.EVERYBODY:
        return True
    if pattern.kind == "Group" and globs.matches(pattern.name, group):
        return True
    if group == names.ALL_ACCOUNTS:
        return pattern.kind == "ServiceAccount" or pattern.name.startswith(
            (names.SERVICE_ACCOUNT_PREFIX, names.ALL_ACCOUNTS)
        )
    namespace = group.removeprefix(f"{names.ALL_ACCOUNTS}:")
    if namespace == group:
        return False
    if pattern.kind == "User":
        everyone = names.service_account_username(namespace, "").removesuffix(":")
        return globs.matches(pattern.name.rpartition(":")[0], everyone)
    return pattern.kind == "ServiceAccount" and _in_namespace(pattern, namespace, operation)


def _is_account(pattern: IdentityPattern, namespace: str, name: str, operation: Operation) -> bool:
    return globs.matches(pattern.name, name) and _in_namespace(pattern, namespace, operation)


def _in_namespace(pattern: IdentityPattern, namespace: str, operation: Operation) -> bool:
    """A pattern without a namespace means the object's own, and any where the object is of the whole cluster."""
    wanted = pattern.namespace or operation.namespace
    return not wanted or globs.matches(wanted, namespace)
