"""Operations at the gate: refused without an approved request, and one call is one use of it (T47)."""

import hashlib
import json

import pytest

from bed import Bed
from cluster.errands import RBAC, Json
from cluster.gated import a_pod, a_spec, a_workload
from cluster.operating import BINDINGS, VOLUMES, Operated, a_binding


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Operated:
    Operated.open(cluster, namespace)
    return Operated(cluster, namespace)


def test_a_deletion_is_refused_asked_for_and_passes_once(shop: Operated) -> None:
    policy = shop.gate_actions(VOLUMES)
    uid = shop.claim()
    refused = shop.delete()
    assert refused.status == 403
    request = shop.only_request()
    assert f"delete persistentvolumeclaims data: policy {policy} wants an approved request for that" in refused.message
    assert f"request {request} was made and waits for group approvers" in refused.message
    assert len(refused.message) <= 1024
    spec = shop.get(request)["spec"]
    assert spec["action"]["name"] == "data"
    assert spec["action"]["objectDigest"] == hashlib.sha256(f'{{"uid":"{uid}"}}'.encode()).hexdigest()
    assert spec["requester"]["username"] == f"system:serviceaccount:{shop.namespace}:agent"
    assert spec["subject"] == {"kind": "ServiceAccount", "namespace": shop.namespace, "name": "agent"}
    assert uid in spec["reason"]

    shop.until(request, "AwaitingApproval")
    assert " waits for " in shop.delete().message
    shop.approved(request)
    assert shop.passes(request, shop.delete).status == 200
    shop.vanished()
    (use,) = shop.uses(request)
    assert (use["key"], use["name"], use["uid"]) == (uid, "data", uid)

    shop.claim()
    second = shop.delete()
    assert second.status == 403
    assert shop.bed.request("GET", shop.core("persistentvolumeclaims", "data")).status == 200
    assert len(shop.uses(request)) == 1


def test_without_request_the_message_has_one_to_paste(shop: Operated) -> None:
    shop.gate_actions(VOLUMES, request=False)
    shop.claim()
    message = shop.delete().message
    assert shop.made() == []
    text = message.partition("To ask: echo '")[2].partition("' | kubectl create -f -")[0]
    assert json.loads(text)["metadata"]["generateName"] == "ask-"
    request = shop.bed.kubectl("create", "-f", "-", "-o", "name", user=shop.agent, input=text).stdout.strip()
    request = request.partition("/")[2]
    told = shop.bed.wait_until(lambda: next(filter(lambda one: " waits for " in one, [shop.delete().message]), ""), 25)
    assert f"request {request} waits for " in told
    assert "To ask" not in told
    shop.approved(request)
    assert shop.passes(request, shop.delete).status == 200


def test_only_what_was_asked_for_passes_and_only_for_whom_it_was(shop: Operated) -> None:
    shop.gate_actions(VOLUMES)
    shop.claim()
    shop.claim("other")
    shop.delete()
    request = shop.only_request()
    shop.approved(request)
    assert shop.delete("other").status == 403
    assert shop.delete(user="alice").status == 403
    assert shop.passes(request, shop.delete).status == 200


def test_t07_who_wants_the_operation_does_not_approve_it(shop: Operated) -> None:
    shop.gate_actions({**VOLUMES, "by": [{"kind": "User", "name": "bob"}]})
    shop.claim()
    assert shop.delete().status == 200, "the agent is not named"
    shop.vanished()
    shop.claim()
    assert shop.delete(user="bob").status == 403
    request = shop.only_request()
    shop.until(request, "AwaitingApproval")
    assert "you made this request" in shop.review(request, user="bob").message


def test_t47_a_dry_run_spends_nothing_and_asks_for_nothing(shop: Operated) -> None:
    shop.gate_actions(VOLUMES)
    shop.claim()
    assert shop.delete(dry_run=True).status == 403
    assert shop.made() == []
    shop.delete()
    request = shop.only_request()
    shop.approved(request)
    assert shop.passes(request, lambda: shop.delete(dry_run=True)).status == 200
    assert shop.uses(request) == []
    assert shop.delete().status == 200
    assert len(shop.uses(request)) == 1


def test_t47_a_call_that_several_gates_and_several_tries_bring_is_one_use(shop: Operated) -> None:
    shop.gate_actions(VOLUMES, name="one")
    shop.gate_actions(VOLUMES, name="other")
    uid = shop.claim(finalizers=["example.com/keep"])
    refused = shop.delete()
    assert refused.status == 403
    request = shop.only_request()
    shop.until(request, "AwaitingApproval")
    shop.approve(request, "bob")
    shop.until(request, "Active")
    assert shop.passes(request, shop.delete).status == 200
    assert shop.delete().status == 200, "it is still the same object that goes"
    assert [use["key"] for use in shop.uses(request)] == [uid]
    shop.bed.kubectl(
        "patch", "pvc", "data", "-n", shop.namespace, "--type=merge", "-p", '{"metadata":{"finalizers":[]}}'
    )


def test_deleting_a_collection_is_deleting_each_object(shop: Operated) -> None:
    shop.gate_actions(VOLUMES)
    shop.claim("one")
    shop.claim("two")
    answer = shop.bed.request("DELETE", shop.core("persistentvolumeclaims"), user=shop.agent)
    assert answer.status == 403
    asked = {made["spec"]["action"]["name"] for made in shop.made()}
    assert asked
    assert asked <= {"one", "two"}
    assert len(shop.bed.request("GET", shop.core("persistentvolumeclaims")).json["items"]) == 2


def test_t58_a_false_owner_is_a_deletion_too(shop: Operated) -> None:
    shop.gate_actions(VOLUMES)
    shop.claim()
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "11111111-2222-3333-4444-555555555555"}
    for subresource in ("", "status"):
        path = shop.core("persistentvolumeclaims", "data", subresource)
        patch = {"metadata": {"ownerReferences": [owner]}}
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = shop.bed.request(
            "PATCH", path, patch, user=shop.agent if not subresource else "admin", headers=headers
        )
        assert answer.status == 403, answer.message
        assert "delete persistentvolumeclaims data" in answer.message
        assert "garbage collector" in answer.message


def test_t58_a_false_owner_deletes_a_binding_of_whom_a_gate_names(shop: Operated) -> None:
    guard = {"kind": "User", "name": "guard"}
    shop.gate_actions({**BINDINGS, "verbs": ["delete"], "bindingSubjects": [guard]})
    path = f"/apis/{RBAC}/v1/namespaces/{shop.namespace}/rolebindings"
    assert shop.bed.request("POST", path, a_binding("guards", {**guard, "apiGroup": RBAC})).status == 201
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "11111111-2222-3333-4444-555555555555"}
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = {"metadata": {"ownerReferences": [owner]}}
    answer = shop.bed.request("PATCH", f"{path}/guards", patch, headers=headers)
    assert answer.status == 403, answer.message
    assert "delete rolebindings.rbac.authorization.k8s.io guards" in answer.message


def test_what_the_api_server_names_can_t_be_asked_for_ahead(shop: Operated) -> None:
    shop.gate_actions({"verbs": ["create"], "groups": [""], "resources": ["configmaps"]})
    body = {"metadata": {"generateName": "run-"}, "data": {"a": "b"}}
    answer = shop.bed.request("POST", shop.core("configmaps"), body, user="alice")
    assert answer.status == 403
    assert "give the object a name: what is named by generateName can't be asked for ahead" in answer.message
    assert shop.made() == []


def test_a_change_is_approved_with_its_content(shop: Operated) -> None:
    shop.gate_actions({"verbs": ["update"], "groups": [""], "resources": ["configmaps"], "names": ["limits"]})
    path = shop.core("configmaps", "limits")
    created = shop.bed.request("POST", shop.core("configmaps"), {"metadata": {"name": "limits"}}, user="alice")
    assert created.status == 201
    headers = {"Content-Type": "application/merge-patch+json"}

    def write(value: str) -> int:
        return shop.bed.request("PATCH", path, {"data": {"most": value}}, user="alice", headers=headers).status

    assert write("10") == 403
    request = shop.only_request()
    assert shop.get(request)["spec"]["action"]["objectDigest"]
    assert 'data.most: "10"' in shop.get(request)["spec"]["action"]["findings"]
    shop.approved(request)
    assert write("1000") == 403
    assert shop.bed.wait_until(lambda: write("10") == 200)
    (use,) = shop.uses(request)
    assert use["key"] == f"{created.json['metadata']['uid']}@{created.json['metadata']['resourceVersion']}"


@pytest.mark.parametrize("plural", ["pods", "jobs", "cronjobs"])
def test_what_the_api_server_writes_into_a_new_object_is_approved_with_it(shop: Operated, plural: str) -> None:
    group = "batch" if plural != "pods" else ""
    shop.gate_actions({"verbs": ["create"], "groups": [group], "resources": [plural]})
    run: Json = a_pod("run", a_spec()) if plural == "pods" else a_workload(plural, "run", a_spec())
    assert shop.create(plural, run, shop.agent).status == 403
    request = shop.only_request()
    shop.approved(request)
    answer = shop.passes(request, lambda: shop.create(plural, run, shop.agent))
    assert answer.status == 201, answer.message
    (use,) = shop.uses(request)
    assert use["key"] == answer.json["metadata"]["uid"]


def test_gates_that_warn_or_record_stop_nobody(shop: Operated) -> None:
    policy = shop.gate_actions(VOLUMES, mode="Warn")
    shop.claim()
    done = shop.bed.kubectl("delete", "pvc", "data", "-n", shop.namespace, "--wait=false", user=shop.agent)
    assert (
        "Warning: Daypass: delete persistentvolumeclaims data would be refused without an approved request"
        in done.stderr
    )
    assert policy in done.stderr
    assert shop.made() == []
    audited = [
        event["annotations"]
        for event in shop.bed.audit_events(shop.namespace)
        if event["verb"] == "delete" and event["objectRef"].get("namespace") == shop.namespace
    ]
    assert any(f"{policy} (Warn)" in value for one in audited for value in one.values())


def test_what_no_policy_could_approve_says_so(shop: Operated) -> None:
    policy = shop.policy(
        "operations",
        match={"requesters": [{"kind": "User", "name": "alice"}], "grants": {"actions": [VOLUMES]}},
        gate={"actions": [{"request": True, **VOLUMES}]},
    )
    shop.called(policy)
    shop.claim()
    agent = f"system:serviceaccount:{shop.namespace}:agent"
    assert f"no policy lets {agent} ask for it in namespace {shop.namespace}" in shop.delete().message
    assert shop.made() == []
