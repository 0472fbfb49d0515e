"""What RBAC allows the ServiceAccounts of our processes, whole: what a stolen token starts from (T20, T60)."""

import json

import pytest

from bed import Bed
from cluster.chains import CONTROLLER, RBAC, SETUP, WEBHOOK, Json, path_of

pytestmark = pytest.mark.usefixtures("without_webhooks")

ACCOUNTS = (CONTROLLER, WEBHOOK, SETUP)


def may(bed: Bed, user: str, verb: str, resource: str, namespace: str) -> bool:
    """Ask as kubectl auth can-i does; ``resource`` is PLURAL[.GROUP][/SUBRESOURCE][#NAME]."""
    resource, _, name = resource.partition("#")
    resource, _, subresource = resource.partition("/")
    plural, _, group = resource.partition(".")
    wanted = {"verb": verb, "group": group, "resource": plural, "subresource": subresource, "name": name}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**wanted, "namespace": namespace}},
    }
    answer = bed.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, user=user)
    return bool(answer.json["status"]["allowed"])


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("escalate", "roles.rbac.authorization.k8s.io"),
        ("bind", "clusterroles.rbac.authorization.k8s.io#cluster-admin"),
        ("bind", "clusterroles.rbac.authorization.k8s.io#admin"),
        ("bind", "roles.rbac.authorization.k8s.io#any"),
        ("impersonate", "users"),
        ("impersonate", "groups"),
        ("impersonate", "serviceaccounts"),
        ("create", "serviceaccounts/token"),
        ("create", "pods"),
        ("create", "pods/exec"),
        ("update", "pods"),
        ("delete", "pods"),
        ("create", "pods/binding"),
        ("create", "deployments.apps"),
        ("patch", "deployments.apps"),
        ("get", "nodes/proxy"),
        ("list", "secrets"),
        ("get", "secrets#other"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("update", "clusterroles.rbac.authorization.k8s.io"),
        ("approve", "accessrequests.daypass.dev"),
        ("update", "accessrequests.daypass.dev"),
        ("patch", "accessrequests.daypass.dev"),
        ("create", "approvalpolicies.daypass.dev"),
        ("patch", "approvalpolicies.daypass.dev"),
        ("delete", "approvalpolicies.daypass.dev"),
        ("create", "validatingadmissionpolicies.admissionregistration.k8s.io"),
        ("patch", "validatingadmissionpolicies.admissionregistration.k8s.io#daypass-reviews"),
        ("delete", "validatingadmissionpolicybindings.admissionregistration.k8s.io#daypass-reviews"),
        ("delete", "mutatingwebhookconfigurations.admissionregistration.k8s.io#daypass-requests"),
        ("delete", "validatingwebhookconfigurations.admissionregistration.k8s.io#daypass-gates"),
        ("patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io#other"),
        ("list", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
        ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ],
)
def test_t20_t60_no_account_holds_a_way_to_everything(
    bare_cluster: Bed, account: str, verb: str, resource: str
) -> None:
    for namespace in ("", "default", "daypass-system"):
        assert not may(bare_cluster, account, verb, resource, namespace)


def test_t20_the_controller_binds_the_listed_roles_alone(bare_cluster: Bed) -> None:
    for role, allowed in (("view", True), ("edit", True), ("admin", False), ("", False)):
        resource = f"clusterroles.{RBAC}" + (f"#{role}" if role else "")
        assert may(bare_cluster, CONTROLLER, "bind", resource, "") is allowed


@pytest.mark.parametrize("account", [CONTROLLER, WEBHOOK])
def test_t60_running_processes_write_no_configuration_and_read_no_key(bare_cluster: Bed, account: str) -> None:
    for name in ("daypass-signing", "daypass-ca", "daypass-serving", "daypass-webhook-paths"):
        assert bare_cluster.request("GET", path_of("secrets", "daypass-system", name), user=account).status == 403
    for kind, name in (("mutating", "daypass-requests"), ("validating", "daypass-validation")):
        path = f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/{name}"
        for method, body in (("GET", None), ("PATCH", {"webhooks": []}), ("DELETE", None)):
            assert bare_cluster.request(method, path, body, user=account).status == 403


def test_t60_the_webhook_alone_makes_requests(bare_cluster: Bed) -> None:
    for account in ACCOUNTS:
        assert may(bare_cluster, account, "create", "accessrequests.daypass.dev", "default") is (account == WEBHOOK)


READ = "get list watch"
ADMISSION = "admissionregistration.k8s.io"
KINDS = (
    *("apps/daemonsets", "apps/deployments", "apps/replicasets", "apps/statefulsets"),
    *("batch/cronjobs", "batch/jobs", "/replicationcontrollers"),
)
WORKLOADS = dict.fromkeys(KINDS, "get")
EVERYWHERE = {
    CONTROLLER: WORKLOADS
    | {
        "daypass.dev/accessrequests": f"delete {READ}",
        "daypass.dev/approvalpolicies": READ,
        "daypass.dev/accessrequests/status": "patch",
        "daypass.dev/approvalpolicies/status": "patch",
        "batch/jobs": "create delete get list patch watch",
        f"{RBAC}/rolebindings": "create delete get list update watch",
        f"{RBAC}/roles": "create delete get list update watch",
        f"{RBAC}/clusterroles": READ,
        f"{RBAC}/clusterroles#edit": "bind",
        f"{RBAC}/clusterroles#view": "bind",
        "/serviceaccounts": READ,
        "/namespaces": READ,
        "events.k8s.io/events": "create",
        "/pods": "get list patch watch",
        "/pods/eviction": "create",
        "/persistentvolumeclaims": "get",
        "/services": "get",
        f"{ADMISSION}/validatingwebhookconfigurations": "create",
        f"{ADMISSION}/mutatingwebhookconfigurations": "create",
        f"{ADMISSION}/validatingwebhookconfigurations#daypass-gates": "get list update watch",
        f"{ADMISSION}/mutatingwebhookconfigurations#daypass-holds": "get list update watch",
    },
    WEBHOOK: WORKLOADS
    | {
        "daypass.dev/accessrequests": f"create {READ}",
        "daypass.dev/accessrequests/status": "patch",
        "daypass.dev/approvalpolicies": READ,
        "/namespaces": READ,
        "/pods": "get",
        f"{RBAC}/rolebindings": READ,
        f"{RBAC}/roles": READ,
        f"{RBAC}/clusterrolebindings": READ,
        f"{RBAC}/clusterroles": READ,
    },
    SETUP: {
        f"{ADMISSION}/mutatingwebhookconfigurations#daypass-requests": "get patch",
        f"{ADMISSION}/validatingwebhookconfigurations#daypass-validation": "get patch",
    },
}
AT_HOME = {
    CONTROLLER: {
        "coordination.k8s.io/leases": "create",
        "coordination.k8s.io/leases#daypass-controller": "get update",
        "/configmaps#daypass-signing-keys": "get",
        "/configmaps#daypass-gates-endpoint": READ,
    },
    WEBHOOK: {"/configmaps#daypass-signing-keys": READ},
    SETUP: {
        "/secrets": "create",
        "/configmaps": "create",
        "/secrets#daypass-ca": "get patch",
        "/secrets#daypass-serving": "get patch",
        "/secrets#daypass-signing": "get patch",
        "/secrets#daypass-webhook-paths": "get patch",
        "/configmaps#daypass-signing-keys": "get patch",
        "/configmaps#daypass-gates-endpoint": "get patch",
    },
}
"""All that a stolen token of each account is allowed by RBAC; the policies of the API server narrow it further."""


@pytest.mark.parametrize("account", ACCOUNTS)
def test_t60_what_a_stolen_token_can_do(bare_cluster: Bed, account: str) -> None:
    assert held(bare_cluster, account, "default") == EVERYWHERE[account]
    assert held(bare_cluster, account, "daypass-system") == EVERYWHERE[account] | AT_HOME[account]


def held(bed: Bed, account: str, namespace: str) -> dict[str, str]:
    """What the account may do there, as GROUP/RESOURCE[#NAME] with its verbs, without what everybody may."""
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = bed.request("POST", path, {**kind, "spec": {"namespace": namespace}}, user=account)
    found: dict[str, set[str]] = {}
    for rule in answer.json["status"]["resourceRules"]:
        for group in rule.get("apiGroups", []):
            for resource in rule.get("resources", []):
                for name in rule.get("resourceNames") or [""]:
                    key = f"{group}/{resource}" + (f"#{name}" if name else "")
                    found.setdefault(key, set()).update(rule["verbs"])
    everybodys = ("authorization.k8s.io/", "authentication.k8s.io/")
    return {key: " ".join(sorted(verbs)) for key, verbs in found.items() if not key.startswith(everybodys)}


def test_policies_of_the_api_server_compile_without_a_warning(bare_cluster: Bed) -> None:
    def checked() -> list[Json] | None:
        text = bare_cluster.kubectl("get", "validatingadmissionpolicies", "-o", "json").stdout
        found: list[Json] = json.loads(text)["items"]
        return found if all("typeChecking" in policy.get("status", {}) for policy in found) else None

    policies = bare_cluster.wait_until(checked, what="the API server checked the types of our policies")
    assert {policy["metadata"]["name"] for policy in policies} == {
        "daypass-authors",
        "daypass-dead-man-jobs",
        "daypass-dead-man-pods",
        "daypass-gates-bounds",
        "daypass-holds",
        "daypass-holds-labels",
        "daypass-holds-status",
        "daypass-labelled-objects",
        "daypass-operator-bounds",
        "daypass-pod-bounds",
        "daypass-requests",
        "daypass-reviews",
        "daypass-setup-bounds",
        "daypass-webhook-bounds",
    }
    for policy in policies:
        assert policy["status"]["typeChecking"] == {}, policy["metadata"]["name"]
        assert policy["spec"]["failurePolicy"] == "Fail"
