"""Which operations leave the API server for an action gate: its rules and its ``matchConditions``."""

from typing import Any, Final

from daypass.app.gates import cel
from daypass.app.gates.conditions import Condition, within
from daypass.app.gates.people import CALLER, CALLERS_GROUPS, NOWHERE, People
from daypass.domain import names
from daypass.domain.action_gates import ANONYMOUS, COMPONENTS, KUBE_SYSTEM_ACCOUNTS
from daypass.domain.action_patterns import PROXIES, owner_targets
from daypass.domain.policy import ActionGate

OPERATIONS: Final = {"create": "CREATE", "update": "UPDATE", "delete": "DELETE", "connect": "CONNECT"}
_RESOURCE: Final = (
    "request.resource.resource + (has(request.subResource) && request.subResource != ''"
    " ? '/' + request.subResource : '')"
)
_OWNERS: Final = "(has(it.metadata.ownerReferences) ? it.metadata.ownerReferences : [])"
_NAME: Final = (
    "(has(request.name) && request.name != '' ? [request.name] : [object, oldObject].filter(it, it != null && has(it.metadata) &&"
    " has(it.metadata.name)).map(it, string(it.metadata.name)))"
)

_NOT_THE_CLUSTER: Final = {
    "name": "not-the-cluster-itself",
    "expression": (
        f"!({CALLER} in {cel.listed(COMPONENTS)} || {CALLER}.startsWith({cel.quoted(KUBE_SYSTEM_ACCOUNTS)})"
        f" || {CALLER}.startsWith('system:node:') && 'system:nodes' in {CALLERS_GROUPS})"
    ),
}
"""As ``domain.action_gates.is_component``: nobody could approve what they do, and without them nothing works (T45)."""


def rules(gate: ActionGate) -> list[dict[str, Any]]:
    """The calls that the gate lists; where it lists ``delete``, also those by which an owner can be set.

    Whoever gives an object an owner that does not exist has the garbage collector delete it.
    """
    pattern = gate.pattern
    found = [_rule(gate, [OPERATIONS[verb] for verb in OPERATIONS if verb in pattern.verbs], sorted(pattern.resources))]
    if "delete" in pattern.verbs:
        whole = sorted(one for one in pattern.resources if "/" not in one)
        added = [one for name in whole for one in owner_targets(name)]
        unlisted = [one for one in added if "update" not in pattern.verbs or one not in pattern.resources]
        found += [_rule(gate, ["UPDATE"], unlisted)] if unlisted else []
    return found


def conditions(gate: ActionGate) -> list[Condition]:
    """What else decides: namespace, name, caller, whom a binding names; in doubt a call reaches us."""
    expressions = {
        "operation": _listed_or_sets_an_owner(gate),
        "object": _name(gate),
        "caller": _caller(gate),
        "binding-subject": _binding(gate),
    }
    given = [{"name": name, "expression": value} for name, value in expressions.items() if value != cel.TRUE]
    return within(_namespace(gate), [_NOT_THE_CLUSTER, *given])


def literal_namespaces(gate: ActionGate) -> tuple[str, ...] | None:
    """The namespaces where names alone say which; Namespaces themselves are objects of the whole cluster here."""
    named = any("*" in one for one in gate.namespaces)
    return None if named or _is_of_namespaces(gate) else gate.namespaces


def _rule(gate: ActionGate, operations: list[str], resources: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": sorted(set(gate.pattern.groups)),
        "apiVersions": ["*"],
        "operations": operations,
        "resources": list(dict.fromkeys(resources)),
        "scope": "*",
    }


def _is_of_namespaces(gate: ActionGate) -> bool:
    return "" in gate.pattern.groups and any(one.partition("/")[0] == "namespaces" for one in gate.pattern.resources)


def _listed_or_sets_an_owner(gate: ActionGate) -> str:
    if "delete" not in gate.pattern.verbs:
        return cel.TRUE
    listed = gate.pattern.resources if "update" in gate.pattern.verbs else ()
    return cel.either(
        "request.operation != 'UPDATE'",
        f"({_RESOURCE}) in {cel.listed(listed)}" if listed else cel.FALSE,
        f"[oldObject].map(it, {_OWNERS}) != [object].map(it, {_OWNERS})",
    )


def _namespace(gate: ActionGate) -> str:
    if "*" in gate.namespaces or literal_namespaces(gate) is not None:
        return cel.TRUE
    return cel.either(_nowhere(gate), cel.fits("request.namespace", gate.namespaces))


def _nowhere(gate: ActionGate) -> str:
    """CEL for whether the object is in no namespace, which a Namespace is not either."""
    if not _is_of_namespaces(gate):
        return NOWHERE
    return cel.either(NOWHERE, "request.resource.group == '' && request.resource.resource == 'namespaces'")


def _name(gate: ActionGate) -> str:
    """An object that is created may have no name yet, one of a collection that is deleted has it on itself only."""
    if gate.pattern.names is None or "*" in gate.pattern.names:
        return cel.TRUE
    # Of what a proxy goes to the name is written with a scheme and a port, or without.
    longer = cel.FALSE if PROXIES.isdisjoint(gate.pattern.resources) else "name.contains(':')"
    fit = cel.either(cel.fits("name", gate.pattern.names, colons=False), longer)
    return f"{_NAME}.all(name, {fit})"


def _caller(gate: ActionGate) -> str:
    if gate.by is None:
        return cel.TRUE
    return People.of(gate.by).among(f"[{CALLER}]", CALLERS_GROUPS, _nowhere(gate))


def _binding(gate: ActionGate) -> str:
    """Only bindings that name one of these, however they spell it: an account is a User too, and in groups (T44)."""
    if gate.binding_subjects is None:
        return cel.TRUE
    people = People.of(gate.binding_subjects)
    if people.has_everybody():
        return cel.TRUE
    everybody = cel.listed([*names.EVERYBODY, names.ALL_ACCOUNTS])
    wide = [
        f"it.kind == 'Group' && (it.name in {everybody} || it.name.startsWith('{names.ALL_ACCOUNTS}:'))",
        f"it.kind == 'User' && it.name == '{ANONYMOUS}'",
    ]
    if people.groups:
        wide.append(f"it.kind == 'ServiceAccount' || it.name.startsWith('{names.SERVICE_ACCOUNT_PREFIX}')")
    account = (
        f"it.kind == 'ServiceAccount' ? '{names.SERVICE_ACCOUNT_PREFIX}'"
        " + (has(it.namespace) ? string(it.namespace) : '') + ':' + string(it.name) : string(it.name)"
    )
    named = people.among(f"[{account}]", "(it.kind == 'Group' ? [string(it.name)] : [])")
    fitting = cel.either(*wide, named)
    return (
        "[object, oldObject].exists(whole, whole != null && has(whole.subjects)"
        f" && whole.subjects.exists(it, {fitting}))"
    )
