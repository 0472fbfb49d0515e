"""Doors to the gate that no other module opens: each is shut, or is open as docs/gate.md says that it is (T40 to T44, T58)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bed import Bed
from bed.http import Response
from cluster.errands import RBAC, Json
from cluster.gated import HOST_PATH, SCHEDULING_GATE, a_pod, a_spec, a_workload
from cluster.operating import BINDINGS, VOLUMES, Operated, a_binding

HOST = "does not have a host assigned"
"""What the API server says of exec into a pod that runs nowhere, once admission has let the call through."""
RESOURCES = f"/apis/{RBAC}/v1"


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Iterator[Operated]:
    """Its policies go at the end: gates on objects of the whole cluster concern every other test."""
    Operated.open(cluster, namespace)
    yield Operated(cluster, namespace)
    policies = cluster.kubectl("get", "approvalpolicies", "-o", "name").stdout.split()
    mine = [one for one in policies if one.endswith(f"-{namespace}")]
    if mine:
        cluster.kubectl("delete", *mine)


def _roles(shop: Operated, name: str = "") -> str:
    return f"{RESOURCES}/namespaces/{shop.namespace}/roles" + (f"/{name}" if name else "")


# Pods


@pytest.mark.parametrize("how", ["create", "apply", "server-side apply", "replace --force"])
def test_t43_however_kubectl_brings_a_pod(shop: Operated, how: str) -> None:
    policy = shop.gate()
    words = how.replace("server-side apply", "apply --server-side").split()
    done = shop.bed.kubectl(
        *words, "-n", shop.namespace, "-f", "-", user="alice", input=json.dumps(a_pod("it")), check=False
    )
    assert f"policy {policy} wants an approved request" in done.stderr
    assert shop.pods() == []


def test_t43_a_job_made_by_hand_from_a_cron_job_has_two_authors(shop: Operated) -> None:
    shop.gate(on_missing="Hold")
    cron = a_workload("cronjobs", "cron")
    cron["spec"]["suspend"] = True
    assert shop.create("cronjobs", cron, user="alice").status == 201
    shop.bed.kubectl("create", "job", "now", "--from=cronjob/cron", "-n", shop.namespace, user="erin")
    (made,) = shop.bed.wait_until(shop.made, 25, what="a request")
    assert made["spec"]["workload"]["owner"]["kind"] == "CronJob"
    assert sorted(made["spec"]["workload"]["authors"]) == ["alice", "erin"]


def test_t58_kubectl_debug_copies_a_pod_through_the_gate(shop: Operated) -> None:
    assert shop.create("pods", a_pod("it")).status == 201
    shop.gate()
    done = shop.bed.kubectl(
        *("debug", "it", "--copy-to=copy", "--image=registry.example/debug:1", "--attach=false"),
        *("-n", shop.namespace), user="alice", check=False,
    )  # fmt: skip
    assert "HostPathVolumes:/var/log" in done.stderr
    assert [pod["metadata"]["name"] for pod in shop.pods()] == ["it"]


def test_t58_kubectl_debug_of_a_node_is_a_privileged_pod(shop: Operated) -> None:
    shop.with_a_node()
    shop.gate(privileges=["Baseline"], agents=None)
    done = shop.bed.kubectl(
        *("debug", "node/node-1", "--profile=sysadmin", "--image=registry.example/debug:1", "--attach=false"),
        *("-n", shop.namespace), check=False,
    )  # fmt: skip
    assert "HostNamespaces" in done.stderr
    assert shop.pods() == []


def test_t58_more_replicas_are_more_pods(shop: Operated) -> None:
    shop.gate()
    asked = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes"], "maxPods": 2}
    body = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "two", "namespace": shop.namespace},
        "spec": {"workload": asked, "durationSeconds": 600, "reason": "to see it work"},
    }
    assert shop.bed.request("POST", shop.path(), body, user="erin").status == 201
    shop.approved("two")
    assert shop.create("replicasets", a_workload("replicasets", "web")).status == 201
    shop.bed.wait_until(lambda: len(shop.pods("web-")) == 1, 25, what="the one pod")
    shop.bed.kubectl("scale", "replicaset", "web", "--replicas=5", "-n", shop.namespace, user="alice")
    shop.bed.wait_until(lambda: any("two has no pod left of 2" in one for one in shop.messages("web")), 25)
    assert len(shop.pods("web-")) == 2


def test_t58_who_impersonates_the_agent_is_the_agent(shop: Operated) -> None:
    shop.gate(request=True)
    body = a_pod("it", a_spec("plain", **HOST_PATH))
    agent = {"Impersonate-User": f"system:serviceaccount:{shop.namespace}:agent"}
    refused = shop.bed.request("POST", shop.url("pods"), body, headers=agent)
    assert refused.status == 403
    (made,) = shop.made()
    assert made["spec"]["requester"]["username"] == agent["Impersonate-User"]
    assert shop.create("pods", body, user="admin").status == 201


def test_t58_who_may_act_as_another_account_is_that_one(shop: Operated) -> None:
    """``edit`` includes impersonation of a namespace's ServiceAccounts, and admission sees the other one only."""
    shop.gate()
    body = a_pod("it", a_spec("plain", **HOST_PATH))
    plain = {"Impersonate-User": f"system:serviceaccount:{shop.namespace}:plain"}
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"}
    subject = {"kind": "ServiceAccount", "name": "plain", "namespace": shop.namespace}
    binding = {"metadata": {"name": "plain"}, "roleRef": role, "subjects": [subject]}
    path = f"{RESOURCES}/namespaces/{shop.namespace}/rolebindings"
    assert shop.bed.request("POST", path, binding).status == 201

    def as_plain() -> Response:
        return shop.bed.request("POST", f"{shop.url('pods')}?dryRun=All", body, user=shop.agent, headers=plain)

    assert shop.create("pods", body, user=shop.agent, dry_run=True).status == 403
    assert as_plain().status == 201, "this gate names the agent alone"
    shop.gate("every-account", agents=[{"kind": "ServiceAccount", "name": "*"}])
    assert as_plain().status == 403


def test_what_is_held_stays_held_when_its_policy_goes(shop: Operated) -> None:
    policy = shop.gate(on_missing="Hold")
    assert shop.create("pods", a_pod("it")).status == 201
    shop.bed.wait_until(shop.made, 25, what="a request")
    shop.bed.kubectl("delete", "approvalpolicy", policy)
    name = shop.only_request()
    shop.until(name, "Denied")
    assert [gate["name"] for gate in shop.read("pods", "it")["spec"]["schedulingGates"]] == [SCHEDULING_GATE]
    assert shop.bed.wait_until(lambda: [one for one in shop.messages("it") if "Stays held" in one], 25)
    shop.bed.kubectl("delete", "pod", "it", "-n", shop.namespace, "--force", user="alice")
    shop.bed.wait_until(lambda: shop.create("pods", a_pod("it")).json["spec"].get("schedulingGates") is None, 25)


# Into pods


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_t42_exec_is_one_door_by_whatever_method(shop: Operated, method: str) -> None:
    assert shop.create("pods", a_pod("it")).status == 201
    path = shop.core("pods", "it", "exec") + "?command=id&stdout=true"
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = {
        **upgrade,
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
    }

    def go() -> Response:
        return shop.bed.request(method, path, user=shop.agent, headers=headers if method == "GET" else None)

    assert HOST in go().message
    policy = shop.gate()
    refused = go()
    assert refused.status == 403
    assert f"exec into pod it: policy {policy} wants" in refused.message


def test_t42_reading_the_log_of_a_pod_comes_to_no_gate(shop: Operated) -> None:
    """Nothing that only reads is shown to admission."""
    assert shop.create("pods", a_pod("it")).status == 201
    shop.gate()
    answer = shop.bed.request("GET", shop.core("pods", "it", "log"), user=shop.agent)
    assert "wants an approved request" not in answer.message
    assert shop.bed.request("GET", shop.core("secrets"), user=shop.agent).status == 200


@pytest.mark.parametrize("plural", ["pods", "services"])
def test_t58_a_proxy_is_gated_where_a_gate_names_it(shop: Operated, plural: str) -> None:
    assert shop.create("pods", a_pod("it")).status == 201
    service = {"metadata": {"name": "it"}, "spec": {"ports": [{"port": 80}]}}
    assert shop.bed.request("POST", shop.core("services"), service).status == 201
    path = shop.core(plural, "it", "proxy")

    def go() -> Response:
        return shop.bed.request("GET", f"{path}/secret/path")

    shop.gate()
    open_still = go()
    assert "wants an approved request" not in open_still.message, "a gate for pods does not look at their ports"
    policy = shop.gate_actions({"verbs": ["connect"], "groups": [""], "resources": [f"{plural}/proxy"]}, name="proxies")
    refused = go()
    assert refused.status == 403
    assert f"connect {plural}/proxy it: policy {policy} wants" in refused.message
    request = shop.only_request()
    assert shop.get(request)["spec"]["action"]["findings"][0].startswith('path: "/secret/path"')
    shop.approved(request)
    assert shop.bed.wait_until(lambda: "wants an approved request" not in go().message)


@pytest.mark.parametrize("plural", ["services", "pods"])
def test_t58_a_proxy_is_gated_by_whatever_name_of_its_object(shop: Operated, plural: str) -> None:
    """The API server takes NAME, NAME:PORT and SCHEME:NAME:PORT for the same object."""
    shop.gate_actions({"verbs": ["connect"], "groups": [""], "resources": [f"{plural}/proxy"], "names": ["it"]})
    for name, stopped in {"it": True, "it:80": True, "https:it:80": True, ":it:80": True, "other:80": False}.items():
        answer = shop.bed.request("GET", f"{shop.core(plural, name, 'proxy')}/")
        assert ("wants an approved request" in answer.message) is stopped, name


# What the agent may do


def test_t44_a_role_that_the_agent_has_already(shop: Operated) -> None:
    """Bindings that name the agent are one door, what they give is another: a gate has to name it."""
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    assert shop.bed.request("POST", _roles(shop), {"metadata": {"name": "small"}, "rules": rules}).status == 201
    agent = {"kind": "ServiceAccount", "name": "agent", "namespace": shop.namespace}
    more = {"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}
    shop.gate_actions({**BINDINGS, "bindingSubjects": [agent]}, name="bindings")
    assert shop.bed.request("PATCH", _roles(shop, "small"), more).status == 200
    roles = {"verbs": ["create", "update"], "groups": [RBAC], "resources": ["roles", "clusterroles"]}
    policy = shop.gate_actions(roles, name="roles")
    refused = shop.bed.request("PATCH", _roles(shop, "small"), {"rules": rules})
    assert refused.status == 403
    assert f"update roles.{RBAC} small: policy {policy} wants" in refused.message
    replaced = {"metadata": {"name": "new"}, "rules": rules}
    assert shop.bed.request("PUT", _roles(shop, "new"), replaced).status == 403, "PUT creates roles"


def test_t44_what_is_aggregated_into_a_cluster_role(shop: Operated) -> None:
    """A new ClusterRole with the label of an aggregated one widens that, and a controller of Kubernetes writes it."""
    name = f"more-{shop.namespace}"
    roles = {"verbs": ["create", "update"], "groups": [RBAC], "resources": ["clusterroles"], "names": [f"{name}*"]}
    policy = shop.gate_actions(roles, namespaces=["default"])
    labels = {f"{RBAC}/aggregate-to-view": "true"}
    body = {"metadata": {"name": name, "labels": labels}, "rules": []}
    refused = shop.bed.request("POST", f"{RESOURCES}/clusterroles", body)
    assert refused.status == 403
    assert f"create clusterroles.{RBAC} {name}: policy {policy} wants" in refused.message


@pytest.mark.parametrize("how", ["PUT", "PATCH"])
def test_t44_a_binding_that_is_made_by_put_or_apply(shop: Operated, how: str) -> None:
    agent = {"kind": "ServiceAccount", "name": "agent", "namespace": shop.namespace}
    policy = shop.gate_actions({**BINDINGS, "bindingSubjects": [agent]})
    path = f"{RESOURCES}/namespaces/{shop.namespace}/rolebindings/yet-more"
    headers = {"Content-Type": "application/apply-patch+yaml"} if how == "PATCH" else None
    query = "?fieldManager=test" if how == "PATCH" else ""
    answer = shop.bed.request(how, path + query, a_binding("yet-more", agent), headers=headers)
    assert answer.status == 403, answer.message
    assert f"create rolebindings.{RBAC} yet-more: policy {policy} wants" in answer.message


def test_t58_the_annotations_of_a_service_account(shop: Operated) -> None:
    """What a cloud gives a ServiceAccount for its annotations is an operation like any other."""
    accounts = {"verbs": ["update"], "groups": [""], "resources": ["serviceaccounts"], "names": ["agent"]}
    shop.gate_actions(accounts)
    path = shop.core("serviceaccounts", "agent")
    answer = shop.bed.request("PATCH", path, {"metadata": {"annotations": {"cloud.example/role": "root"}}})
    assert answer.status == 403
    assert "update serviceaccounts agent" in answer.message


# Data


def test_t44_a_persistent_volume_is_a_path_of_the_node_by_another_name(shop: Operated) -> None:
    """The pod shows the claim alone, so that gates name the claim, or the making of volumes."""
    shop.gate(privileges=["HostPathVolumes"])
    claim: Json = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "node"}}]}
    assert shop.create("pods", a_pod("it", a_spec(**claim))).status == 201
    shop.gate("claims", privileges=["VolumeClaims"])
    assert "VolumeClaims:node" in shop.create("pods", a_pod("other", a_spec(**claim))).message
    name = f"node-{shop.namespace}"
    volumes = {"verbs": ["create"], "groups": [""], "resources": ["persistentvolumes"], "names": [name]}
    policy = shop.gate_actions(volumes, name="volumes", namespaces=["default"], request=False)
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/"},
        "claimRef": {"namespace": shop.namespace, "name": "node"},
    }
    refused = shop.bed.request("POST", "/api/v1/persistentvolumes", {"metadata": {"name": name}, "spec": spec})
    assert refused.status == 403
    assert f"create persistentvolumes {name}: policy {policy} wants" in refused.message


def test_what_a_config_map_says_may_change_after_the_approval(shop: Operated) -> None:
    """Its name is in the digest, what it says is not; the approver is told."""
    shop.gate(on_missing="Hold")
    path = shop.core("configmaps")
    assert shop.bed.request("POST", path, {"metadata": {"name": "code"}, "data": {"run": "true"}}).status == 201
    volumes = [*HOST_PATH["volumes"], {"name": "code", "configMap": {"name": "code"}}]
    container = {**a_spec()["containers"][0], "volumeMounts": [{"name": "code", "mountPath": "/code"}]}
    assert shop.create("pods", a_pod("it", a_spec(volumes=volumes, containers=[container]))).status == 201
    (made,) = shop.made()
    assert any("ConfigMap code" in one for one in made["spec"]["workload"]["findings"])
    changed = {"data": {"run": "curl | sh"}}
    assert shop.bed.request("PATCH", f"{path}/code", changed, user=shop.agent).status == 200
    gate = {"verbs": ["update"], "groups": [""], "resources": ["configmaps"], "names": ["code"]}
    shop.gate_actions(gate, name="code")
    assert shop.bed.request("PATCH", f"{path}/code", {"data": {"run": "true"}}, user=shop.agent).status == 403


def test_t58_verbs_and_subresources_are_doors_of_their_own(shop: Operated) -> None:
    """What may not be updated is deleted and made anew, or scaled, unless the gate lists that, too."""
    path = shop.core("configmaps")
    body = {"metadata": {"name": "limits"}, "data": {"most": "10"}}
    assert shop.bed.request("POST", path, body, user=shop.agent).status == 201
    assert shop.create("deployments", a_workload("deployments", "web", a_spec("plain"))).status == 201
    limits = {"groups": [""], "resources": ["configmaps"], "names": ["limits"]}
    deployments = {"groups": ["apps"], "resources": ["deployments"]}
    shop.gate_actions({"verbs": ["update"], **limits}, {"verbs": ["update"], **deployments})
    assert shop.bed.request("PATCH", f"{path}/limits", {"data": {"most": "99"}}, user=shop.agent).status == 403
    assert shop.bed.request("DELETE", f"{path}/limits", user=shop.agent).status == 200
    assert shop.bed.request("POST", path, {**body, "data": {"most": "99"}}, user=shop.agent).status == 201
    scale = f"{shop.url('deployments', 'web')}/scale"
    assert shop.bed.request("PATCH", scale, {"spec": {"replicas": 0}}, user=shop.agent).status == 200
    shop.gate_actions({"verbs": ["create", "update", "delete"], **limits}, name="all")
    assert shop.bed.request("DELETE", f"{path}/limits", user=shop.agent).status == 403


def test_t58_what_the_cluster_deletes_at_somebodys_wish(shop: Operated) -> None:
    """The garbage collector is a part of the cluster: gate the owner's deletion, too."""
    owner = shop.bed.request("POST", shop.core("configmaps"), {"metadata": {"name": "owner"}}).json["metadata"]
    shop.claim("mine", ownerReferences=[_reference("v1", "ConfigMap", owner)])
    shop.claim("other", ownerReferences=[_reference("v1", "ConfigMap", owner)])
    shop.gate_actions(VOLUMES)
    assert shop.delete("mine").status == 403
    owners = {"verbs": ["delete"], "groups": [""], "resources": ["configmaps"], "names": ["owner"]}
    policy = shop.gate_actions(owners, name="owners")
    path = shop.core("configmaps", "owner")
    assert shop.bed.request("DELETE", path, user=shop.agent).status == 403
    shop.bed.kubectl("delete", "approvalpolicy", policy)
    shop.bed.wait_until(lambda: shop.bed.request("DELETE", path, user=shop.agent).status == 200, 25)
    shop.gone("mine")
    shop.gone("other")


def test_t58_a_stateful_set_deletes_claims_of_its_names(shop: Operated) -> None:
    """Its controller owns them then, whoever made them, and the garbage collector does the rest."""
    shop.claim("data-db-0")
    shop.gate_actions(VOLUMES)
    assert shop.delete("data-db-0").status == 403
    greedy = a_workload("statefulsets", "db", a_spec("agent"))
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    greedy["spec"] |= {
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    sets = {"verbs": ["create", "update", "delete"], "groups": ["apps"], "resources": ["statefulsets"]}
    policy = shop.gate_actions(sets, name="sets")
    assert shop.create("statefulsets", greedy, user=shop.agent).status == 403
    shop.bed.kubectl("delete", "approvalpolicy", policy)
    shop.bed.wait_until(lambda: shop.create("statefulsets", greedy, user=shop.agent).status == 201, 25)
    path = shop.core("persistentvolumeclaims", "data-db-0")
    shop.bed.wait_until(lambda: shop.bed.request("GET", path).json["metadata"].get("ownerReferences"), 25)
    assert shop.bed.request("DELETE", shop.url("statefulsets", "db"), user=shop.agent).status == 200
    shop.vanished("data-db-0")


def test_t58_a_replica_set_deletes_pods_of_its_labels(shop: Operated) -> None:
    """Its controller adopts what nobody owns, whoever made it, and keeps no more than it is told to."""
    assert shop.create("pods", a_pod("alone", a_spec("plain"), labels={"app": "alone"})).status == 201
    shop.gate_actions({"verbs": ["delete"], "groups": [""], "resources": ["pods"]})
    assert shop.bed.request("DELETE", shop.core("pods", "alone"), user=shop.agent).status == 403
    none = a_workload("replicasets", "none", a_spec("plain"))
    none["spec"] |= {"replicas": 0, "selector": {"matchLabels": {"app": "alone"}}}
    none["spec"]["template"]["metadata"]["labels"] = {"app": "alone"}
    sets = {"verbs": ["create", "update"], "groups": ["apps"], "resources": ["replicasets"]}
    policy = shop.gate_actions(sets, name="sets")
    assert shop.create("replicasets", none, user=shop.agent).status == 403
    shop.bed.kubectl("delete", "approvalpolicy", policy)
    shop.bed.wait_until(lambda: shop.create("replicasets", none, user=shop.agent).status == 201, 25)
    shop.bed.wait_until(lambda: shop.bed.request("GET", shop.core("pods", "alone")).status == 404, 25)


def test_t58_a_definition_takes_all_objects_of_its_kind_along(shop: Operated) -> None:
    group = f"{shop.namespace}.example.com"
    schema = {"openAPIV3Schema": {"type": "object"}}
    definition: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"tills.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Till", "plural": "tills"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    path = f"/apis/{group}/v1/namespaces/{shop.namespace}/tills"
    till = {"apiVersion": f"{group}/v1", "kind": "Till", "metadata": {"name": "first"}}
    shop.bed.apply(definition)
    shop.bed.wait_until(lambda: shop.bed.request("POST", path, till).status in {201, 409}, 25)
    tills = {"verbs": ["delete"], "groups": [group], "resources": ["tills"]}
    shop.gate_actions(tills)
    assert shop.bed.request("DELETE", f"{path}/first").status == 403
    name = definition["metadata"]["name"]
    definitions = {**tills, "groups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"]}
    policy = shop.gate_actions({**definitions, "names": [name]}, name="definitions", namespaces=["default"])
    where = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    assert shop.bed.request("DELETE", where).status == 403
    shop.bed.kubectl("delete", "approvalpolicy", policy)
    shop.bed.wait_until(lambda: shop.bed.request("DELETE", where).status == 200, 25)
    shop.bed.wait_until(lambda: shop.bed.request("GET", f"{path}/first").status == 404, 25)


def test_t58_deleting_the_namespace_deletes_what_is_in_it(shop: Operated) -> None:
    namespaces = {"verbs": ["delete"], "groups": [""], "resources": ["namespaces"], "names": [shop.namespace]}
    policy = shop.gate_actions(namespaces, namespaces=["default"], request=False)
    refused = shop.bed.request("DELETE", f"/api/v1/namespaces/{shop.namespace}")
    assert refused.status == 403
    assert f"delete namespaces {shop.namespace}: policy {policy} wants" in refused.message
    text = refused.message.partition("To ask: echo '")[2].partition("' | kubectl create -f -")[0]
    assert json.loads(text)["metadata"]["namespace"] == "default"


def _reference(version: str, kind: str, metadata: Json) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"]}
