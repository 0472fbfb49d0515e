"""Held pods with every process of ours dead (T53, T54), and what the controller's stolen token can do to pods (T60)."""

from typing import Any

import pytest

from bed import Bed
from bed.http import Response
from cluster.chains import CONTROLLER, SETUP, WEBHOOK, Json, path_of

pytestmark = pytest.mark.usefixtures("without_webhooks")

OURS = {"name": "daypass.dev/approval"}
THEIRS = {"name": "example.com/quota"}
ANYWHERE = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
        }
    }
}
DRY = "?dryRun=All"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
ALMIGHTY_CONTROLLER = {
    "Impersonate-User": "system:serviceaccount:daypass-system:daypass-controller",
    "Impersonate-Group": "system:masters",
}
"""The controller as if RBAC allowed it everything: what is left is the API server's own policy."""


def a_pod(namespace: str, *gates: Json, name: str = "held") -> Json:
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {"app": "report", **({"daypass.dev/held": "true"} if OURS in gates else {})},
        "annotations": {"note": "theirs", **({"daypass.dev/held-for": "alice's"} if OURS in gates else {})},
    }
    spec: Json = {"containers": [{"name": "main", "image": "app:1"}]}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {**spec, **({"schedulingGates": list(gates)} if gates else {})},
    }  # fmt: skip


def stored(bed: Bed, pod: Json) -> Json:
    answer = bed.request("POST", path_of("pods", pod["metadata"]["namespace"]), pod)
    assert answer.status == 201, answer.message
    return dict(answer.json)


@pytest.fixture
def held(bare_cluster: Bed, namespace: str) -> Json:
    """A pod that waits, for us and for somebody else; alice may change pods, their status included."""
    wanted = lambda: bare_cluster.get("serviceaccount", "default", namespace)  # noqa: E731
    bare_cluster.wait_until(wanted, what="the namespace has its ServiceAccount")
    verbs, resources = "--verb=update,patch", "--resource=pods,pods/status,pods/ephemeralcontainers,pods/resize"
    bare_cluster.kubectl("create", "role", "pods", verbs, resources, "-n", namespace)
    for role in ("--clusterrole=edit", "--role=pods"):
        name = role.rpartition("=")[2]
        bare_cluster.kubectl("create", "rolebinding", f"alice-{name}", role, "--user=alice", "-n", namespace)
    return stored(bare_cluster, a_pod(namespace, OURS, THEIRS))


def at(pod: Json, subresource: str = "", query: str = "") -> str:
    return path_of("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], subresource) + query


def merge_patch(bed: Bed, pod: Json, user: str) -> Response:
    return bed.request("PATCH", at(pod), {"spec": {"schedulingGates": [THEIRS]}}, user=user)


def all_gates_at_once(bed: Bed, pod: Json, user: str) -> Response:
    return bed.request("PATCH", at(pod), {"spec": {"schedulingGates": None}}, user=user)


def json_patch(bed: Bed, pod: Json, user: str) -> Response:
    operation = {"op": "remove", "path": "/spec/schedulingGates/0"}
    return bed.request("PATCH", at(pod), [operation], user=user, headers=JSON_PATCH)


def strategic_merge_patch(bed: Bed, pod: Json, user: str) -> Response:
    body = {"spec": {"schedulingGates": [{"$patch": "delete", **OURS}]}}
    return bed.request("PATCH", at(pod), body, user=user, headers=STRATEGIC)


def server_side_apply(bed: Bed, pod: Json, user: str) -> Response:
    """Whoever applied the gate applies without it: of what one manager owns alone, leaving out is removing."""
    place = pod["metadata"]["namespace"]
    whole = a_pod(place, OURS, THEIRS, name="applied")
    path = path_of("pods", place, "applied") + "?fieldManager=mallory"
    first = bed.request("PATCH", path, whole, user=user, headers=APPLY)
    assert first.status == 201, first.message
    whole["spec"]["schedulingGates"] = [THEIRS]
    return bed.request("PATCH", path, whole, user=user, headers=APPLY)


def put(bed: Bed, pod: Json, user: str) -> Response:
    return bed.request("PUT", at(pod), {**pod, "spec": {**pod["spec"], "schedulingGates": [THEIRS]}}, user=user)


@pytest.mark.parametrize("who", ["alice", "admin"])
@pytest.mark.parametrize(
    "free", [merge_patch, all_gates_at_once, json_patch, strategic_merge_patch, server_side_apply, put]
)
def test_t53_nobody_but_the_controller_lets_a_held_pod_go(bare_cluster: Bed, held: Json, free: Any, who: str) -> None:  # noqa: ANN401
    answer = free(bare_cluster, held, who)
    assert answer.status == 403, answer.message
    assert "this pod waits for an approval" in answer.message
    assert OURS in bare_cluster.request("GET", at(held)).json["spec"]["schedulingGates"]


@pytest.mark.parametrize("who", ["alice", "admin"])
@pytest.mark.parametrize("subresource", ["", "status", "ephemeralcontainers", "resize"])
def test_t53_a_held_pod_keeps_its_label_on_every_path(
    bare_cluster: Bed, held: Json, subresource: str, who: str
) -> None:
    """Without its label the controller would not find it; metadata can be written at pods/status, too."""
    for value in (None, "false"):
        patch = {"metadata": {"labels": {"daypass.dev/held": value}}, "spec": {"schedulingGates": [THEIRS]}}
        answer = bare_cluster.request("PATCH", at(held, subresource), patch, user=who)
        if answer.status != 403:
            assert subresource in ("ephemeralcontainers", "resize"), answer.message  # where metadata is not looked at
    now = bare_cluster.request("GET", at(held)).json
    assert now["metadata"]["labels"]["daypass.dev/held"] == "true"
    assert OURS in now["spec"]["schedulingGates"]
    label = {"metadata": {"labels": {"daypass.dev/held": None}}}
    for where in (at(held), at(held, "status")):
        assert "how Daypass finds the pods" in bare_cluster.request("PATCH", where, label, user=who).message


@pytest.mark.parametrize("who", ["alice", "admin"])
@pytest.mark.parametrize("subresource", ["", "status"])
def test_t55_a_held_pod_waits_for_the_same_request_on_every_path(
    bare_cluster: Bed, namespace: str, held: Json, subresource: str, who: str
) -> None:
    """Else it would go under a request made for somebody else's pod that runs the same."""
    for value in (None, "", "bob's"):
        patch = {"metadata": {"annotations": {"daypass.dev/held-for": value}}}
        answer = bare_cluster.request("PATCH", at(held, subresource), patch, user=who)
        assert answer.status == 403, answer.message
        assert "for which request a pod waits" in answer.message
    body = a_pod(namespace, OURS, name="unmarked")
    del body["metadata"]["annotations"]
    patch = {"metadata": {"annotations": {"daypass.dev/held-for": "bob's"}}}
    answer = bare_cluster.request("PATCH", at(stored(bare_cluster, body), subresource), patch, user=who)
    assert answer.status == 403, answer.message


def test_t53_a_gate_without_the_label_is_guarded_alike(bare_cluster: Bed, namespace: str, held: Json) -> None:
    body = a_pod(namespace, OURS, name="unlabelled")
    del body["metadata"]["labels"]
    pod = stored(bare_cluster, body)
    assert "waits for an approval" in all_gates_at_once(bare_cluster, pod, "alice").message
    assert held["metadata"]["name"] != pod["metadata"]["name"]


@pytest.mark.parametrize("who", ["alice", "admin"])
def test_t57_no_pod_that_does_not_wait_has_the_label(bare_cluster: Bed, namespace: str, held: Json, who: str) -> None:
    """It would look as if somebody had let it go, and nobody could take the label off again."""
    pod = stored(bare_cluster, a_pod(namespace, THEIRS, name="free"))
    label = {"metadata": {"labels": {"daypass.dev/held": "true"}}}
    for subresource in ("", "status"):
        answer = bare_cluster.request("PATCH", at(pod, subresource), label, user=who)
        assert answer.status == 403, answer.message
        assert "leave the label out" in answer.message
    born = a_pod(namespace, OURS, name="born")
    del born["spec"]["schedulingGates"]
    answer = bare_cluster.request("POST", path_of("pods", namespace), born, user=who)
    assert "leave the label out" in answer.message
    report = {"status": {"message": "seen"}}
    assert bare_cluster.request("PATCH", at(held, "status"), report, user=who).status == 200


def test_t53_the_rest_of_a_held_pod_is_as_ever(bare_cluster: Bed, held: Json) -> None:
    """Others take off their own gates, label, annotate, report on and delete it."""
    for body in (
        {"spec": {"schedulingGates": [OURS]}},
        {"metadata": {"labels": {"team": "shop"}, "annotations": {"note": None}}},
        {"metadata": {"finalizers": ["batch.kubernetes.io/job-tracking"]}},
        {"metadata": {"finalizers": None}},
    ):
        assert bare_cluster.request("PATCH", at(held), body, user="alice").status == 200, body
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "Seen", "message": ""}
    status = {"status": {"conditions": [condition]}}
    assert bare_cluster.request("PATCH", at(held, "status"), status, user="alice").status == 200
    assert bare_cluster.request("DELETE", at(held), user="alice").status == 200


@pytest.mark.parametrize("account", [WEBHOOK, SETUP])
def test_t53_t60_no_other_account_of_ours_lets_it_go(bare_cluster: Bed, held: Json, account: str) -> None:
    assert merge_patch(bare_cluster, held, account).status == 403
    almighty = {
        "Impersonate-User": f"system:serviceaccount:{account.replace('/', ':')}",
        "Impersonate-Group": "system:masters",
    }
    answer = bare_cluster.request("PATCH", at(held), {"spec": {"schedulingGates": [THEIRS]}}, headers=almighty)
    assert "waits for an approval" in answer.message


def test_t54_the_api_server_binds_no_held_pod(bare_cluster: Bed, namespace: str) -> None:
    bare_cluster.wait_until(lambda: bare_cluster.get("serviceaccount", "default", namespace), what="ServiceAccount")
    pod = stored(bare_cluster, a_pod(namespace, OURS))
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "held"}, "target": target}
    answer = bare_cluster.request("POST", at(pod, "binding"), binding)
    assert answer.status >= 400
    assert "scheduling gate" in answer.message.lower() or "schedulingGates" in answer.message
    born = a_pod(namespace, OURS, name="born-bound")
    born["spec"]["nodeName"] = "node-1"
    assert bare_cluster.request("POST", path_of("pods", namespace), born).status == 422
    moved = bare_cluster.request("PATCH", at(pod), {"spec": {"nodeName": "node-1"}})
    assert moved.status == 422


def test_the_controller_lets_a_held_pod_go(bare_cluster: Bed, held: Json) -> None:
    said = {"metadata": {"annotations": {"daypass.dev/state": "Denied: by carol"}}}
    assert bare_cluster.request("PATCH", at(held), said, user=CONTROLLER).status == 200
    assert bare_cluster.request(
        "PATCH", at(held), {"metadata": {"annotations": {"daypass.dev/state": None}}}, user=CONTROLLER
    ).status == 200  # fmt: skip
    version = bare_cluster.request("GET", at(held)).json["metadata"]["resourceVersion"]
    free = {
        "metadata": {
            "resourceVersion": version,
            "labels": {"daypass.dev/held": None},
            "annotations": {"daypass.dev/held-for": None},
        },
        "spec": {"schedulingGates": [THEIRS]},
    }
    answer = bare_cluster.request("PATCH", at(held), free, user=CONTROLLER)
    assert answer.status == 200, answer.message
    assert answer.json["spec"]["schedulingGates"] == [THEIRS]
    assert "daypass.dev/held" not in answer.json["metadata"]["labels"]
    assert answer.json["metadata"]["annotations"] == {"note": "theirs"}


def test_the_controller_lets_go_a_pod_that_waits_for_it_alone(bare_cluster: Bed, namespace: str, held: Json) -> None:
    pod = stored(bare_cluster, a_pod(namespace, OURS, name="alone"))
    free = {"metadata": {"labels": {"daypass.dev/held": None}}, "spec": {"schedulingGates": None}}
    answer = bare_cluster.request("PATCH", at(pod), free, user=CONTROLLER)
    assert answer.status == 200, answer.message
    assert "schedulingGates" not in answer.json["spec"]
    assert held["spec"]["schedulingGates"] == [OURS, THEIRS]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"spec": {"containers": [{"name": "main", "image": "evil:1"}]}}, "nothing of a pod's spec"),
        ({"spec": {"schedulingGates": [], "nodeSelector": {"zone": "a"}}}, "nothing of a pod's spec"),
        ({"spec": {"activeDeadlineSeconds": 1}}, "nothing of a pod's spec"),
        ({"spec": {"affinity": ANYWHERE}}, "nothing of a pod's spec"),
        ({"spec": {"schedulingGates": [OURS]}}, "and no other"),
        ({"spec": {"schedulingGates": None}}, "and no other"),
        ({"metadata": {"labels": {"app": "evil"}}}, "changes no label"),
        ({"metadata": {"labels": {"new": "label"}}}, "changes no label"),
        ({"metadata": {"labels": {"app": None}}}, "changes no label"),
        ({"metadata": {"labels": {"daypass.dev/held": "false"}}}, "changes no label"),
        ({"metadata": {"annotations": {"note": "ours"}}}, "no annotation"),
        ({"metadata": {"annotations": {"note": None}}}, "no annotation"),
        ({"metadata": {"annotations": {"example.com/daypass.dev": "x"}}}, "no annotation"),
        ({"metadata": {"finalizers": ["example.com/keep"]}}, "no finalizers and no owners"),
        (
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "g", "uid": "g"}]}},
            "no finalizers and no owners",
        ),
    ],
)
def test_t60_a_stolen_token_changes_nothing_else_of_a_pod(bare_cluster: Bed, held: Json, body: Json, says: str) -> None:
    headers = STRATEGIC if "containers" in body.get("spec", {}) else None
    answer = bare_cluster.request("PATCH", at(held, query=DRY), body, user=CONTROLLER, headers=headers)
    assert answer.status == 403, answer.message
    assert says in answer.message


def test_t60_a_stolen_token_makes_enters_binds_and_deletes_no_pod(bare_cluster: Bed, held: Json) -> None:
    """By RBAC, and by the API server's policy where RBAC were wider and not every pod of the cluster is looked at."""
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "held"}, "target": target}
    place = held["metadata"]["namespace"]
    attempts: tuple[tuple[str, str, Json | None], ...] = (
        ("POST", path_of("pods", place) + DRY, a_pod(place, name="mine")),
        ("DELETE", at(held, query=DRY), None),
        ("DELETE", path_of("pods", place) + DRY, None),
        ("POST", at(held, "exec", "?command=id&container=main"), None),
        ("POST", at(held, "binding", DRY), binding),
        ("POST", path_of("bindings", place).replace("apis/rbac.authorization.k8s.io/v1", "api/v1") + DRY, binding),
        ("PATCH", at(held, "status", DRY), {"metadata": {"labels": {"daypass.dev/held": None}}}),
        ("PATCH", at(held, "resize", DRY), {"spec": {"containers": [{"name": "main", "resources": {}}]}}),
    )
    by_rbac_alone = {path for method, path, _ in attempts if method == "POST" and "/exec" not in path} | {
        attempts[6][1]
    }
    for method, path, body in attempts:
        headers = STRATEGIC if "/resize" in path else None
        assert bare_cluster.request(method, path, body, user=CONTROLLER, headers=headers).status == 403, path
        if path in by_rbac_alone:
            continue
        answer = bare_cluster.request(method, path, body, headers=ALMIGHTY_CONTROLLER | (headers or {}))
        assert answer.status == 403, path
        assert "it makes, binds, enters and deletes none" in answer.message, path


@pytest.mark.parametrize("place", ["kube-system", "daypass-system"])
def test_t60_a_stolen_token_touches_no_pod_that_the_cluster_needs(bare_cluster: Bed, place: str) -> None:
    bare_cluster.wait_until(lambda: bare_cluster.get("serviceaccount", "default", place), what="ServiceAccount")
    pod = stored(bare_cluster, a_pod(place, OURS))
    try:
        free = {"metadata": {"labels": {"daypass.dev/held": None}}, "spec": {"schedulingGates": None}}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "held", "namespace": place}}
        for method, path, body in (("PATCH", at(pod), free), ("POST", at(pod, "eviction"), eviction)):
            answer = bare_cluster.request(method, path, body, user=CONTROLLER)
            assert answer.status == 403
            assert "of kube-system or of Daypass's own namespace" in answer.message
    finally:
        assert bare_cluster.request("DELETE", at(pod)).status == 200


@pytest.mark.parametrize("place", ["kube-system", "daypass-system"])
def test_t45_pods_of_the_cluster_itself_are_never_held(bare_cluster: Bed, place: str) -> None:
    bare_cluster.wait_until(lambda: bare_cluster.get("serviceaccount", "default", place), what="ServiceAccount")
    pod = stored(bare_cluster, a_pod(place, OURS))
    assert all_gates_at_once(bare_cluster, pod, "admin").status == 200
    assert bare_cluster.request("DELETE", at(pod)).status == 200


def test_the_controller_evicts(bare_cluster: Bed, held: Json) -> None:
    place = held["metadata"]["namespace"]
    uid = {"preconditions": {"uid": held["metadata"]["uid"]}}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "held", "namespace": place}}
    answer = bare_cluster.request("POST", at(held, "eviction"), {**eviction, "deleteOptions": uid}, user=CONTROLLER)
    assert answer.status == 201, answer.message
    assert bare_cluster.request("GET", at(held)).status == 404
