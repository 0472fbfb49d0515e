"""Which calls leave the API server for which gate: those that it may concern, and no others (T40 to T45, T69).

Nothing of Daypass runs here: the webhook is one that only remembers who came.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from bed import Bed
from cluster.gatehouse import OWN, Gatehouse, a_pod
from daypass.domain.policy import Policy
from gate_builders import a_gate, workloads

CONTROLLED = [{"apiVersion": "v1", "kind": "Thing", "name": "thing", "uid": "1", "controller": True}]
OWNED = [{"apiVersion": "flow.example/v1", "kind": "Flow", "name": "flow", "uid": "1"}]
PODS = "/api/v1/namespaces/{}/pods"
AGENTS = a_gate("p", workloads("shop", agents=("shop/agent", "User/eve", "Group/bots"), owner_kinds=("flow.example/Flow",), pod_labels=(("agent", "yes"), ("b", "c"))))  # fmt: skip
GLOBS = a_gate("p", workloads("shop-*", "x*", agents=("/agent", "sh*p/rob*", "User/e*")))


@pytest.fixture(scope="module")
def house(control_plane: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    made = Gatehouse(control_plane, tmp_path_factory.mktemp("recorder"))
    made.open("shop", "shop-eu", "other", OWN)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("policy", "who", "namespace", "pod", "comes"),
    [
        # No agents are named: every pod of the namespaces, whoever makes it.
        (a_gate("p", workloads("shop")), "User/alice", "shop", a_pod(), True),
        (a_gate("p", workloads("shop")), "User/alice", "shop-eu", a_pod(), False),
        (a_gate("p", workloads("shop")), "User/alice", "other", a_pod(), False),
        (a_gate("p", workloads("shop*")), "User/alice", "shop-eu", a_pod(), True),
        (a_gate("p", workloads("shop*")), "User/alice", "other", a_pod(), False),
        (a_gate("p", workloads("*")), "User/alice", "other", a_pod(), True),
        (a_gate("p", workloads("other", "sh*-eu")), "User/alice", "other", a_pod(), True),
        (a_gate("p", workloads("other", "sh*-eu")), "User/alice", "shop-eu", a_pod(), True),
        (a_gate("p", workloads("other", "sh*-eu")), "User/alice", "shop", a_pod(), False),
        # T45: never there, whatever the globs.
        (a_gate("p", workloads("*")), "User/alice", "kube-system", a_pod(account="default"), False),
        (a_gate("p", workloads("*")), "User/alice", OWN, a_pod(), False),
        # Agents: as the pod's account, as its creator, by a group.
        (AGENTS, "User/alice", "shop", a_pod(account="agent"), True),
        (AGENTS, "User/alice", "shop", a_pod(), False),
        (AGENTS, "shop/agent", "shop", a_pod(), True),
        (AGENTS, "other/agent", "shop", a_pod(), False),
        (AGENTS, "User/eve", "shop", a_pod(), True),
        (AGENTS, "User/everyone", "shop", a_pod(), False),
        (AGENTS, "User/alice in bots", "shop", a_pod(), True),
        (AGENTS, "User/alice in robots", "shop", a_pod(), False),
        (AGENTS, "shop/agent", "other", a_pod(), False),
        # T43, T69: of a workload whose author may be an agent; labels and kinds of owners add pods.
        (AGENTS, "User/alice", "shop", a_pod(ownerReferences=CONTROLLED), True),
        (AGENTS, "User/alice", "shop", a_pod(ownerReferences=OWNED), True),
        (AGENTS, "User/alice", "shop", a_pod(ownerReferences=[{**OWNED[0], "kind": "Flows"}]), False),
        (AGENTS, "User/alice", "shop", a_pod(ownerReferences=[{**OWNED[0], "apiVersion": "v1"}]), False),
        (AGENTS, "User/alice", "shop", a_pod(labels={"agent": "yes", "b": "c"}), True),
        (AGENTS, "User/alice", "shop", a_pod(labels={"agent": "yes"}), False),
        # T40: labels of a pod never take it away.
        (AGENTS, "shop/agent", "shop", a_pod(labels={"agent": "no"}), True),
        # Globs, and accounts of the pod's own namespace.
        (GLOBS, "User/alice", "shop-eu", a_pod(account="agent"), True),
        (GLOBS, "other/agent", "shop-eu", a_pod(), False),
        (GLOBS, "shop-eu/agent", "shop-eu", a_pod(), True),
        (GLOBS, "shop/robot", "shop-eu", a_pod(account="default"), True),
        (GLOBS, "User/alice", "shop-eu", a_pod(account="robot"), False),
        (GLOBS, "User/erin", "shop-eu", a_pod(account="default"), True),
        (GLOBS, "User/e:rin", "shop-eu", a_pod(account="default"), False),
        # Groups that accounts are in.
        (a_gate("p", workloads("shop*", agents=("Group/system:serviceaccounts:shop",))), "User/a", "shop", a_pod(), True),
        (a_gate("p", workloads("shop*", agents=("Group/system:serviceaccounts:shop",))), "User/a", "shop-eu", a_pod(), False),
        (a_gate("p", workloads("shop*", agents=("Group/system:serviceaccounts",))), "User/a", "shop-eu", a_pod(), True),
    ],
)  # fmt: skip
def test_t40_creation_of_pods(
    house: Gatehouse,
    policy: Policy,
    who: str,
    namespace: str,
    pod: dict[str, Any],
    comes: bool,  # noqa: FBT001
) -> None:
    installed(house, policy)
    assert house.reached("POST", PODS.format(namespace), pod, who) == (["CREATE pods"] if comes else [])


_installed: list[Policy] = []


def installed(house: Gatehouse, policy: Policy) -> None:
    """The gates of this policy alone; rows of a table that have the same one share it."""
    if _installed != [policy]:
        house.put(policy)
        _installed[:] = [policy]


def test_t45_daypass_itself_never_comes_to_itself(house: Gatehouse) -> None:
    installed(house, a_gate("p", workloads("*")))
    for name in ("daypass-controller", "daypass-webhook"):
        assert house.reached("POST", PODS.format("shop"), a_pod(), f"{OWN}/{name}") == []
        assert house.reached("POST", PODS.format("shop"), a_pod(), f"shop/{name}") == ["CREATE pods"]


def test_mirror_pods_are_the_nodes_own(house: Gatehouse) -> None:
    installed(house, a_gate("p", workloads("*")))
    house.bed.request("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
    uid = house.bed.request("GET", "/api/v1/nodes/n1").json["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": uid, "controller": True}
    mirror = {"kubernetes.io/config.mirror": "1", "kubernetes.io/config.source": "file"}
    pod = a_pod(annotations=mirror, ownerReferences=[owner])
    pod["spec"] = {"nodeName": "n1", "containers": pod["spec"]["containers"]}
    assert house.reached("POST", PODS.format("shop"), pod, "User/system:node:n1 in system:nodes") == []
    # Anybody can write that annotation, and call themselves so.
    assert house.reached("POST", PODS.format("shop"), pod, "User/alice") == ["CREATE pods"]
    assert house.reached("POST", PODS.format("shop"), pod, "User/system:node:n1") == ["CREATE pods"]


def test_t41_a_namespace_is_covered_from_its_first_moment_and_its_labels_change_nothing(house: Gatehouse) -> None:
    installed(house, a_gate("p", workloads("shop*")))
    house.bed.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop-new"}})
    assert house.reached("POST", "/apis/batch/v1/namespaces/shop-new/jobs", a_job()) == ["CREATE jobs"]
    house.bed.wait_until(lambda: house.bed.get("serviceaccount", "default", "shop-new"))
    pod = a_pod(account="default")
    assert house.reached("POST", PODS.format("shop-new"), pod) == ["CREATE pods"]
    for label in ("kubernetes.io/metadata.name=kube-system", "kubernetes.io/metadata.name-", "shop=no"):
        house.bed.kubectl("label", "namespace", "shop-new", label, "--overwrite")
        assert house.reached("POST", PODS.format("shop-new"), pod) == ["CREATE pods"]


@pytest.mark.parametrize(
    ("patch", "comes"),
    [
        ({"metadata": {"labels": {"a": "b"}}}, False),
        ({"metadata": {"finalizers": ["example.com/it"]}}, False),
        ({"metadata": {"annotations": {"a": "b"}}}, False),
        ({"metadata": {"labels": {"daypass.dev/held": "true"}}}, True),
        ({"metadata": {"annotations": {"daypass.dev/held-for": "another request"}}}, True),
        ({"metadata": {"annotations": {"daypass.dev/authors": "eve"}}}, False),
        ({"metadata": {"annotations": {"cdi.k8s.io/gpus": "nvidia.com/gpu=all"}}}, True),
        ({"metadata": {"annotations": {"devices.nri.io/container.it": "- path: /dev/fuse"}}}, True),
        ({"metadata": {"annotations": {"seccomp-profile.crio.io/POD": "unconfined"}}}, True),
        ({"metadata": {"annotations": {"run.oci.handler": "krun"}}}, True),
        ({"metadata": {"annotations": {"io.kubernetes.cri-o.Devices": None}}}, True),
        ({"metadata": {"annotations": {"io.kubernetes.cri-o.Devices": "/dev/kvm"}}}, True),
        ({"metadata": {"annotations": {"io.kubernetes.cri-o.Devices": "/dev/fuse", "a": "b"}}}, False),
        ({"spec": {"activeDeadlineSeconds": 60}}, True),
        ({"spec": {"containers": [{"name": "it", "image": "other"}]}}, True),
    ],
)
def test_pods_that_change_come_where_what_runs_or_their_hold_changes(
    house: Gatehouse,
    patch: dict[str, Any],
    comes: bool,  # noqa: FBT001
) -> None:
    installed(house, a_gate("p", workloads("shop")))
    house.bed.request(
        "POST", PODS.format("shop"), a_pod("stays", annotations={"io.kubernetes.cri-o.Devices": "/dev/fuse"})
    )
    assert house.reached("PATCH", f"{PODS.format('shop')}/stays", patch) == (["UPDATE pods"] if comes else [])
    assert house.reached("PATCH", f"{PODS.format('shop')}/stays/status", {"status": {"message": "x"}}) == []


def test_t42_what_else_changes_a_pods_containers(house: Gatehouse) -> None:
    installed(house, a_gate("p", workloads("shop")))
    pod = a_pod("grows")
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    house.bed.request("POST", PODS.format("shop"), pod)
    path = f"{PODS.format('shop')}/grows"
    debug = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "it"}]}}
    assert house.reached("PATCH", f"{path}/ephemeralcontainers", debug) == ["UPDATE pods/ephemeralcontainers"]
    larger = {"spec": {"containers": [{"name": "it", "resources": {"requests": {"cpu": "2"}}}]}}
    assert house.reached("PATCH", f"{path}/resize", larger) == ["UPDATE pods/resize"]


def test_t49_the_largest_objects_cost_no_more_than_the_api_server_allows(house: Gatehouse) -> None:
    """Conditions have a budget; one that exceeds it refuses the call before anybody looked at it."""
    installed(house, GLOBS)
    env = [{"name": f"N{number}", "value": "x" * 60} for number in range(12)]
    containers = [{"name": f"c{number}", "image": "it", "env": env} for number in range(1000)]
    pod = a_pod("large", "agent")
    pod["spec"]["containers"] = containers
    made = house.bed.request("POST", PODS.format("shop-eu"), pod)
    assert made.status == 201, made.message
    path = f"{PODS.format('shop-eu')}/large"
    assert house.reached("PATCH", path, {"spec": {"activeDeadlineSeconds": 60}}) == ["UPDATE pods"]
    assert house.reached("PATCH", path, {"metadata": {"labels": {"a": "b"}}}) == []
    marked = a_pod("marked", "agent", annotations={f"{number:x}": "" for number in range(50_000)})
    made = house.bed.request("POST", PODS.format("shop-eu"), marked)
    assert made.status == 201, made.message
    path = f"{PODS.format('shop-eu')}/marked"
    assert house.reached("PATCH", path, {"metadata": {"labels": {"a": "b"}}}) == []
    assert house.reached("PATCH", path, {"metadata": {"annotations": {"a": "b"}}}) == ["UPDATE pods"]
    labels = {"app": "it"}
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": "agent", "containers": containers}}
    deployment: dict[str, Any] = {
        "metadata": {"name": "large"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}},
    }
    deployment["spec"]["template"] = template
    made = house.bed.request("POST", "/apis/apps/v1/namespaces/shop-eu/deployments", deployment)
    assert made.status == 201, made.message
    path = "/apis/apps/v1/namespaces/shop-eu/deployments/large"
    assert house.reached("PATCH", path, {"spec": {"replicas": 0}}) == []
    changed = {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}
    assert house.reached("PATCH", path, changed) == ["UPDATE deployments"]
    house.bed.request("DELETE", f"{path}?propagationPolicy=Background")


def test_t42_every_connection_in_the_namespace_comes_whoever_calls(house: Gatehouse) -> None:
    """Whose pod it is, the API server does not show at CONNECT."""
    installed(house, AGENTS)
    for namespace, comes in (("shop", True), ("other", False)):
        house.bed.request("POST", PODS.format(namespace), a_pod("stays"))
        for way in ("exec?command=id", "attach", "portforward"):
            house.recorder.take()
            house.bed.request("POST", f"{PODS.format(namespace)}/stays/{way}", headers={"Impersonate-User": "alice"})
            assert house.recorder.take() == ([f"CONNECT pods/{way.partition('?')[0]}"] if comes else [])


def test_t55_workloads_of_everybody_come_to_be_stamped_where_their_pods_change(house: Gatehouse) -> None:
    installed(house, AGENTS)
    labels = {"app": "it"}
    template: dict[str, Any] = {"metadata": {"labels": labels}, "spec": a_pod()["spec"]}
    job = a_job()
    cron = {"metadata": {"name": "it"}, "spec": {"schedule": "1 1 1 1 1", "jobTemplate": {"spec": job["spec"]}}}
    deployment: dict[str, Any] = {
        "metadata": {"name": "it"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    controller = {"metadata": {"name": "it"}, "spec": {"selector": labels, "template": template}}
    made = {
        "/apis/apps/v1/namespaces/{}/deployments": deployment,
        "/apis/apps/v1/namespaces/{}/replicasets": deployment,
        "/apis/apps/v1/namespaces/{}/daemonsets": deployment,
        "/apis/apps/v1/namespaces/{}/statefulsets": {**deployment, "spec": {**deployment["spec"], "serviceName": "it"}},
        "/apis/batch/v1/namespaces/{}/jobs": job,
        "/apis/batch/v1/namespaces/{}/cronjobs": cron,
        "/api/v1/namespaces/{}/replicationcontrollers": controller,
    }
    for path, body in made.items():
        plural = path.rpartition("/")[2]
        assert house.reached("POST", path.format("other"), body) == []
        assert house.reached("POST", path.format("shop"), body, where="holds") == [f"CREATE {plural}"]
        stands = house.bed.request("POST", path.format("shop"), body)
        assert stands.status == 201, stands.message
        mine = f"{path.format('shop')}/it"
        changed: dict[str, Any] = {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}
        if plural == "cronjobs":
            changed = {"spec": {"jobTemplate": changed}}
        if plural != "jobs":
            assert house.reached("PATCH", mine, changed) == [f"UPDATE {plural}"]
        assert house.reached("PATCH", mine, {"metadata": {"annotations": {"daypass.dev/authors": "x"}}}) == [
            f"UPDATE {plural}"
        ]
        assert house.reached("PATCH", mine, {"metadata": {"labels": {"a": "b"}}}) == []
        if "replicas" in stands.json["spec"]:
            assert house.reached("PATCH", mine, {"spec": {"replicas": 3}}) == []
            assert house.reached("PATCH", f"{mine}/scale", {"spec": {"replicas": 3}}) == []
        house.bed.request("DELETE", f"{mine}?propagationPolicy=Background")


def test_only_gates_that_hold_change_pods(house: Gatehouse) -> None:
    installed(house, a_gate("p", workloads("shop")))
    assert house.reached("POST", PODS.format("shop"), a_pod(), where="holds") == []
    installed(house, a_gate("p", workloads("shop", agents=("/agent",), hold=True)))
    assert house.reached("POST", PODS.format("shop"), a_pod(account="agent"), where="holds") == ["CREATE pods"]
    assert house.reached("POST", PODS.format("shop"), a_pod(), where="holds") == []


def a_job() -> dict[str, Any]:
    spec = {**a_pod()["spec"], "restartPolicy": "Never"}
    return {"metadata": {"name": "it"}, "spec": {"suspend": True, "template": {"spec": spec}}}
