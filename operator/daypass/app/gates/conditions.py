"""Which calls leave the API server at all: the ``matchConditions`` of the webhooks for pods, connections and workloads.

A call that no gate can concern must not depend on us (T45), one that a gate may concern must reach us: in doubt it
does. What decides is never a label or an annotation that its author could leave out (T40): those only add calls.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from daypass.app.gates import cel
from daypass.app.gates.people import CALLER, CALLERS_GROUPS, People, account_groups, account_username
from daypass.domain import names
from daypass.domain.pod_template import PLUGIN_ANNOTATIONS, RUNTIME_ANNOTATIONS
from daypass.domain.policy import OwnerKind, WorkloadGate

Condition: TypeAlias = dict[str, str]

_LABEL: Final = cel.quoted(names.LABEL_HELD)
_HELD_FOR: Final = cel.quoted(names.ANNOTATION_HELD_FOR)
_AUTHORS: Final = cel.quoted(names.ANNOTATION_AUTHORS)
_MIRROR: Final = "'kubernetes.io/config.mirror'"
_MANY_ANNOTATIONS: Final = 1000
_EITHER_OBJECT: Final = "[object, oldObject].exists(it, it != null && {})"


def not_ourselves(own_namespace: str) -> Condition:
    """Daypass must be able to work, and to mend its own configuration, with every webhook of it dead."""
    own = [names.service_account_username(own_namespace, name) for name in (names.CONTROLLER, names.WEBHOOK)]
    return _condition("not-daypass-itself", f"!({CALLER} in {cel.listed(own)})")


def within(namespace: str, demands: Sequence[Condition]) -> list[Condition]:
    """The conditions for calls of the namespaces for which ``namespace`` holds, where no selector can name those.

    The API server evaluates every condition of every webhook, for every call of the cluster, even where the first is
    false already. So they are one then, that ends at the namespace: half the cost for the calls of all others.
    """
    if namespace == cel.TRUE:
        return list(demands)
    return [_condition("concerned", cel.both(namespace, *(demand["expression"] for demand in demands)))]


def pods(gate: WorkloadGate) -> list[Condition]:
    """CREATE and UPDATE of pods, and UPDATE of what can change their containers."""
    return within(_namespace(gate), [_NOT_A_MIRROR, _CHANGES_A_POD, *_is_an_agents(gate)])


def held(gate: WorkloadGate) -> list[Condition]:
    """CREATE of pods that may be held."""
    return within(_namespace(gate), [_NOT_A_MIRROR, *_is_an_agents(gate)])


def connections(gate: WorkloadGate) -> list[Condition]:
    """CONNECT to pods. Whose pod it is can't be seen here, so that every caller's reach us."""
    return within(_namespace(gate), [])


def authors(gate: WorkloadGate) -> list[Condition]:
    """CREATE of workloads, and UPDATE of what their pods will be, whoever makes them: all are authors (T55)."""
    return within(_namespace(gate), [_CHANGES_A_TEMPLATE])


def _namespace(gate: WorkloadGate) -> str:
    """CEL for the namespaces that globs name; what the ``namespaceSelector`` says of literal names it does not say."""
    if all("*" not in one for one in gate.namespaces) or "*" in gate.namespaces:
        return cel.TRUE
    return cel.both("has(request.namespace)", cel.fits("request.namespace", gate.namespaces))


def _condition(name: str, expression: str) -> Condition:
    return {"name": name, "expression": expression}


def _mark(place: str, key: str) -> str:
    """CEL for the value of a label or annotation of ``it``, as a list, for an empty one is not the same as none."""
    return f"(has(it.metadata.{place}) && {key} in it.metadata.{place} ? [string(it.metadata.{place}[{key}])] : [])"


def _changes(value: str) -> str:
    """CEL for whether something of ``it`` differs between the two objects."""
    return f"[oldObject].map(it, {value}) != [object].map(it, {value})"


def _obeyed_ones_change() -> str:
    """CEL for whether an annotation that nodes obey differs between the two objects.

    Of more annotations than anybody has, any change counts: a pod with tens of thousands of them must not exceed what
    a condition may cost, for then nobody could change it any more.
    """
    begin = [f"key.startsWith({cel.quoted(one)})" for one in RUNTIME_ANNOTATIONS]
    contain = [f"key.contains({cel.quoted(one)})" for one in PLUGIN_ANNOTATIONS]
    one_differs = (
        f"one.exists(key, ({cel.either(*begin, *contain)}) && !pair.all(other, key in other && other[key] == one[key]))"
    )
    return (
        "[[object, oldObject].map(it, has(it.metadata.annotations) ? it.metadata.annotations : {})].exists(pair,"
        f" pair[0] != pair[1] && pair.exists(one, size(one) > {_MANY_ANNOTATIONS} || {one_differs}))"
    )


# Static pods are the node's own: a kubelet shows them to the API server, and runs them whatever that says.
_NOT_A_MIRROR: Final = _condition(
    "not-a-nodes-mirror-pod",
    f"!(request.operation == 'CREATE' && {CALLER}.startsWith('system:node:') && 'system:nodes' in {CALLERS_GROUPS}"
    f" && has(object.metadata.annotations) && {_MIRROR} in object.metadata.annotations)",
)
# Kubernetes' own controllers change finalizers, labels and conditions of every pod all the time.
_CHANGES_A_POD: Final = _condition(
    "what-runs-or-hold-changes",
    cel.either(
        "request.operation != 'UPDATE'",
        "object.spec != oldObject.spec",
        _obeyed_ones_change(),
        _changes(_mark("labels", _LABEL)),
        _changes(_mark("annotations", _HELD_FOR)),
    ),
)
_TEMPLATE: Final = (
    "(has(it.spec.jobTemplate) ? [it.spec.jobTemplate.spec.template] : has(it.spec.template) ? [it.spec.template] : [])"
)
_CHANGES_A_TEMPLATE: Final = _condition(
    "template-or-authors-change",
    cel.either("request.operation != 'UPDATE'", _changes(_TEMPLATE), _changes(_mark("annotations", _AUTHORS))),
)


def _is_an_agents(gate: WorkloadGate) -> list[Condition]:
    """A pod of an agent, or one of which that can't be told here: whoever made its workload may be one (T43, T69)."""
    if gate.agents is None:
        return []
    people = People.of(gate.agents)
    if people.has_all_accounts():
        return []
    name = "(has(object.spec.serviceAccountName) ? string(object.spec.serviceAccountName) : 'default')"
    usernames = f"[{CALLER}, {account_username(name)}]"
    groups = f"({CALLERS_GROUPS} + {account_groups()})"
    fitting = cel.either(
        people.among(usernames, groups),
        _owned("has(owner.controller) && owner.controller", *map(_is_of_kind, gate.owner_kinds)),
        _labelled(gate.pod_labels),
        f"request.operation == 'UPDATE' && [oldObject].exists(it, {_mark('labels', _LABEL)} != []"
        f" || {_mark('annotations', _HELD_FOR)} != [])",
    )
    return [_condition("may-be-an-agents", fitting)]


def _owned(*kinds: str) -> str:
    return (
        f"has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(owner, {cel.either(*kinds)})"
    )


def _is_of_kind(kind: OwnerKind) -> str:
    group = (
        f"owner.apiVersion.startsWith({cel.quoted(f'{kind.group}/')})"
        if kind.group
        else "!owner.apiVersion.contains('/')"
    )
    return f"owner.kind == {cel.quoted(kind.kind)} && {group}"


def _labelled(labels: Sequence[tuple[str, str]]) -> str:
    if not labels:
        return cel.FALSE
    each = [
        f"{cel.quoted(key)} in it.metadata.labels && it.metadata.labels[{cel.quoted(key)}] == {cel.quoted(value)}"
        for key, value in sorted(labels)
    ]
    return _EITHER_OBJECT.format(f"has(it.metadata.labels) && {' && '.join(each)}")
