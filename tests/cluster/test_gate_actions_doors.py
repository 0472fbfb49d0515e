"""Other doors to what a gate forbids: into running pods, bindings for agents, tokens, scale, eviction (T42, T44, T58)."""

import json
import re
import uuid

import pytest

from bed import Bed
from bed.http import Response
from cluster.errands import RBAC, Json
from cluster.gated import a_pod, a_spec, a_workload
from cluster.operating import BINDINGS, Operated, a_binding

INTO = {"exec": "exec into", "attach": "attach to", "portforward": "port-forward to"}
HOST = "does not have a host assigned"
"""What the API server says of exec into a pod that runs nowhere, once admission has let the call through."""
NOBODY_RUNS = (400, 500)
AGENT = {"kind": "ServiceAccount", "name": "agent"}


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Operated:
    Operated.open(cluster, namespace)
    return Operated(cluster, namespace)


def go_into(shop: Operated, how: str, pod: str = "it", user: str = "", command: str = "id") -> Response:
    options = {"exec": f"?command={command}&stdout=true", "attach": "?stdout=true", "portforward": "?ports=80"}
    return shop.bed.request("POST", shop.core("pods", pod, how) + options[how], user=user or shop.agent)


def let_in(answer: Response) -> bool:
    return answer.status in NOBODY_RUNS and HOST in answer.message


@pytest.mark.parametrize("how", INTO)
def test_t42_nobody_goes_into_a_gated_pod_without_an_approved_request(shop: Operated, how: str) -> None:
    assert shop.create("pods", a_pod("it")).status == 201
    assert shop.create("pods", a_pod("harmless", a_spec("agent"))).status == 201
    policy = shop.policy(
        "gate",
        match={
            "grants": {
                "workload": {"privileges": ["Baseline"]},
                "actions": [{"verbs": ["connect"], "groups": [""], "resources": [f"pods/{one}" for one in INTO]}],
            }
        },
        gate={"workloads": {"privileges": ["HostPathVolumes"], "agents": [AGENT], "request": True}},
    )
    shop.settle(policy)
    assert let_in(go_into(shop, how, "harmless"))
    refused = go_into(shop, how)
    assert refused.status == 403
    assert f"{INTO[how]} pod it: policy {policy} wants an approved request for that" in refused.message
    assert "the pod uses HostPathVolumes:/var/log" in refused.message
    request = shop.only_request()
    action = shop.get(request)["spec"]["action"]
    assert (action["verb"], action["resource"], action["subresource"], action["name"]) == ("connect", "pods", how, "it")
    shop.approved(request)
    assert shop.bed.wait_until(lambda: let_in(go_into(shop, how)))
    assert len(shop.uses(request)) == 1


def test_t42_an_exec_is_approved_with_its_command(shop: Operated) -> None:
    shop.gate_actions({"verbs": ["connect"], "groups": [""], "resources": ["pods/exec"], "names": ["it"]})
    for name in ("it", "harmless"):
        assert shop.create("pods", a_pod(name, a_spec("plain"))).status == 201
    assert let_in(go_into(shop, "exec", "harmless"))
    assert go_into(shop, "exec").status == 403
    request = shop.only_request()
    assert "runs: id" in shop.get(request)["spec"]["action"]["findings"]
    shop.approved(request)
    assert go_into(shop, "exec", command="reboot").status == 403
    assert shop.bed.wait_until(lambda: let_in(go_into(shop, "exec")))


def test_t58_kubectl_cp_is_an_exec(shop: Operated) -> None:
    shop.gate_actions({"verbs": ["connect"], "groups": [""], "resources": ["pods/exec"]})
    assert shop.create("pods", a_pod("it", a_spec("plain"))).status == 201
    done = shop.bed.kubectl("cp", f"{shop.namespace}/it:/etc/passwd", "/dev/null", user=shop.agent, check=False)
    assert "wants an approved request" in done.stderr


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "name": "agent"},
        {"kind": "User", "apiGroup": RBAC, "name": "system:serviceaccount:NAMESPACE:agent"},
        {"kind": "Group", "apiGroup": RBAC, "name": "system:serviceaccounts:NAMESPACE"},
        {"kind": "Group", "apiGroup": RBAC, "name": "system:serviceaccounts"},
        {"kind": "Group", "apiGroup": RBAC, "name": "system:authenticated"},
    ],
    ids=lambda subject: f"{subject['kind']} {subject['name']}",
)
def test_t44_a_binding_that_names_the_agent_needs_an_approved_request(shop: Operated, subject: Json) -> None:
    agent = {"kind": "ServiceAccount", "name": "agent", "namespace": shop.namespace}
    shop.gate_actions({**BINDINGS, "bindingSubjects": [agent]})
    subject = {**subject, "name": subject["name"].replace("NAMESPACE", shop.namespace)}
    if subject["kind"] == "ServiceAccount":
        subject["namespace"] = shop.namespace
    alice = {"kind": "User", "apiGroup": RBAC, "name": "alice"}
    path = f"/apis/{RBAC}/v1/namespaces/{shop.namespace}/rolebindings"
    assert shop.bed.request("POST", path, a_binding("people", alice)).status == 201
    refused = shop.bed.request("POST", path, a_binding("wider", alice, subject))
    assert refused.status == 403
    assert 'gives ClusterRole "view" to' in refused.message
    patch = {"subjects": [alice, subject]}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert shop.bed.request("PATCH", f"{path}/people", patch, headers=headers).status == 403
    note = {"metadata": {"labels": {"a": "b"}}}
    assert shop.bed.request("PATCH", f"{path}/people", note, headers=headers).status == 200


def test_t44_the_binding_that_was_approved_and_no_other(shop: Operated) -> None:
    agent = {"kind": "ServiceAccount", "name": "agent", "namespace": shop.namespace}
    shop.gate_actions({**BINDINGS, "bindingSubjects": [agent]})
    path = f"/apis/{RBAC}/v1/namespaces/{shop.namespace}/rolebindings"
    assert shop.bed.request("POST", path, a_binding("wider", agent)).status == 403
    request = shop.only_request()
    assert shop.get(request)["spec"]["requester"]["username"] == "admin"
    shop.approved(request)
    assert shop.bed.request("POST", path, a_binding("wider", agent, role="admin")).status == 403
    answer = shop.passes(request, lambda: shop.bed.request("POST", path, a_binding("wider", agent)))
    assert answer.status == 201
    (use,) = shop.uses(request)
    assert use["key"] == answer.json["metadata"]["uid"]


def test_t44_whom_a_binding_names_does_not_approve_it(shop: Operated) -> None:
    shop.gate_actions(BINDINGS)
    path = f"/apis/{RBAC}/v1/namespaces/{shop.namespace}/rolebindings"
    bob = {"kind": "User", "apiGroup": RBAC, "name": "bob"}
    approvers = {"kind": "Group", "apiGroup": RBAC, "name": "approvers"}
    for subject, given in ((bob, {"parties": ["bob"]}), (approvers, {"partyGroups": ["approvers"]})):
        name = f"to-{subject['name']}"
        assert shop.bed.request("POST", path, a_binding(name, subject)).status == 403
        (made,) = (one for one in shop.made() if one["spec"]["action"]["name"] == name)
        action = made["spec"]["action"]
        assert {key: action[key] for key in action if key.startswith("part")} == given
        assert action["findings"][0] == f'gives ClusterRole "view" to {subject["kind"]} "{subject["name"]}"'
        shop.until(made["metadata"]["name"], "AwaitingApproval")
        assert "this binding names you" in shop.review(made["metadata"]["name"], user="bob").message


def test_t44_a_binding_for_the_whole_cluster_is_asked_for_where_the_caller_is_at_home(shop: Operated) -> None:
    agent = {"kind": "ServiceAccount", "name": "agent", "namespace": shop.namespace}
    policy = shop.gate_actions({**BINDINGS, "bindingSubjects": [agent]}, request=False, namespaces=["default"])
    path = f"/apis/{RBAC}/v1/clusterrolebindings"
    body = a_binding(f"more-{shop.namespace}", agent, cluster=True)
    refused = shop.bed.request("POST", path, body)
    assert refused.status == 403
    assert policy in refused.message
    assert '"namespace":"default"' in refused.message
    shop.bed.kubectl_apply(a_binding(f"all-{shop.namespace}", agent, cluster=True, role="cluster-admin"), check=False)
    assert shop.bed.request("GET", f"{path}/all-{shop.namespace}").status == 404


def test_t58_tokens_of_an_agent_are_gated_by_name(shop: Operated) -> None:
    shop.gate_actions({"verbs": ["create"], "groups": [""], "resources": ["serviceaccounts/token"], "names": ["agent"]})

    def token(name: str) -> tuple[int, str]:
        done = shop.bed.kubectl("create", "token", name, "-n", shop.namespace, user="alice", check=False)
        return done.returncode, done.stderr

    assert token("plain")[0] == 0
    code, said = token("agent")
    assert code != 0
    assert "create serviceaccounts/token agent" in said
    assert re.search("a token for .+, for 3600 seconds", said)
    request = shop.only_request()
    shop.approved(request)
    assert shop.bed.wait_until(lambda: token("agent")[0] == 0)
    (use,) = shop.uses(request)
    assert use["name"] == "agent"


def test_t47_no_dry_run_gives_a_token(shop: Operated) -> None:
    """The API server mints a true one whatever ``dryRun`` says."""
    shop.gate_actions({"verbs": ["create"], "groups": [""], "resources": ["serviceaccounts/token"]})
    asking = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"annotations": {"daypass.dev/digest-only": "true"}},
        "spec": {},
    }

    def token(query: str = "?dryRun=All") -> Response:
        return shop.bed.request("POST", shop.core("serviceaccounts", "agent", "token") + query, asking, user="alice")

    assert token().status == 403
    assert token("").status == 403
    request = shop.only_request()
    shop.approved(request)
    assert shop.bed.wait_until(lambda: "a dry run gives a true token" in token().message)
    assert token("").status == 201
    assert len(shop.uses(request)) == 1


def test_t58_scaling_is_gated_as_the_subresource_that_it_is(shop: Operated) -> None:
    shop.gate_actions({"verbs": ["update"], "groups": ["apps"], "resources": ["deployments/scale"]})
    made = shop.create("deployments", a_workload("deployments", "web", a_spec("plain")))
    assert made.status == 201, made.message

    def scale(replicas: int) -> tuple[int, str]:
        done = shop.bed.kubectl(
            "scale", "deployment", "web", f"--replicas={replicas}", "-n", shop.namespace, user=shop.agent, check=False
        )
        return done.returncode, done.stderr

    code, said = scale(0)
    assert code != 0
    assert "update deployments.apps/scale web" in said
    assert "replicas: 1 → 0" in said
    request = shop.only_request()
    shop.approved(request)
    assert scale(5)[0] != 0
    assert shop.bed.wait_until(lambda: scale(0)[0] == 0)
    assert len(shop.uses(request)) == 1
    assert shop.read("deployments", "web")["spec"]["replicas"] == 0


def test_t58_eviction_is_gated_and_a_retried_one_is_one_use(shop: Operated) -> None:
    shop.gate_actions({"verbs": ["create"], "groups": [""], "resources": ["pods/eviction"]})
    labels = {"app": "it"}
    made = shop.create("pods", a_pod("it", a_spec("plain"), labels=labels))
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    headers = {"Content-Type": "application/merge-patch+json"}
    shop.bed.request("PATCH", shop.core("pods", "it", "status"), {"status": running}, headers=headers)
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "keep", "namespace": shop.namespace},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
    }
    shop.bed.apply(budget)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "it", "namespace": shop.namespace}}

    def evict() -> Response:
        return shop.bed.request("POST", shop.core("pods", "it", "eviction"), body)

    assert evict().status == 403
    request = shop.only_request()
    shop.approved(request)
    assert shop.bed.wait_until(lambda: evict().status == 429), "the budget is in its way"
    assert evict().status == 429, "it is the same eviction"
    assert [use["key"] for use in shop.uses(request)] == [made.json["metadata"]["uid"]]
    shop.bed.kubectl("delete", "pdb", "keep", "-n", shop.namespace)
    assert evict().status == 201
    assert len(shop.uses(request)) == 1


def test_t58_what_can_t_be_gated_is_refused_when_the_policy_is_written(shop: Operated) -> None:
    asking = ("certificates.k8s.io", "certificatesigningrequests")
    for group, resource in (("", "nodes/proxy"), ("", "nodes"), ("", "secrets"), asking):
        action = {"verbs": ["connect" if "proxy" in resource else "delete"], "groups": [group], "resources": [resource]}
        body = {
            "apiVersion": "daypass.dev/v1alpha1",
            "kind": "ApprovalPolicy",
            "metadata": {"name": f"proxy-{uuid.uuid4().hex[:8]}"},
            "spec": {
                "effect": "Allow",
                "match": {"namespaces": [shop.namespace], "grants": {"actions": [action]}},
                "approvals": [{"name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}],
                "gate": {"actions": [action]},
            },
        }
        done = shop.bed.kubectl_apply(json.dumps(body), check=False)
        assert done.returncode != 0, resource
        assert "can't be gated" in done.stderr


def test_t58_a_false_owner_deletes_a_namespace_by_no_subresource(shop: Operated) -> None:
    namespaces = {"verbs": ["delete"], "groups": [""], "resources": ["namespaces"], "names": [shop.namespace]}
    shop.gate_actions(namespaces, namespaces=["default"])
    path = f"/api/v1/namespaces/{shop.namespace}"
    body: Json = shop.bed.request("GET", path).json
    owner = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "name": "none", "uid": str(uuid.uuid4())}
    adopted = {**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}}
    for subresource in ("", "/status", "/finalize"):
        answer = shop.bed.request("PUT", f"{path}{subresource}", adopted)
        assert answer.status == 403, answer.message
        assert f"delete namespaces {shop.namespace}" in answer.message
    assert shop.bed.request("PUT", f"{path}/finalize", body).status == 200, "it has the owners that it had"
