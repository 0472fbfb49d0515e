"""Pods at the gate, with the real controllers: refused without an approved request, let through under one."""

import json
import re
import time
from typing import Any

import pytest

from bed import Bed
from cluster.gated import EVERYTHING, HOST_PATH, Gated, a_pod, a_spec, a_workload

KINDS = ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "replicationcontrollers")
PASTE = re.compile(r"To ask: echo '(.*)' \| kubectl create -f -$", re.DOTALL)
SECURE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def _maker(shop: Gated, plural: str, name: str) -> str:
    """The name of the object on which the controller reports that it can't make a pod."""
    if plural != "deployments":
        return name
    sets = shop.bed.request("GET", shop.url("replicasets")).json["items"]
    return next((one["metadata"]["name"] for one in sets if one["metadata"]["name"].startswith(f"{name}-")), "")


@pytest.mark.parametrize("plural", KINDS)
def test_t43_every_workload_kind_ends_at_its_pods(shop: Gated, plural: str) -> None:
    policy = shop.gate()
    name = f"it-{plural}"[:20]
    if plural == "daemonsets":
        shop.with_a_node()
    spec = a_spec(**HOST_PATH, tolerations=[{"operator": "Exists"}])
    answer = shop.create(plural, a_workload(plural, name, spec))
    assert answer.status == 201, answer.message

    def told() -> str:
        return next((one for one in shop.messages(_maker(shop, plural, name)) if "denied the request" in one), "")

    message = shop.bed.wait_until(told, 25, what=f"an Event of {name} that says why it has no pod")
    assert "uses HostPathVolumes:/var/log (spec.volumes[0].hostPath)" in message
    assert f"policy {policy} wants an approved request for that" in message
    assert len(message) <= 1024
    assert shop.pods() == []

    asked = PASTE.search(message)
    assert asked, message
    made = shop.bed.kubectl("create", "-f", "-", "-o", "name", user="alice", input=asked[1]).stdout.strip()
    request = made.partition("/")[2]
    shop.until(request, "AwaitingApproval")
    shop.approve(request)
    shop.until(request, "Active")
    if plural == "jobs":
        shop.bed.kubectl("delete", "job", name, "-n", shop.namespace)  # it gives up after its backoff limit
        shop.create(plural, a_workload(plural, name, spec))
    (pod,) = shop.bed.wait_until(shop.pods, 60, what=f"a pod of {name}")
    (use,) = shop.status(request)["uses"]
    assert (use["key"], use["name"]) == (pod["metadata"]["uid"], pod["metadata"]["name"])


@pytest.mark.parametrize("plural", ["deployments", "statefulsets"])
def test_a_controller_that_has_long_given_up_hurries_as_the_approved_request_says(shop: Gated, plural: str) -> None:
    shop.gate(request=True)
    assert shop.create(plural, a_workload(plural, "web")).status == 201
    (made,) = shop.bed.wait_until(shop.made, 25, what="a request")
    request = made["metadata"]["name"]
    time.sleep(25)  # by then some 20 seconds lie between two tries
    shop.approve(request)
    shop.until(request, "Active")
    assert shop.pods() == []
    _, _, command = shop.condition(request, "Ready")["message"].partition("at once after: kubectl ")
    shop.bed.kubectl(*command.split(), user="alice")
    shop.bed.wait_until(shop.pods, 25, what="the pod")
    assert len(shop.made()) == 1


def test_t43_a_cron_job_ends_at_its_pods(shop: Gated) -> None:
    shop.gate(request=True)
    assert shop.create("cronjobs", a_workload("cronjobs", "cron")).status == 201

    def jobs() -> list[dict[str, Any]]:
        return list(shop.bed.request("GET", shop.url("jobs")).json["items"])

    (job,) = shop.bed.wait_until(jobs, 75, what="the Job of this minute")
    assert job["metadata"]["annotations"]["daypass.dev/authors"].startswith("^")
    name = job["metadata"]["name"]
    (message,) = shop.bed.wait_until(lambda: shop.messages(name), 25, what="an Event of the Job")
    assert "of CronJob cron" in message
    (made,) = shop.made()
    assert made["metadata"]["name"] in message
    assert made["spec"]["workload"]["authors"] == ["alice"]
    assert made["spec"]["workload"]["owner"]["kind"] == "CronJob"


def test_a_bare_pod_is_refused_and_let_through_once_approved(shop: Gated) -> None:
    shop.gate(request=True)
    refused = shop.create("pods", a_pod("bare"))
    assert refused.status == 403
    (made,) = shop.made()
    request = made["metadata"]["name"]
    assert f"request {request} was made and waits for group approvers" in refused.message
    assert made["spec"]["requester"]["username"] == "alice"
    shop.until(request, "AwaitingApproval")
    assert " waits for " in shop.create("pods", a_pod("bare")).message
    assert shop.review(request, user="alice").status == 403
    shop.approve(request)
    shop.until(request, "Active")
    assert shop.create("pods", a_pod("bare")).status == 201
    second = shop.create("pods", a_pod("second"))
    assert second.status == 403, "one pod was approved"
    assert [one["name"] for one in shop.status(request)["uses"]] == ["bare"]


def test_what_was_denied_stays_refused_and_says_so(shop: Gated) -> None:
    shop.gate(request=True)
    shop.create("pods", a_pod("bare"))
    (made,) = shop.made()
    request = made["metadata"]["name"]
    shop.until(request, "AwaitingApproval")
    assert shop.review(request, "Deny", comment="not on this node").status == 200
    shop.until(request, "Denied")
    again = shop.create("pods", a_pod("bare"))
    assert again.status == 403
    assert f"request {request} was denied by bob: not on this node" in again.message
    assert f"kubectl delete areq {request} -n {shop.namespace}" in again.message
    assert len(shop.made()) == 1


def test_an_unprivileged_pod_and_one_of_nobodys_agent_pass(shop: Gated) -> None:
    shop.gate()
    assert shop.create("pods", a_pod("plain", a_spec()), user=shop.agent).status == 201
    assert shop.create("pods", a_pod("hers", a_spec("plain", **HOST_PATH)), user="alice").status == 201
    assert shop.create("deployments", a_workload("deployments", "hers", a_spec("plain", **HOST_PATH))).status == 201
    shop.bed.wait_until(lambda: shop.pods("hers-"), 25, what="the pod of a Deployment of alice's")


def test_t43_the_agent_under_another_service_account(shop: Gated) -> None:
    shop.gate(request=True)
    spec = a_spec("plain", **HOST_PATH)
    assert shop.create("pods", a_pod(spec=spec), user=shop.agent).status == 403
    assert shop.create("deployments", a_workload("deployments", "sly", spec), user=shop.agent).status == 201
    shop.bed.wait_until(lambda: shop.messages(_maker(shop, "deployments", "sly")), 25, what="an Event")
    assert shop.pods() == []
    assert all(one["spec"]["requester"]["username"].endswith(":agent") for one in shop.made())


def test_t40_a_label_that_is_left_out_helps_nobody(shop: Gated) -> None:
    shop.gate(workloads={"podLabels": {"role": "agent"}})
    assert shop.create("pods", a_pod(), user="alice").status == 403
    assert shop.create("pods", a_pod(labels={"role": "web"}), user="alice").status == 403
    labelled = a_pod(spec=a_spec("plain", **HOST_PATH), labels={"role": "agent"})
    assert shop.create("pods", labelled, user="alice").status == 403
    assert shop.create("pods", a_pod(spec=a_spec("plain", **HOST_PATH)), user="alice").status == 201


def test_t41_labels_of_the_namespace_are_looked_at_by_nobody(shop: Gated) -> None:
    shop.gate()
    labels = {"metadata": {"labels": {"daypass.dev/ungated": "true", "control-plane": "true"}}}
    assert shop.bed.request("PATCH", f"/api/v1/namespaces/{shop.namespace}", labels).status == 200
    assert shop.create("pods", a_pod()).status == 403
    renamed = {"metadata": {"labels": {"kubernetes.io/metadata.name": "another"}}}
    shop.bed.request("PATCH", f"/api/v1/namespaces/{shop.namespace}", renamed)
    assert shop.create("pods", a_pod()).status == 403


def test_t42_all_lists_of_containers(shop: Gated) -> None:
    shop.gate(privileges=["PrivilegedContainers"])
    bad = {"name": "bad", "image": "it", "securityContext": {"privileged": True}}
    good = {"name": "good", "image": "it"}
    for spec in (
        a_spec(containers=[good, bad]),
        a_spec(initContainers=[bad]),
        a_spec(initContainers=[{**bad, "restartPolicy": "Always"}]),
    ):
        answer = shop.create("pods", a_pod(spec=spec), user=shop.agent)
        assert answer.status == 403
        assert "PrivilegedContainers" in answer.message


def test_t44_privileges_that_no_security_context_shows(shop: Gated) -> None:
    shop.gate(privileges=EVERYTHING)
    quiet = {"automountServiceAccountToken": False}
    secure = [{"name": "it", "image": "it", "securityContext": SECURE}]

    def made(account: str = "plain", **more: Any) -> str:  # noqa: ANN401 - fields of a pod
        spec = a_spec(account, **{**quiet, "containers": secure, **more})
        return shop.create("pods", a_pod(spec=spec), user=shop.agent).message

    def volume(**source: object) -> dict[str, Any]:
        return {"volumes": [{"name": "v", **source}]}

    assert shop.create("pods", a_pod(spec=a_spec("plain", **quiet, containers=secure)), user=shop.agent).status == 201
    token = {"sources": [{"serviceAccountToken": {"path": "token", "audience": "vault"}}]}
    device = [{**secure[0], "resources": {"limits": {"nvidia.com/gpu": "1"}}}]
    secret_environment = [{**secure[0], "envFrom": [{"secretRef": {"name": "db"}}]}]
    for found, told in (
        (made(**volume(hostPath={"path": "/etc"})), "HostPathVolumes:/etc"),
        (made(**volume(projected=token)), "TokenMount"),
        (made(automountServiceAccountToken=True), "TokenMount"),
        (made(**volume(secret={"secretName": "db"})), "SecretMount:db"),
        (made(containers=secret_environment), "SecretMount:db"),
        (made(**volume(persistentVolumeClaim={"claimName": "data"})), "VolumeClaims:data"),
        (made(containers=device), "Devices:nvidia.com/gpu"),
        (made("agent"), "ServiceAccountPower:"),
    ):
        assert told in found, found


def test_t44_power_follows_what_roles_give_at_that_moment(shop: Gated) -> None:
    shop.gate(privileges=["ServiceAccountPower"], agents=None)
    assert shop.create("pods", a_pod(spec=a_spec("plain"))).status == 201
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    accounts = f"system:serviceaccounts:{shop.namespace}"
    for subject in (
        {"kind": "ServiceAccount", "name": "plain", "namespace": shop.namespace},
        {"kind": "User", "apiGroup": role["apiGroup"], "name": f"system:serviceaccount:{shop.namespace}:plain"},
        {"kind": "Group", "apiGroup": role["apiGroup"], "name": accounts},
    ):
        body = {"metadata": {"name": "power"}, "roleRef": role, "subjects": [subject]}
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.namespace}/rolebindings"
        assert shop.bed.request("POST", path, body).status == 201
        shop.bed.wait_until(
            lambda: "ServiceAccountPower:" in shop.create("pods", a_pod(spec=a_spec("plain")), dry_run=True).message, 5
        )
        assert shop.bed.request("DELETE", f"{path}/power").status == 200
        shop.bed.wait_until(lambda: shop.create("pods", a_pod(spec=a_spec("plain")), dry_run=True).status == 201, 25)


def test_t47_a_dry_run_asks_for_nothing_and_spends_nothing(shop: Gated) -> None:
    shop.gate(request=True)
    assert shop.create("pods", a_pod("bare"), dry_run=True).status == 403
    assert shop.made() == []
    shop.create("pods", a_pod("bare"))
    (made,) = shop.made()
    request = made["metadata"]["name"]
    shop.until(request, "AwaitingApproval")
    shop.approve(request)
    shop.until(request, "Active")
    for _ in range(3):
        assert shop.create("pods", a_pod("bare"), dry_run=True).status == 201
    assert not shop.status(request).get("uses")
    assert shop.create("pods", a_pod("bare")).status == 201


def test_a_dry_run_that_only_asks_for_a_digest_is_let_through(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    only = {"daypass.dev/digest-only": "true"}
    dry = shop.create("pods", a_pod("bare", annotations=only), dry_run=True)
    assert dry.status == 201
    assert "schedulingGates" not in dry.json["spec"]
    assert shop.create("pods", a_pod("bare", annotations=only)).json["spec"]["schedulingGates"]
    shop.gate(on_missing="Deny")
    assert shop.create("pods", a_pod("earnest", annotations=only), dry_run=True).status == 201
    assert shop.create("pods", a_pod("earnest", annotations=only)).status == 403


def test_the_refusal_of_many_privileges_stays_readable(shop: Gated) -> None:
    shop.gate(privileges=["Baseline"])
    volumes = [
        {"name": f"v{n}", "hostPath": {"path": f"/very/long/path/to/somewhere/on/the/node/{n}"}} for n in range(60)
    ]
    answer = shop.create("pods", a_pod(spec=a_spec(volumes=volumes)))
    assert answer.status == 403
    assert len(answer.message) <= 1000
    assert "more" in answer.message
    asked = PASTE.search(answer.message)
    if asked:
        json.loads(asked[1])
