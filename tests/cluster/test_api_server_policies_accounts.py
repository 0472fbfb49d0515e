"""What the ServiceAccounts of our processes can do at most: each test holds a stolen token of one of them (T60)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bed import Bed
from bed.http import Response
from cluster.chains import (
    CONTROLLER,
    RBAC,
    SETUP,
    Json,
    a_binding,
    a_dead_man,
    a_request,
    a_role,
    grant,
    path_of,
    store,
)

pytestmark = pytest.mark.usefixtures("without_webhooks")

DRY = "?dryRun=All"
ALMIGHTY_CONTROLLER = {
    "Impersonate-User": "system:serviceaccount:daypass-system:daypass-controller",
    "Impersonate-Group": "system:masters",
}
"""The controller as if RBAC allowed it everything: what is left is the API server's own policy."""


@pytest.fixture
def uid(bare_cluster: Bed, namespace: str) -> str:
    return str(store(bare_cluster, a_request(namespace))["metadata"]["uid"])


def bind(bed: Bed, binding: Json, user: str = CONTROLLER) -> Response:
    return bed.request("POST", path_of("rolebindings", binding["metadata"]["namespace"]) + DRY, binding, user=user)


def test_the_controller_makes_what_a_grant_needs(bare_cluster: Bed, namespace: str, uid: str) -> None:
    assert bind(bare_cluster, a_binding(uid, namespace)).status == 201
    agent = [{"kind": "ServiceAccount", "namespace": namespace, "name": "agent"}]
    assert bind(bare_cluster, a_binding(uid, namespace, subjects=agent)).status == 201
    edit = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"}
    assert bind(bare_cluster, a_binding(uid, namespace, roleRef=edit)).status == 201
    job = a_dead_man(uid, namespace)
    assert bare_cluster.request("POST", path_of("jobs", namespace) + DRY, job, user=CONTROLLER).status == 201


def user(name: str) -> list[Json]:
    return [{"kind": "User", "apiGroup": RBAC, "name": name}]


@pytest.mark.parametrize(
    "subjects",
    [
        [{"kind": "Group", "apiGroup": RBAC, "name": "developers"}],
        user("system:admin"),
        user("system:serviceaccount:daypass-system:daypass-controller"),
        user("system:serviceaccount:default:default"),
        [{"kind": "ServiceAccount", "namespace": "daypass-system", "name": "daypass-controller"}],
        [{"kind": "ServiceAccount", "namespace": "daypass-system", "name": "default"}],
        [{"kind": "ServiceAccount", "namespace": "kube-system", "name": "generic-garbage-collector"}],
        [*user("alice"), *user("mallory")],
        [],
    ],
)
def test_t60_whom_the_controller_cant_bind(bare_cluster: Bed, namespace: str, uid: str, subjects: list[Json]) -> None:
    answer = bind(bare_cluster, a_binding(uid, namespace, subjects=subjects))
    assert answer.status == 403
    assert "a binding has one subject" in answer.message


def test_t21_where_the_controller_cant_bind(bare_cluster: Bed, uid: str) -> None:
    for place in ("kube-system", "daypass-system"):
        answer = bind(bare_cluster, a_binding(uid, place))
        assert answer.status == 403
        assert "nothing is granted in this namespace" in answer.message


@pytest.mark.parametrize(
    "role",
    [
        {"kind": "ClusterRole", "name": "cluster-admin"},
        {"kind": "ClusterRole", "name": "admin"},
        {"kind": "ClusterRole", "name": "daypass-approver"},
        {"kind": "ClusterRole", "name": "not-there-yet"},
        {"kind": "Role", "name": "view"},
    ],
)
def test_t20_t22_what_the_controller_cant_bind(bare_cluster: Bed, namespace: str, uid: str, role: Json) -> None:
    """Even where RBAC were wider: the second layer is tried with every permission, as an admin who plays controller."""
    binding = a_binding(uid, namespace, roleRef={"apiGroup": RBAC, **role})
    assert bind(bare_cluster, binding).status in (403, 404)
    path = path_of("rolebindings", namespace) + DRY
    answer = bare_cluster.request("POST", path, binding, headers=ALMIGHTY_CONTROLLER)
    assert answer.status == 403
    assert "may not be granted" in answer.message


def _without(body: Json, *keys: str) -> Json:
    metadata = {key: value for key, value in body["metadata"].items() if key not in keys}
    return {**body, "metadata": metadata}


def test_t60_bindings_have_label_owner_and_deadline(bare_cluster: Bed, namespace: str, uid: str) -> None:
    whole = a_binding(uid, namespace)
    for key in ("labels", "annotations", "ownerReferences"):
        assert bind(bare_cluster, _without(whole, key)).status == 403, key
    for name in ("view", f"daypass-{uid}-2"):
        assert bind(bare_cluster, {**whole, "metadata": {**whole["metadata"], "name": name}}).status == 403
    owner = whole["metadata"]["ownerReferences"][0]
    for owners in (
        [owner, {**owner, "controller": False, "name": "second", "uid": "2"}],
        [{**owner, "apiVersion": "v1", "kind": "ConfigMap"}],
        [{**owner, "name": "daypass-other"}],
    ):
        assert bind(bare_cluster, {**whole, "metadata": {**whole["metadata"], "ownerReferences": owners}}).status == 403
    kept = {**whole, "metadata": {**whole["metadata"], "finalizers": ["example.com/keep"]}}
    assert bind(bare_cluster, kept).status == 403


def test_t24_the_controller_touches_nothing_that_it_did_not_make(bare_cluster: Bed, namespace: str, uid: str) -> None:
    bare_cluster.kubectl("create", "rolebinding", f"daypass-{uid}", "--clusterrole=view", "--user=bob", "-n", namespace)
    path = path_of("rolebindings", namespace, f"daypass-{uid}")
    assert bare_cluster.request("DELETE", path, user=CONTROLLER).status == 403
    adopted = {key: value for key, value in a_binding(uid, namespace)["metadata"].items() if key != "name"}
    assert bare_cluster.request("PATCH", path, {"metadata": adopted}, user=CONTROLLER).status == 403
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "run-me", "namespace": namespace}}
    spec = a_dead_man(uid, namespace)["spec"]["template"]["spec"]
    job["spec"] = {"template": {"spec": {**spec, "serviceAccountName": "agent"}}}
    assert bare_cluster.request("POST", path_of("jobs", namespace), job, user=CONTROLLER).status == 403
    assert bare_cluster.request("DELETE", path_of("rolebindings", namespace), user=CONTROLLER).status == 403


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["*"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]},
        {"apiGroups": [RBAC], "resources": ["clusterroles"], "verbs": ["bind"]},
        {"apiGroups": [RBAC], "resources": ["roles"], "verbs": ["escalate"]},
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate-on:user-info:get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
        {"apiGroups": [RBAC], "resources": ["rolebindings"], "verbs": ["create"]},
        {"apiGroups": ["daypass.dev"], "resources": ["accessrequests/status"], "verbs": ["patch"]},
    ],
)
def test_t20_roles_that_the_controller_cant_make(bare_cluster: Bed, namespace: str, uid: str, rule: Json) -> None:
    """What it holds for its own work (Jobs, bindings, status) is not grantable either."""
    path, role = path_of("roles", namespace) + DRY, a_role(uid, namespace, rule)
    assert bare_cluster.request("POST", path, role, user=CONTROLLER).status == 403
    answer = bare_cluster.request("POST", path, role, headers=ALMIGHTY_CONTROLLER)
    assert answer.status == 403
    assert "daypass-operator-bounds" in answer.message


@contextmanager
def installed(bed: Bed, values: Json | None = None) -> Iterator[None]:
    """The chart as it stands with these values, webhook configurations included; afterwards as the module wants it."""
    bed.install(values)
    try:
        yield
    finally:
        if values:
            bed.install()
        bed.kubectl("delete", "mutatingwebhookconfiguration/daypass-requests")
        bed.kubectl("delete", "validatingwebhookconfiguration/daypass-validation")


def test_t21_roles_of_the_values_are_granted_in_their_namespace_alone(
    bare_cluster: Bed, namespace: str, uid: str
) -> None:
    bare_cluster.kubectl("create", "namespace", f"{namespace}-other")
    for place in (namespace, f"{namespace}-other"):
        for name in ("reader", "writer"):
            bare_cluster.kubectl("create", "role", name, "--verb=get", "--resource=pods", "-n", place)

    def answer(name: str, place: str = namespace, kind: str = "Role") -> int:
        role = {"apiGroup": RBAC, "kind": kind, "name": name}
        return bind(bare_cluster, a_binding(uid, place, roleRef=role)).status

    listed = {"clusterRoles": ["view"], "roles": [{"namespace": namespace, "name": "reader"}]}
    with installed(bare_cluster, {"grantableRoles": listed}):
        bare_cluster.wait_until(lambda: answer("reader") == 201, what="the new values in force")
        assert answer("view", kind="ClusterRole") == 201
        assert answer("reader", f"{namespace}-other") == 403
        assert answer("writer") == 403
        assert answer("edit", kind="ClusterRole") == 403


def test_t30_what_may_no_longer_be_granted_can_still_be_ended(bare_cluster: Bed, namespace: str) -> None:
    job, binding = grant(bare_cluster, namespace)
    narrower = {"neverGrantedNamespaces": ["kube-system", namespace], "grantableRoles": {"clusterRoles": []}}
    with installed(bare_cluster, narrower):
        other = a_binding(binding["metadata"]["labels"]["daypass.dev/request-uid"], namespace)
        path = path_of("rolebindings", namespace) + DRY

        def refused() -> bool:
            return "in this namespace" in bare_cluster.request("POST", path, other, headers=ALMIGHTY_CONTROLLER).message

        bare_cluster.wait_until(refused, what="the new values in force")
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        for kind, body in (("rolebindings", binding), ("jobs", job)):
            path = path_of(kind, namespace, body["metadata"]["name"])
            assert bare_cluster.request("DELETE", path, options, user=CONTROLLER).status == 200


def test_t20_grantable_rules_bound_the_roles_of_grants(bare_cluster: Bed, namespace: str, uid: str) -> None:
    read = {"apiGroups": [""], "resources": ["configmaps", "pods"], "verbs": ["get", "list"]}
    named = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"], "resourceNames": ["web"]}
    path = path_of("roles", namespace) + DRY

    def answer(*rules: Json) -> Response:
        return bare_cluster.request("POST", path, a_role(uid, namespace, *rules), user=CONTROLLER)

    with installed(bare_cluster, {"grantableRules": [read, named]}):
        bare_cluster.wait_until(lambda: answer(read).status == 201, what="the new values in force")
        assert answer(named, {**read, "resources": ["pods"], "resourceNames": ["one"]}).status == 201
        for wider in (
            {**read, "verbs": ["get", "delete"]},
            {**read, "resources": ["secrets"]},
            {**read, "apiGroups": ["", "apps"]},
            {**named, "resourceNames": ["web", "db"]},
            {key: value for key, value in named.items() if key != "resourceNames"},
        ):
            assert answer(wider).status == 403, wider
            almighty = bare_cluster.request("POST", path, a_role(uid, namespace, wider), headers=ALMIGHTY_CONTROLLER)
            assert "may not be granted" in almighty.message


def configuration(bed: Bed, kind: str, name: str) -> tuple[str, Json]:
    path = f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/{name}"
    return path, bed.request("GET", path).json


def test_t60_setup_fills_in_path_and_trust_and_nothing_else(bare_cluster: Bed) -> None:
    with installed(bare_cluster):
        for kind, name in (("mutating", "daypass-requests"), ("validating", "daypass-validation")):
            _try_to_change(bare_cluster, kind, name)


def _try_to_change(bed: Bed, kind: str, name: str) -> None:
    path, stored = configuration(bed, kind, name)
    webhook = stored["webhooks"][0]
    client = webhook["clientConfig"]
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"], "scope": "*"}
    changes: tuple[Json, ...] = (
        {"rules": [rule]},
        {"failurePolicy": "Ignore"},
        {"matchConditions": []},
        {"objectSelector": {"matchLabels": {"a": "b"}}},
        {"name": "other.daypass.dev"},
        {"clientConfig": {**client, "url": "https://203.0.113.1/all"}},
        {"clientConfig": {**client, "url": f"{bed.webhook_url}1/"}},
        {"clientConfig": {"service": {"name": "mine", "namespace": "default"}}},
    )
    for changed in changes:
        answer = bed.request("PATCH", path + DRY, {"webhooks": [{**webhook, **changed}]}, user=SETUP)
        assert answer.status == 403, changed
        assert "daypass setup" in answer.message
    for webhooks in ([], [webhook, {**webhook, "name": "second.daypass.dev"}]):
        assert bed.request("PATCH", path + DRY, {"webhooks": webhooks}, user=SETUP).status == 403
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}
    for hold in ({"ownerReferences": [owner]}, {"finalizers": ["example.com/hold"]}):
        answer = bed.request("PATCH", path + DRY, {"metadata": hold}, user=SETUP)
        assert answer.status == 403
        assert "no owners and no finalizers" in answer.message
    filled = {**webhook, "clientConfig": {**client, "url": f"{bed.webhook_url}/{'b' * 64}"}}
    assert bed.request("PATCH", path + DRY, {"webhooks": [filled]}, user=SETUP).status == 200
    assert bed.request("DELETE", path, user=SETUP).status == 403


def test_t60_setup_makes_its_own_secrets_and_no_other(bare_cluster: Bed) -> None:
    """RBAC can't bound create by name. A token Secret of the controller would be a way to its power."""
    token = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "daypass-serving-2",
            "namespace": "daypass-system",
            "annotations": {"kubernetes.io/service-account.name": "daypass-controller"},
        },
    }
    bare_cluster.kubectl("delete", "secret", "daypass-serving", "-n", "daypass-system")
    path = path_of("secrets", "daypass-system") + DRY
    ours: dict[str, Any] = json.loads(json.dumps(token))
    ours["metadata"]["name"] = "daypass-serving"
    for body in (token, ours, {**token, "type": "Opaque"}):
        assert bare_cluster.request("POST", path, body, user=SETUP).status == 403
    assert bare_cluster.request("POST", path, {**ours, "type": "Opaque"}, user=SETUP).status == 201
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt-2"}}
    assert bare_cluster.request("POST", path_of("configmaps", "daypass-system") + DRY, other, user=SETUP).status == 403
    owned = {**ours, "type": "Opaque"}
    owned["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Secret", "name": "gone", "uid": "gone"}]
    assert bare_cluster.request("POST", path, owned, user=SETUP).status == 403
    for name in ("daypass-signing", "daypass-ca"):
        assert bare_cluster.request("DELETE", path_of("secrets", "daypass-system", name), user=SETUP).status == 403
