"""What the API server asks of its own expressions, and what we decide, agree: no gated call stays with it (T44, T45, T58)."""

from typing import Any

from cel_expr_python import cel as library
from hypothesis import event, given, settings
from hypothesis import strategies as st

from daypass.app.admission.answer import Call, Operation
from daypass.app.admission.gates.operations import operations_of
from daypass.app.gates.entries import Terms, entries_of
from daypass.domain.action_gates import ActionGates
from daypass.domain.gate_bounds import Bounds
from daypass.domain.identity import Identity
from daypass.domain.policy import ActionGate, ActionPattern
from gate_builders import a_gate, someone

RBAC = "rbac.authorization.k8s.io"
ENDPOINTS = {kind: {"url": f"https://127.0.0.1:9443/{kind}", "caBundle": "Q0E="} for kind in ("gates", "holds")}
OWN = "daypass-system"
NEVER = (OWN, "kube-system")
ENVIRONMENT = library.NewEnv(
    variables={"request": library.Type.DYN, "object": library.Type.DYN, "oldObject": library.Type.DYN}
)
RESOURCES = {
    "persistentvolumeclaims": ("", True),
    "persistentvolumeclaims/status": ("", True),
    "persistentvolumes": ("", False),
    "namespaces": ("", False),
    "namespaces/finalize": ("", False),
    "pods/exec": ("", True),
    "services/proxy": ("", True),
    "serviceaccounts/token": ("", True),
    "rolebindings": (RBAC, True),
    "clusterrolebindings": (RBAC, False),
}
"""Of each the group, and whether it is of a namespace."""
PLACES = ("shop", "shop-eu", "other", "kube-system")
NAMES = ("data", "data:80", "https:data:80", "logs", "shop", "other", "system:data")
PEOPLE = (
    *("User/alice", "User/system:serviceaccount:shop:agent", "User/*", "Group/bots"),
    *("Group/system:serviceaccounts:shop", "Group/system:serviceaccounts:*"),
    *("shop/agent", "*/agent", "/agent", "sh*/a*"),
)
CALLERS = (
    *(Identity(f"system:serviceaccount:{place}:agent", groups=("system:serviceaccounts",)) for place in PLACES),
    *(Identity("alice", groups=groups) for groups in ((), ("bots",), ("system:authenticated",))),
    *(Identity("system:node:one", groups=groups) for groups in ((), ("system:nodes",))),
)
SUBJECTS = (
    *({"kind": "User", "name": name} for name in ("alice", "system:serviceaccount:shop:agent", "system:anonymous")),
    *({"kind": "Group", "name": name} for name in ("bots", "system:serviceaccounts", "system:serviceaccounts:shop")),
    *({"kind": "Group", "name": name} for name in ("system:authenticated", "system:unauthenticated")),
    *({"kind": "ServiceAccount", "name": "agent", "namespace": place} for place in PLACES),
)
OWNERS = ({"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "0"},)


def some(values: Any, least: int = 1) -> st.SearchStrategy[tuple[Any, ...]]:  # noqa: ANN401 - any values
    return st.lists(st.sampled_from(values), min_size=least, max_size=3, unique_by=str).map(tuple)


@st.composite
def gates(draw: st.DrawFn) -> ActionGate:
    group = draw(st.sampled_from(("", RBAC)))
    resources = draw(some([one for one in RESOURCES if RESOURCES[one][0] == group]))
    pattern = ActionPattern(
        verbs=draw(some(("create", "update", "delete", "connect"))),
        groups=(group,),
        resources=resources,
        names=draw(st.none() | some((*NAMES, "da*", "*", "system:*"))),
    )
    people = some(PEOPLE).map(lambda found: tuple(map(someone, found)))
    return ActionGate(
        namespaces=draw(some(("shop", "other", "shop*", "*"))),
        pattern=pattern,
        by=draw(st.none() | people),
        binding_subjects=draw(st.none() | people) if group == RBAC else None,
    )


@st.composite
def calls(draw: st.DrawFn, gate: ActionGate) -> Call:
    resource = draw(st.sampled_from(gate.pattern.resources))
    group, namespaced = RESOURCES[resource]
    name = draw(st.sampled_from(NAMES))
    operation = draw(st.sampled_from([Operation(verb.upper()) for verb in gate.pattern.verbs] + [Operation.UPDATE]))
    namespace = draw(st.sampled_from(PLACES)) if namespaced else ""
    if resource.startswith("namespaces"):
        name = namespace = draw(st.sampled_from(PLACES))

    def body() -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "uid": "1"}
        if owners := draw(some(OWNERS, 0)):
            metadata["ownerReferences"] = list(owners)
        found: dict[str, Any] = {"metadata": metadata}
        if group == RBAC and (subjects := draw(some(SUBJECTS, 0))):
            found["subjects"] = list(subjects)
        return found

    whole = operation is Operation.DELETE and draw(st.booleans())
    return Call(
        operation=operation,
        resource=resource,
        caller=draw(st.sampled_from(CALLERS)),
        name="" if whole else name,
        namespace=namespace,
        object=None if operation is Operation.DELETE else {} if operation is Operation.CONNECT else body(),
        old=body() if operation in {Operation.UPDATE, Operation.DELETE} else None,
        group=group,
    )


def reaches(call: Call, webhook: dict[str, Any]) -> bool:
    """Whether the API server calls this webhook: by its rules, its selector and its conditions, as it reads them."""
    rules = [
        one
        for one in webhook["rules"]
        if call.operation.value in one["operations"]
        and call.group in one["apiGroups"]
        and call.resource in one["resources"]
    ]
    selected = not call.namespace or all(
        (call.namespace in one["values"]) is (one["operator"] == "In")
        for one in webhook["namespaceSelector"]["matchExpressions"]
    )
    request: dict[str, Any] = {
        "operation": call.operation.value,
        "resource": {"group": call.group, "resource": call.plural},
        "userInfo": {"username": call.caller.username, "groups": list(call.caller.groups)},
        "name": call.name,
        "namespace": call.namespace,
        "subResource": call.subresource,
    }
    data = {
        "request": {key: value for key, value in request.items() if value != ""},
        "object": call.object,
        "oldObject": call.old,
    }
    return (
        bool(rules)
        and selected
        and all(
            ENVIRONMENT.compile(one["expression"]).eval(data=data).value() is True for one in webhook["matchConditions"]
        )
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_t58_every_call_that_a_gate_concerns_reaches_us(data: st.DataObject) -> None:
    gate = data.draw(gates())
    call = data.draw(calls(gate))
    policy = a_gate("p", None, gate)
    concerned = [one for one in operations_of(call) if ActionGates([policy], NEVER).of(one)]
    of_the_cluster = call.plural == "namespaces" and call.namespace in NEVER
    event(f"concerned: {bool(concerned)}")
    (webhook,) = entries_of(policy, Terms(ENDPOINTS, Bounds(OWN))).gates
    assert reaches(call, dict(webhook)) or not concerned or of_the_cluster


def test_t58_a_call_on_a_namespace_has_its_name_where_others_have_their_namespace() -> None:
    gate = ActionGate(("shop",), ActionPattern(("delete",), ("",), ("namespaces",)), by=(someone("/agent"),))
    (webhook,) = entries_of(a_gate("p", None, gate), Terms(ENDPOINTS, Bounds(OWN))).gates
    for username, comes in (("system:serviceaccount:shop:agent", True), ("system:serviceaccount:shop:robot", False)):
        call = Call(Operation.DELETE, "namespaces", Identity(username), "doomed", "doomed", old={}, group="")
        assert reaches(call, dict(webhook)) is comes
