"""Which operations leave the API server for an action gate: by verb, resource, name, place, caller, and whom bindings name.

Nothing of Daypass runs here: the webhook is one that only remembers who came.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from bed import Bed
from cluster.gatehouse import OWN, RBAC, Gatehouse, a_binding, a_pod
from daypass.domain.policy import ActionGate, Policy
from gate_builders import a_gate, action

CLAIMS = "/api/v1/namespaces/{}/persistentvolumeclaims"
BINDINGS = "create,update,delete rbac.authorization.k8s.io:rolebindings,clusterrolebindings"
GHOST = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "0"}


@pytest.fixture(scope="module")
def house(control_plane: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    made = Gatehouse(control_plane, tmp_path_factory.mktemp("recorder"))
    made.open("shop", "shop-eu", "other", OWN)
    for namespace in ("shop", "shop-eu", "other", "kube-system"):
        for name in ("data", "logs"):
            resources = {"requests": {"storage": "1Gi"}}
            spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": ""}
            made.bed.request("POST", CLAIMS.format(namespace), {"metadata": {"name": name}, "spec": spec})
    yield made
    for namespace in ("shop", "shop-eu", "other", "kube-system"):
        made.bed.request("DELETE", CLAIMS.format(namespace))
    made.close()


_installed: list[Policy] = []


def installed(house: Gatehouse, *gates: ActionGate) -> None:
    policy = a_gate("p", None, *gates)
    if _installed != [policy]:
        house.put(policy)
        _installed[:] = [policy]


@pytest.mark.parametrize(
    ("gate", "who", "where", "comes"),
    [
        (action("delete :persistentvolumeclaims", "shop"), "User/alice", "shop/data", True),
        (action("delete :persistentvolumeclaims", "shop"), "User/alice", "other/data", False),
        (action("delete :persistentvolumeclaims", "shop*"), "User/alice", "shop-eu/data", True),
        (action("delete :persistentvolumeclaims", "shop*"), "User/alice", "other/data", False),
        (action("delete :persistentvolumeclaims"), "User/alice", "other/data", True),
        (action("delete :persistentvolumeclaims"), "User/alice", "kube-system/data", False),
        (action("delete :persistentvolumeclaims", names=("da*",)), "User/alice", "shop/data", True),
        (action("delete :persistentvolumeclaims", names=("da*",)), "User/alice", "shop/logs", False),
        (action("delete :persistentvolumeclaims", names=("logs", "x")), "User/alice", "shop/logs", True),
        (action("delete :persistentvolumeclaims", by=("shop/*",)), "shop/agent", "other/data", True),
        (action("delete :persistentvolumeclaims", by=("shop/*",)), "User/alice", "shop/data", False),
        (action("delete :persistentvolumeclaims", by=("/agent",)), "shop/agent", "shop/data", True),
        (action("delete :persistentvolumeclaims", by=("/agent",)), "shop/agent", "other/data", False),
        (action("delete :persistentvolumeclaims", by=("Group/bots",)), "User/alice in bots", "shop/data", True),
        (action("create,update :persistentvolumeclaims"), "User/alice", "shop/data", False),
        (action("delete apps:deployments"), "User/alice", "shop/data", False),
        # The cluster itself: nobody could approve what it does (T45).
        (action("delete :persistentvolumeclaims"), "kube-system/namespace-controller", "shop/data", False),
        (action("delete :persistentvolumeclaims"), "User/system:kube-controller-manager", "shop/data", False),
        (action("delete :persistentvolumeclaims"), f"{OWN}/daypass-controller", "shop/data", False),
    ],
)
def test_deletion(house: Gatehouse, gate: ActionGate, who: str, where: str, comes: bool) -> None:  # noqa: FBT001
    installed(house, gate)
    namespace, _, name = where.partition("/")
    came = house.reached("DELETE", f"{CLAIMS.format(namespace)}/{name}", None, who)
    assert came == (["DELETE persistentvolumeclaims"] if comes else [])


def test_a_collection_is_deleted_one_by_one(house: Gatehouse) -> None:
    installed(house, action("delete :persistentvolumeclaims", names=("da*",)))
    answer = house.call("DELETE", CLAIMS.format("shop"))
    assert answer.status == 200, answer.message
    assert {one.request["oldObject"]["metadata"]["name"] for one in house.recorder.reached if one.request["oldObject"]} == {"data"}  # fmt: skip


def test_who_sets_an_owner_has_the_object_deleted(house: Gatehouse) -> None:
    """The garbage collector deletes what has an owner that does not exist."""
    claim = f"{CLAIMS.format('shop')}/data"
    owned, labelled = {"metadata": {"ownerReferences": [GHOST]}}, {"metadata": {"labels": {"a": "b"}}}
    installed(house, action("delete :persistentvolumeclaims"))
    assert house.reached("PATCH", claim, owned) == ["UPDATE persistentvolumeclaims"]
    assert house.reached("PATCH", f"{claim}/status", owned) == ["UPDATE persistentvolumeclaims/status"]
    assert house.reached("PATCH", claim, labelled) == []
    assert house.reached("PATCH", f"{claim}/status", labelled) == []
    installed(house, action("delete,update :persistentvolumeclaims"))
    assert house.reached("PATCH", claim, owned) == ["UPDATE persistentvolumeclaims"]
    assert house.reached("PATCH", claim, labelled) == ["UPDATE persistentvolumeclaims"]
    assert house.reached("PATCH", f"{claim}/status", owned) == ["UPDATE persistentvolumeclaims/status"]
    assert house.reached("PATCH", f"{claim}/status", labelled) == []


def test_t45_a_node_deletes_its_own_pods(house: Gatehouse) -> None:
    installed(house, action("delete :pods"))
    house.bed.request("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
    pod = a_pod("ends")
    pod["spec"]["nodeName"] = "n1"
    made = house.bed.request("POST", "/api/v1/namespaces/shop/pods", pod)
    assert made.status == 201, made.message
    path = "/api/v1/namespaces/shop/pods/ends"
    assert house.reached("DELETE", path, None, "User/system:node:n1 in system:nodes") == []
    assert house.reached("DELETE", path, None, "User/alice") == ["DELETE pods"]


def test_creation_without_a_name_yet(house: Gatehouse) -> None:
    installed(house, action("create :configmaps", "shop", names=("db-*",)))
    path = "/api/v1/namespaces/shop/configmaps"
    assert house.reached("POST", path, {"metadata": {"name": "db-1"}}) == ["CREATE configmaps"]
    assert house.reached("POST", path, {"metadata": {"name": "web"}}) == []
    assert house.reached("POST", path, {"metadata": {"generateName": "db-"}}) == ["CREATE configmaps"]


@pytest.mark.parametrize(
    ("subjects", "body", "comes"),
    [
        (("shop/agent",), a_binding("ServiceAccount", "agent", "shop"), True),
        (("shop/agent",), a_binding("ServiceAccount", "robot", "shop"), False),
        (("shop/agent",), a_binding("ServiceAccount", "agent", "other"), False),
        (("shop/a*",), a_binding("ServiceAccount", "agent", "shop"), True),
        (("/agent",), a_binding("ServiceAccount", "agent", "shop"), True),
        (("/agent",), a_binding("ServiceAccount", "agent", "other"), False),
        # T44: an account is a User too, and in groups.
        (("shop/agent",), a_binding("User", "system:serviceaccount:shop:agent"), True),
        (("shop/agent",), a_binding("Group", "system:serviceaccounts:shop"), True),
        (("shop/agent",), a_binding("Group", "system:serviceaccounts"), True),
        (("shop/agent",), a_binding("Group", "system:authenticated"), True),
        (("shop/agent",), a_binding("User", "system:anonymous"), True),
        (("shop/agent",), a_binding("Group", "developers"), False),
        (("shop/agent",), a_binding("User", "agent"), False),
        (("User/eve",), a_binding("User", "eve"), True),
        (("User/eve",), a_binding("User", "alice"), False),
        (("Group/dev*",), a_binding("Group", "developers"), True),
        (("Group/dev*",), a_binding("Group", "approvers"), False),
        (("Group/system:serviceaccounts:shop",), a_binding("ServiceAccount", "robot", "shop"), True),
        (("Group/system:authenticated",), a_binding("User", "alice"), True),
    ],
)
def test_t44_bindings_that_name_an_agent(
    house: Gatehouse,
    subjects: tuple[str, ...],
    body: dict[str, Any],
    comes: bool,  # noqa: FBT001
) -> None:
    installed(house, action(BINDINGS, "shop", subjects=subjects))
    path = f"{RBAC}/namespaces/shop/rolebindings"
    assert house.reached("POST", path, body) == (["CREATE rolebindings"] if comes else [])
    if subjects != ("/agent",):
        wide = house.reached("POST", f"{RBAC}/clusterrolebindings", body)
        assert wide == (["CREATE clusterrolebindings"] if comes else [])


def test_t44_bindings_come_for_whom_they_named_before(house: Gatehouse) -> None:
    installed(house, action(BINDINGS, "shop", subjects=("shop/agent",)))
    path = f"{RBAC}/namespaces/shop/rolebindings"
    house.bed.request("POST", path, a_binding("ServiceAccount", "agent", "shop"))
    assert house.reached("PATCH", f"{path}/probe", {"subjects": None}) == ["UPDATE rolebindings"]
    assert house.reached("DELETE", f"{path}/probe") == ["DELETE rolebindings"]
    house.bed.request("DELETE", f"{path}/probe")


def test_t58_a_namespace_is_of_no_namespace_and_an_agent_of_any_may_delete_it(house: Gatehouse) -> None:
    """A call on a Namespace has its name where other calls have the namespace of their object."""
    installed(house, action("delete :namespaces", "shop", by=("/agent",)))
    assert house.reached("DELETE", "/api/v1/namespaces/shop-eu", who="shop/agent") == ["DELETE namespaces"]
    assert house.reached("DELETE", "/api/v1/namespaces/shop-eu", who="shop/robot") == []


def test_subresources_and_what_belongs_to_no_namespace(house: Gatehouse) -> None:
    installed(
        house,
        action("create :serviceaccounts/token,pods/eviction", "shop", names=("agent", "it")),
        action("delete :namespaces", "shop"),
        action("update apps:deployments/scale", "shop-*"),
        action("connect :pods/exec", "shop"),
    )
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    accounts = "/api/v1/namespaces/shop/serviceaccounts"
    assert house.reached("POST", f"{accounts}/agent/token", token) == ["CREATE serviceaccounts/token"]
    assert house.reached("POST", f"{accounts}/robot/token", token) == []
    assert house.reached("DELETE", "/api/v1/namespaces/shop-eu") == ["DELETE namespaces"]
    house.bed.request("POST", "/api/v1/namespaces/shop/pods", a_pod("it"))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "it"}}
    assert house.reached("POST", "/api/v1/namespaces/shop/pods/it/eviction", eviction) == ["CREATE pods/eviction"]
    house.recorder.take()
    house.bed.request("POST", "/api/v1/namespaces/shop/pods/it/exec?command=id", headers={"Impersonate-User": "alice"})
    assert house.recorder.take() == ["CONNECT pods/exec"]
