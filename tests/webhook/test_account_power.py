"""What ServiceAccounts may do, out of RBAC's objects as the API server tells of them (T44)."""

import time
from typing import Any

import pytest

from daypass.domain.policy import RiskLevel
from daypass.kube.cache import DEAF_SECONDS
from daypass.kube.client import Client
from daypass.kube.connection import Connection
from daypass.webhook.account_power import AccountPower

EDIT = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}]
ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
VIEW = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
AGENT = {"kind": "ServiceAccount", "namespace": "shop", "name": "agent"}


class _Rbac:
    """The four caches, fed by hand as a list would."""

    def __init__(self) -> None:
        self.power = AccountPower(Client(Connection("https://127.0.0.1:1", None)))
        self.roles, self.cluster_roles, self.bindings, self.cluster_bindings = self.power.caches
        self._version = 0
        for cache in self.power.caches:
            cache.synced.set()
            cache._heard_at = time.monotonic()

    def role(self, name: str, rules: Any, namespace: str = "") -> None:  # noqa: ANN401 - JSON
        cache = self.roles if namespace else self.cluster_roles
        cache._take({"metadata": self._metadata(name, namespace), "rules": rules})

    def bind(self, role: str, subject: dict[str, str], name: str = "b", namespace: str = "", kind: str = "") -> None:
        cache = self.bindings if namespace else self.cluster_bindings
        reference = {"kind": kind or "ClusterRole", "name": role}
        cache._take({"metadata": self._metadata(name, namespace), "roleRef": reference, "subjects": [subject]})

    def of_agent(self, namespace: str = "shop") -> RiskLevel | None:
        risk = self.power.of(namespace, "agent")
        return None if risk is None else risk.level

    def why(self) -> str:
        risk = self.power.of("shop", "agent")
        assert risk is not None
        return "; ".join(risk.findings)

    def _metadata(self, name: str, namespace: str) -> dict[str, str]:
        self._version += 1
        where = {"namespace": namespace} if namespace else {}
        return {"name": name, "uid": name, "resourceVersion": str(self._version), **where}


@pytest.fixture
def rbac() -> _Rbac:
    made = _Rbac()
    made.role("edit", EDIT)
    made.role("all", ALL)
    made.role("view", VIEW)
    return made


def test_who_is_bound_to_nothing_may_do_little(rbac: _Rbac) -> None:
    assert rbac.of_agent() is RiskLevel.LOW


@pytest.mark.parametrize(
    "subject",
    [
        AGENT,
        {"kind": "ServiceAccount", "name": "agent"},
        {"kind": "User", "name": "system:serviceaccount:shop:agent"},
        {"kind": "Group", "name": "system:serviceaccounts"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
        {"kind": "Group", "name": "system:authenticated"},
    ],
)
def test_t44_however_a_binding_names_it(rbac: _Rbac, subject: dict[str, str]) -> None:
    rbac.bind("edit", subject, namespace="shop")
    assert rbac.of_agent() is RiskLevel.HIGH


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "namespace": "bank", "name": "agent"},
        {"kind": "ServiceAccount", "namespace": "shop", "name": "other"},
        {"kind": "User", "name": "agent"},
        {"kind": "Group", "name": "agent"},
        {"kind": "Group", "name": "system:serviceaccounts:bank"},
        {"kind": "Group", "name": "system:serviceaccount:shop:agent"},
    ],
)
def test_a_binding_of_somebody_else_gives_nothing(rbac: _Rbac, subject: dict[str, str]) -> None:
    rbac.bind("edit", subject, namespace="shop")
    assert rbac.of_agent() is RiskLevel.LOW


def test_the_gravest_counts_of_every_namespace_and_of_the_cluster(rbac: _Rbac) -> None:
    rbac.bind("view", AGENT, "a", namespace="shop")
    assert rbac.of_agent() is RiskLevel.LOW
    rbac.bind("edit", AGENT, "b", namespace="kube-system")
    assert rbac.of_agent() is RiskLevel.HIGH
    rbac.bind("all", AGENT, "c")
    assert rbac.of_agent() is RiskLevel.CRITICAL


def test_it_is_said_which_rule_of_which_binding_gives_the_power(rbac: _Rbac) -> None:
    rbac.bind("view", AGENT, "a", namespace="shop")
    assert rbac.why() == ""
    rbac.bind("edit", AGENT, "b", namespace="shop")
    assert rbac.why() == "RoleBinding shop/b gives ClusterRole edit, which may run workloads as other ServiceAccounts: create pods"  # fmt: skip
    rbac.role("root", ALL, namespace="bank")
    rbac.bind("root", {"kind": "Group", "name": "system:serviceaccounts"}, "c", namespace="bank", kind="Role")
    assert rbac.why() == "RoleBinding bank/c gives Role bank/root, which may do everything: * *.*"
    rbac.bind("odd", AGENT, "z")
    rbac.role("odd", "nonsense")
    assert rbac.why() == "ClusterRoleBinding z gives ClusterRole odd, which can't be read"


def test_a_role_of_a_namespace_is_another_than_a_cluster_role_of_its_name(rbac: _Rbac) -> None:
    rbac.role("edit", VIEW, namespace="shop")
    rbac.bind("edit", AGENT, namespace="shop", kind="Role")
    assert rbac.of_agent() is RiskLevel.LOW


def test_changes_are_heard_of(rbac: _Rbac) -> None:
    rbac.bind("edit", AGENT, namespace="shop")
    assert rbac.of_agent() is RiskLevel.HIGH
    rbac.role("edit", VIEW)
    assert rbac.of_agent() is RiskLevel.LOW
    rbac.role("edit", ALL)
    assert rbac.of_agent() is RiskLevel.CRITICAL
    rbac.bind("edit", {"kind": "User", "name": "alice"}, namespace="shop")
    assert rbac.of_agent() is RiskLevel.LOW
    rbac.bind("edit", AGENT, namespace="shop")
    rbac.bindings._drop("shop/b")
    assert rbac.of_agent() is RiskLevel.LOW
    assert not rbac.power._holdings


def test_a_role_that_does_not_exist_gives_nothing_until_it_does(rbac: _Rbac) -> None:
    rbac.bind("later", AGENT)
    assert rbac.of_agent() is RiskLevel.LOW
    rbac.role("later", ALL)
    assert rbac.of_agent() is RiskLevel.CRITICAL


def test_t63_a_role_that_can_not_be_read_is_critical(rbac: _Rbac) -> None:
    rbac.bind("edit", AGENT)
    assert rbac.of_agent() is RiskLevel.HIGH
    rbac.role("edit", [{"verbs": ["get"], "unknown": True}])
    assert rbac.of_agent() is RiskLevel.CRITICAL
    rbac.bind("new", AGENT)
    assert rbac.of_agent() is RiskLevel.LOW
    rbac.role("new", "nonsense")
    assert rbac.of_agent() is RiskLevel.CRITICAL


def test_t11_what_is_not_listed_yet_or_can_not_be_read_is_not_known(rbac: _Rbac) -> None:
    rbac.cluster_bindings._take({"metadata": {"name": "odd", "resourceVersion": "9"}, "subjects": [{}]})
    assert rbac.of_agent() is None
    rbac.cluster_bindings._drop("odd")
    assert rbac.of_agent() is RiskLevel.LOW
    rbac.roles.synced.clear()
    assert rbac.of_agent() is None


def test_t34_what_was_not_heard_of_for_minutes_is_not_known_any_more(rbac: _Rbac) -> None:
    rbac.bindings._heard_at -= DEAF_SECONDS / 2
    assert rbac.of_agent() is RiskLevel.LOW
    rbac.bindings._heard_at -= DEAF_SECONDS
    assert rbac.of_agent() is None


def test_it_is_watched_only_once_wanted(rbac: _Rbac) -> None:
    assert not rbac.power.wanted
    rbac.power.want()
    assert rbac.power.wanted
