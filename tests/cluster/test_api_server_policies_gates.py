"""The gates' webhook configurations, and stolen tokens that would turn them against the cluster (T45, T46, T60)."""

from pathlib import Path

import pytest

from bed import Bed
from bed.http import Response
from chart.rendering import named, render
from cluster.chains import CONTROLLER, SETUP, WEBHOOK, Json, path_of

pytestmark = pytest.mark.usefixtures("without_webhooks")

DRY = "?dryRun=All"
BASE = "/apis/admissionregistration.k8s.io/v1"
GATES = ("ValidatingWebhookConfiguration", "daypass-gates")
HOLDS = ("MutatingWebhookConfiguration", "daypass-holds")
BY_NAME = "kubernetes.io/metadata.name"
ALMIGHTY_CONTROLLER = {
    "Impersonate-User": "system:serviceaccount:daypass-system:daypass-controller",
    "Impersonate-Group": "system:masters",
}
"""The controller as if RBAC allowed it everything: what is left is the API server's own policy."""


def collection(kind: str, name: str = "") -> str:
    return f"{BASE}/{kind.lower()}s" + (f"/{name}" if name else "")


def a_rule(*resources: str, group: str = "", **changes: object) -> Json:
    rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": list(resources), "operations": ["CREATE"]}
    return {**rule, "scope": "*", **changes}


def outside(*namespaces: str, operator: str = "NotIn", key: str = BY_NAME) -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(namespaces)}]}


def a_webhook(bed: Bed, **changes: object) -> Json:
    """One entry as the controller computes it; a change of None takes a field out."""
    stated: Json = {
        "name": "shop.pods.if-unreachable.see-kubectl-get-pods-n.daypass-system.daypass.dev",
        "clientConfig": {"url": f"{bed.webhook_url}/{'a' * 64}"},
        "rules": [a_rule("pods")],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
        "namespaceSelector": outside("kube-system", "daypass-system"),
        **changes,
    }
    return {key: value for key, value in stated.items() if value is not None}


def a_configuration(bed: Bed, which: tuple[str, str] = GATES, *webhooks: Json, **metadata: object) -> Json:
    kind, name = which
    role = bed.request("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/daypass-controller", user=CONTROLLER)
    owner = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "daypass-controller"}
    owners = [{**owner, "uid": role.json["metadata"]["uid"]}]
    body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "webhooks": list(webhooks)}
    return {**body, "metadata": {"name": name, "ownerReferences": owners, **metadata}}


def create(bed: Bed, body: Json, user: str = CONTROLLER) -> Response:
    return bed.request("POST", collection(body["kind"]) + DRY, body, user=user)


def test_the_controller_keeps_its_two_configurations(bare_cluster: Bed, namespace: str) -> None:
    literal = outside(namespace, operator="In")
    for which in (GATES, HOLDS):
        webhook = a_webhook(bare_cluster, namespaceSelector=literal, failurePolicy="Ignore")
        body = a_configuration(bare_cluster, which, webhook)
        path = collection(*which)
        made = bare_cluster.request("POST", collection(which[0]), body, user=CONTROLLER)
        assert made.status == 201, made.message
        try:
            for webhooks in ([webhook, {**webhook, "name": "second.gate.daypass.dev"}], []):
                stored = bare_cluster.request("GET", path, user=CONTROLLER).json
                assert (
                    bare_cluster.request("PUT", path, {**stored, "webhooks": webhooks}, user=CONTROLLER).status == 200
                )
            assert bare_cluster.request("PATCH", path, {"webhooks": []}, user=CONTROLLER).status == 403
            listed = f"{collection(which[0])}?fieldSelector=metadata.name%3D{which[1]}"
            assert len(bare_cluster.request("GET", listed, user=CONTROLLER).json["items"]) == 1
            assert bare_cluster.request("DELETE", path, user=CONTROLLER).status == 403
        finally:
            assert bare_cluster.request("DELETE", path).status == 200


NEEDED: tuple[tuple[list[Json], Json], ...] = (
    ([a_rule("pods", "pods/ephemeralcontainers", "pods/resize", operations=["CREATE", "UPDATE"])], {}),
    ([a_rule("pods/exec", "pods/attach", "pods/portforward", operations=["CONNECT"])], {}),
    ([a_rule("persistentvolumeclaims", operations=["DELETE"])], {"failurePolicy": "Ignore"}),
    ([a_rule("serviceaccounts/token", "pods/eviction", "services/proxy")], {}),
    ([a_rule("rolebindings", "clusterrolebindings", group="rbac.authorization.k8s.io")], {}),
    ([a_rule("deployments/scale", group="apps"), a_rule("namespaces", operations=["DELETE"])], {}),
    ([a_rule("workflows", group="argoproj.io")], {"matchConditions": [{"name": "a", "expression": "true"}]}),
    ([a_rule("pods")], {"namespaceSelector": outside("shop", "kube-public", operator="In"), "timeoutSeconds": 1}),
)


def test_what_gates_need_is_allowed(bare_cluster: Bed) -> None:
    several = [
        a_webhook(bare_cluster, name=f"a{number}.gate.daypass.dev", rules=rules, **changes)
        for number, (rules, changes) in enumerate(NEEDED)
    ]
    answer = create(bare_cluster, a_configuration(bare_cluster, GATES, *several))
    assert answer.status == 201, answer.message
    workloads = [
        a_rule("deployments", "replicasets", "statefulsets", "daemonsets", group="apps"),
        a_rule("jobs", "cronjobs", group="batch"),
        a_rule("pods", "replicationcontrollers"),
    ]
    holds = a_configuration(
        bare_cluster, HOLDS, a_webhook(bare_cluster, rules=workloads, reinvocationPolicy="IfNeeded")
    )
    assert create(bare_cluster, holds).status == 201
    without_owner = {**holds, "metadata": {"name": "daypass-holds"}}
    assert create(bare_cluster, without_owner).status == 201


def test_two_hundred_gates_are_within_what_the_api_server_computes(bare_cluster: Bed) -> None:
    rules = [a_rule(*(f"things{number}" for number in range(16)), group=f"group{each}.dev") for each in range(4)]
    names = outside("kube-system", "daypass-system", *(f"namespace-{number}" for number in range(20)))
    many = [
        a_webhook(bare_cluster, name=f"policy-{number}.pods.gate.daypass.dev", rules=rules, namespaceSelector=names)
        for number in range(200)
    ]
    answer = create(bare_cluster, a_configuration(bare_cluster, GATES, *many))
    assert answer.status == 201, answer.message


ELSEWHERE: tuple[Json, ...] = (
    {"url": "https://203.0.113.1/all"},
    {"url": "https://127.0.0.1/all"},
    {"service": {"name": "mine", "namespace": "default", "port": 443}},
    {"service": {"name": "daypass-webhook", "namespace": "default", "port": 443}},
)
SELECTORS: tuple[Json | None, ...] = (
    None,
    {},
    {"matchLabels": {"team": "shop"}},
    outside("kube-system"),
    outside("daypass-system"),
    outside("kube-system", "daypass-system", key="team"),
    outside("shop", "kube-system", operator="In"),
    outside("daypass-system", operator="In"),
    {"matchExpressions": [{"key": BY_NAME, "operator": "Exists"}]},
    {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]},
)
RULES: tuple[tuple[Json, str], ...] = (
    (a_rule("secrets"), "Secrets"),
    (a_rule("secrets/status"), "Secrets"),
    (a_rule("pods", "secrets"), "Secrets"),
    (a_rule("*"), "every resource"),
    (a_rule("*/*"), "every resource"),
    (a_rule("pods/*"), "every resource"),
    (a_rule("*/scale", group="apps"), "every resource"),
    (a_rule("nodes"), "nodes"),
    (a_rule("nodes/proxy"), "nodes"),
    (a_rule("events"), "events"),
    (a_rule("pods", group="*"), "every API group"),
    (a_rule("accessrequests", group="daypass.dev"), "Daypass's own"),
    (a_rule("accessrequests/status", group="daypass.dev"), "Daypass's own"),
    (a_rule("leases", group="coordination.k8s.io"), "leases"),
    (a_rule("events", group="events.k8s.io"), "events"),
    (a_rule("tokenreviews", group="authentication.k8s.io"), "tokens"),
    (a_rule("subjectaccessreviews", group="authorization.k8s.io"), "permissions"),
    (a_rule("certificatesigningrequests", group="certificates.k8s.io"), "certificates"),
    (a_rule("validatingadmissionpolicies", group="admissionregistration.k8s.io"), "admission's own"),
)


@pytest.mark.parametrize("which", [GATES, HOLDS])
def test_t46_t60_a_stolen_token_points_no_gate_elsewhere(bare_cluster: Bed, which: tuple[str, str]) -> None:
    for client in (*ELSEWHERE, {"url": f"{bare_cluster.webhook_url}1/"}):
        webhook = a_webhook(bare_cluster, name="second.gate.daypass.dev", clientConfig=client)
        answer = create(bare_cluster, a_configuration(bare_cluster, which, a_webhook(bare_cluster), webhook))
        assert answer.status == 403, client
        assert "at the address that the chart was installed with" in answer.message, client


@pytest.mark.parametrize("which", [GATES, HOLDS])
@pytest.mark.parametrize(("rule", "says"), RULES)
def test_t45_t60_a_stolen_token_adds_no_rule_on_secrets_or_on_the_cluster_itself(
    bare_cluster: Bed, which: tuple[str, str], rule: Json, says: str
) -> None:
    for rules in ([rule], [a_rule("pods"), rule]):
        answer = create(bare_cluster, a_configuration(bare_cluster, which, a_webhook(bare_cluster, rules=rules)))
        assert answer.status == 403
        assert says in answer.message
        assert "no gate is on" in answer.message


@pytest.mark.parametrize("which", [GATES, HOLDS])
@pytest.mark.parametrize("selector", SELECTORS)
def test_t45_no_gate_covers_kube_system_or_daypass(
    bare_cluster: Bed, which: tuple[str, str], selector: Json | None
) -> None:
    webhook = a_webhook(bare_cluster, namespaceSelector=selector)
    answer = create(bare_cluster, a_configuration(bare_cluster, which, webhook))
    assert answer.status == 403
    assert "excludes kube-system and Daypass's own namespace" in answer.message


@pytest.mark.parametrize("which", [GATES, HOLDS])
def test_t45_t60_other_bounds_of_the_configurations(bare_cluster: Bed, which: tuple[str, str]) -> None:
    for seconds in (6, 30, None):
        webhook = a_webhook(bare_cluster, timeoutSeconds=seconds)
        answer = create(bare_cluster, a_configuration(bare_cluster, which, webhook))
        assert answer.status == 403
        assert "longer than 5 seconds" in answer.message
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}
    for metadata in ({"ownerReferences": [owner]}, {"finalizers": ["example.com/hold"]}):
        answer = create(bare_cluster, a_configuration(bare_cluster, which, a_webhook(bare_cluster), **metadata))
        assert answer.status == 403
        assert "no finalizers, and no owner but" in answer.message


def test_t60_what_daypass_changes_is_pods_and_workloads_alone(bare_cluster: Bed) -> None:
    for rule in (
        a_rule("configmaps"),
        a_rule("pods/ephemeralcontainers"),
        a_rule("deployments/scale", group="apps"),
        a_rule("rolebindings", group="rbac.authorization.k8s.io"),
    ):
        assert (
            create(bare_cluster, a_configuration(bare_cluster, GATES, a_webhook(bare_cluster, rules=[rule]))).status
            == 201
        )
        answer = create(bare_cluster, a_configuration(bare_cluster, HOLDS, a_webhook(bare_cluster, rules=[rule])))
        assert answer.status == 403
        assert "Daypass changes pods, to hold them" in answer.message


def test_t46_t60_a_stolen_token_makes_no_other_configuration(bare_cluster: Bed) -> None:
    """RBAC can't bound create by name; the policy of the API server does, whatever RBAC allows."""
    for kind, name in (
        (GATES[0], "daypass-gates-2"),
        (GATES[0], "daypass-holds"),
        (GATES[0], "daypass-validation"),
        (HOLDS[0], "daypass-gates"),
        (HOLDS[0], "daypass-requests"),
        (HOLDS[0], "other"),
    ):
        body = a_configuration(bare_cluster, (kind, name), a_webhook(bare_cluster))
        answer = create(bare_cluster, body)
        assert answer.status == 403
        assert "daypass-gates and" in answer.message
        assert create(bare_cluster, body, user=WEBHOOK).status == 403
        assert create(bare_cluster, body, user=SETUP).status == 403


def test_t46_a_stolen_token_deletes_no_configuration(bare_cluster: Bed) -> None:
    body = a_configuration(bare_cluster, GATES)
    path = collection(*GATES)
    assert bare_cluster.request("POST", collection(GATES[0]), body, user=CONTROLLER).status == 201
    try:
        for query in ("", DRY):
            answer = bare_cluster.request("DELETE", path + query, headers=ALMIGHTY_CONTROLLER)
            assert answer.status == 403
            assert "deletes none" in answer.message
        for account in (WEBHOOK, SETUP):
            for method, content in (("GET", None), ("PATCH", {"webhooks": []}), ("PUT", body), ("DELETE", None)):
                assert bare_cluster.request(method, path, content, user=account).status == 403
    finally:
        assert bare_cluster.request("DELETE", path).status == 200


def test_t46_t60_inside_a_cluster_gates_are_served_by_our_own_service(bare_cluster: Bed, tmp_path: Path) -> None:
    """The policy as an ordinary installation brings it, in another namespace and so beside the bed's own."""
    objects = render(tmp_path, namespace="access")
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    for kind in kinds:
        body = named(objects, kind, "daypass-gates-bounds")
        body["metadata"]["name"] = "inside"
        body["spec"].update({"policyName": "inside"} if kind == kinds[1] else {})
        bare_cluster.apply(body)
    service = {"name": "daypass-webhook", "namespace": "access", "port": 443, "path": "/" + "a" * 64}
    headers = {**ALMIGHTY_CONTROLLER, "Impersonate-User": "system:serviceaccount:access:daypass-controller"}

    def attempt(client: Json) -> Response:
        names = outside("kube-system", "access")
        webhook = a_webhook(bare_cluster, clientConfig=client, namespaceSelector=names)
        body = a_configuration(bare_cluster, GATES, webhook)
        return bare_cluster.request("POST", collection(GATES[0]) + DRY, body, headers=headers)

    wrong: tuple[Json, ...] = (
        {"url": f"{bare_cluster.webhook_url}/{'a' * 64}"},
        *({"service": {**service, **change}} for change in ({"name": "mine"}, {"namespace": "shop"}, {"port": 444})),
    )
    try:
        bare_cluster.wait_until(lambda: attempt(wrong[0]).status == 403, what="the policy is in force")
        assert attempt({"service": service}).status == 201
        for client in wrong:
            answer = attempt(client)
            assert answer.status == 403, client
            assert "at the address that the chart was installed with" in answer.message
    finally:
        for kind in kinds:
            bare_cluster.kubectl("delete", kind, "inside")


def test_t60_setup_says_where_gates_are_served(bare_cluster: Bed) -> None:
    """Its two ConfigMaps and no third; the controller reads where, and can't write it."""
    path = path_of("configmaps", "daypass-system", "daypass-gates-endpoint")
    assert bare_cluster.request("GET", path, user=CONTROLLER).status == 200
    changed = {"data": {"other": "x"}}
    assert bare_cluster.request("PATCH", path + DRY, changed, user=SETUP).status == 200
    for account in (CONTROLLER, WEBHOOK):
        assert bare_cluster.request("PATCH", path + DRY, changed, user=account).status == 403
    owned = {"metadata": {"finalizers": ["example.com/hold"]}}
    assert bare_cluster.request("PATCH", path + DRY, owned, user=SETUP).status == 403
