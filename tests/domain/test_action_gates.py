"""Which operations a gate concerns."""

from dataclasses import replace

import pytest

from builders import a_person, a_policy, account, group, user
from daypass.domain.action_gates import ActionGates, BindingSubject, Operation
from daypass.domain.identity import Identity
from daypass.domain.policy import ActionGate, ActionPattern, Gate, GateMode, IdentityPattern, Policy

RBAC = "rbac.authorization.k8s.io"
VOLUMES = ActionPattern(("delete",), ("",), ("persistentvolumeclaims",))
BINDINGS = ActionPattern(("create", "update"), (RBAC,), ("rolebindings", "clusterrolebindings"))
NEVER = ("kube-system", "daypass-system")


def a_gate(pattern: ActionPattern = VOLUMES, **more: object) -> Policy:
    fields: dict[str, object] = {"namespaces": ("shop", "shop-*"), **more}
    return replace(a_policy(), gate=Gate(actions=(ActionGate(pattern=pattern, **fields),)))  # type: ignore[arg-type]


def an_operation(
    text: str = "delete persistentvolumeclaims data",
    *subjects: BindingSubject,
    group_: str = "",
    namespace: str = "shop",
    caller: str | Identity = "shop/agent",
) -> Operation:
    verb, target, name = text.split()
    resource, _, subresource = target.partition("/")
    who = a_person(caller) if isinstance(caller, str) else caller
    return Operation(verb, group_, resource, subresource, name, namespace, who, subjects)


def a_binding(*subjects: BindingSubject, cluster: bool = False) -> Operation:
    kind, namespace = ("clusterrolebindings", "") if cluster else ("rolebindings", "shop")
    return an_operation(f"create {kind} more", *subjects, group_=RBAC, namespace=namespace)


def concerned(policy: Policy, operation: Operation) -> bool:
    return bool(ActionGates([policy], NEVER).of(operation))


def test_all_that_a_gate_gives_must_fit() -> None:
    gate = a_gate(replace(VOLUMES, names=("data*",)), by=(account("agent"),))
    assert concerned(gate, an_operation())
    assert concerned(gate, an_operation("delete persistentvolumeclaims data-0"))
    assert not concerned(gate, an_operation("delete persistentvolumeclaims logs"))
    assert not concerned(gate, an_operation("update persistentvolumeclaims data"))
    assert not concerned(gate, an_operation("delete persistentvolumeclaims/status data"))
    assert not concerned(gate, an_operation(group_="other.example"))
    assert not concerned(gate, an_operation(namespace="other"))
    assert not concerned(gate, an_operation(caller="shop/robot"))
    assert not concerned(gate, an_operation(caller="alice"))


def test_t58_a_subresource_is_gated_by_its_own_name() -> None:
    scale = ActionPattern(("update",), ("apps",), ("deployments/scale",))
    assert concerned(a_gate(scale), an_operation("update deployments/scale shop", group_="apps"))
    assert not concerned(a_gate(scale), an_operation("update deployments shop", group_="apps"))


@pytest.mark.parametrize("name", ["shop", "shop:80", "shop:", "http:shop:80", "https:shop:web", ":shop:80"])
def test_t58_what_a_proxy_goes_to_is_one_object_by_all_its_names(name: str) -> None:
    def named(*names: str) -> Policy:
        return a_gate(ActionPattern(("connect",), ("",), ("services/proxy", "pods/exec"), names))

    assert concerned(named("shop"), an_operation(f"connect services/proxy {name}"))
    assert concerned(named("sh*p"), an_operation(f"connect services/proxy {name}"))
    assert concerned(named(name), an_operation(f"connect services/proxy {name}"))
    assert not concerned(named("http", "80", "web"), an_operation(f"connect services/proxy {name}"))
    assert concerned(named("shop"), an_operation(f"connect pods/exec {name}")) is (name == "shop")


@pytest.mark.parametrize(
    ("by", "who", "fits"),
    [
        (account("agent", "shop"), "shop/agent", True),
        (account("agent"), "other/agent", False),
        (account("*", "*"), "other/agent", True),
        (group("system:serviceaccounts:shop"), "shop/agent", True),
        (group("developers"), "alice", True),
        (group("developers"), "bob", False),
        (user("alice"), "alice", True),
        (user("system:serviceaccount:shop:agent"), "shop/agent", True),
        (user("*"), "shop/agent", False),
    ],
)
def test_by_names_the_caller_as_it_was_authenticated(by: IdentityPattern, who: str, *, fits: bool) -> None:
    assert concerned(a_gate(by=(by,)), an_operation(caller=who)) is fits


@pytest.mark.parametrize("namespace", ["", "any"])
def test_objects_of_the_whole_cluster_are_always_looked_at(namespace: str) -> None:
    gate = a_gate(ActionPattern(("delete",), ("",), ("persistentvolumes",)), by=(account("agent"),))
    operation = an_operation("delete persistentvolumes disk", namespace=namespace)
    assert concerned(gate, operation) is (namespace == "")


@pytest.mark.parametrize("namespace", NEVER)
def test_t45_no_glob_reaches_kube_system_or_daypass_itself(namespace: str) -> None:
    assert not concerned(a_gate(namespaces=("*",)), an_operation(namespace=namespace))


@pytest.mark.parametrize(
    "caller",
    [
        "kube-system/persistent-volume-binder",
        Identity("system:kube-controller-manager"),
        Identity("system:apiserver", groups=("system:masters",)),
        Identity("system:node:one", groups=("system:nodes",)),
    ],
)
def test_t45_the_cluster_s_own_components_are_exempt(caller: str | Identity) -> None:
    assert not concerned(a_gate(namespaces=("*",)), an_operation(caller=caller))


def test_t45_a_node_is_one_by_its_name_and_its_group() -> None:
    assert concerned(a_gate(namespaces=("*",)), an_operation(caller=Identity("system:node:one")))


AGENT = BindingSubject("ServiceAccount", "agent", "shop")


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        (AGENT, True),
        (BindingSubject("ServiceAccount", "agent", ""), True),
        (BindingSubject("User", "system:serviceaccount:shop:agent"), True),
        (BindingSubject("Group", "system:serviceaccounts:shop"), True),
        (BindingSubject("Group", "system:serviceaccounts"), True),
        (BindingSubject("Group", "system:authenticated"), True),
        (BindingSubject("Group", "system:unauthenticated"), True),
        (BindingSubject("User", "system:anonymous"), True),
        (BindingSubject("ServiceAccount", "robot", "shop"), False),
        (BindingSubject("ServiceAccount", "agent", "other"), False),
        (BindingSubject("User", "agent"), False),
        (BindingSubject("User", "system:serviceaccount:other:agent"), False),
        (BindingSubject("Group", "system:serviceaccounts:other"), False),
        (BindingSubject("Group", "agents"), False),
    ],
)
@pytest.mark.parametrize(
    "pattern",
    [
        account("agent", "shop"),
        account("agen*", "sh*"),
        user("system:serviceaccount:shop:agent"),
        user("system:serviceaccount:sh*:a*t"),
    ],
)
def test_t44_a_binding_names_an_agent_however_it_is_spelled(
    pattern: IdentityPattern, subject: BindingSubject, *, names: bool
) -> None:
    gate = a_gate(BINDINGS, binding_subjects=(pattern,))
    assert concerned(gate, a_binding(subject)) is names
    assert concerned(gate, a_binding(BindingSubject("User", "alice"), subject)) is names


@pytest.mark.parametrize(
    ("pattern", "subject", "names"),
    [
        (group("agents"), BindingSubject("Group", "agents"), True),
        (group("agent*"), BindingSubject("Group", "agents"), True),
        (group("agents"), BindingSubject("Group", "people"), False),
        (group("system:serviceaccounts:shop"), AGENT, True),
        (group("system:serviceaccounts:shop"), BindingSubject("Group", "system:serviceaccounts"), True),
        (group("system:serviceaccounts:shop"), BindingSubject("ServiceAccount", "agent", "other"), False),
        (group("system:serviceaccounts:*"), BindingSubject("User", "system:serviceaccount:a:b"), True),
        (group("system:authenticated"), BindingSubject("User", "alice"), True),
        (user("ci-*"), BindingSubject("User", "ci-runner"), True),
        (user("ci-*"), BindingSubject("Group", "ci-runner"), False),
    ],
)
def test_t44_groups_and_users_are_named_too(pattern: IdentityPattern, subject: BindingSubject, *, names: bool) -> None:
    assert concerned(a_gate(BINDINGS, binding_subjects=(pattern,)), a_binding(subject)) is names


def test_t44_a_pattern_without_a_namespace_means_the_binding_s_own_and_any_for_the_whole_cluster() -> None:
    gate = a_gate(BINDINGS, binding_subjects=(account("agent"),))
    other = BindingSubject("ServiceAccount", "agent", "other")
    assert concerned(gate, a_binding(AGENT))
    assert not concerned(gate, a_binding(other))
    assert concerned(gate, a_binding(other, cluster=True))


def test_a_binding_that_names_nobody_new_is_no_concern() -> None:
    assert not concerned(a_gate(BINDINGS, binding_subjects=(account("agent"),)), a_binding())


def test_each_gate_is_told_with_its_policy_and_mode() -> None:
    one, other = a_gate(), a_gate()
    other = replace(other, name="q", gate=replace(other.gate, mode=GateMode.WARN))  # type: ignore[type-var]
    found = ActionGates([one, other], NEVER).of(an_operation())
    assert [(each.policy, each.mode) for each in found] == [("p", GateMode.ENFORCE), ("q", GateMode.WARN)]
