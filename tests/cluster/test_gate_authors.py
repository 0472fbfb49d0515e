"""Who made and changed what makes pods: stamped, kept, followed up the chain of owners (T55, T69)."""

import json
import time

import pytest

from bed import Bed
from cluster.errands import Json
from cluster.gated import AUTHORS, HOST_PATH, Gated, a_pod, a_spec, a_workload

KINDS = ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "replicationcontrollers")
CHANGE = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example/it:2"}]


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def _authors(shop: Gated, plural: str, name: str) -> list[str] | None:
    annotations = shop.read(plural, name)["metadata"].get("annotations") or {}
    return annotations[AUTHORS].split("\n") if AUTHORS in annotations else None


def _replica_set(shop: Gated, deployment: str) -> Json:
    def found() -> Json | None:
        items = shop.bed.request("GET", shop.url("replicasets")).json["items"]
        return next((one for one in items if one["metadata"]["name"].startswith(f"{deployment}-")), None)

    return shop.bed.wait_until(found, 25, what=f"a ReplicaSet of {deployment}")


@pytest.mark.parametrize("plural", KINDS)
def test_t55_whoever_makes_a_workload_is_its_author(shop: Gated, plural: str) -> None:
    shop.gate()
    body = a_workload(plural, "it", annotations={AUTHORS: "bob\ncarol"})
    answer = shop.create(plural, body, user="alice")
    assert answer.status == 201, answer.message
    assert _authors(shop, plural, "it") == ["alice"], "whatever the manifest says"


def test_t55_whoever_changes_the_template_joins_and_nobody_leaves(shop: Gated) -> None:
    shop.gate()
    body = a_workload("deployments", "web", a_spec())
    assert shop.create("deployments", body, user="alice").status == 201
    assert shop.patch("deployments", "web", {"spec": {"replicas": 2}}, user="erin").status == 200
    assert shop.patch("deployments", "web", {"metadata": {"labels": {"a": "b"}}}, user="erin").status == 200
    assert _authors(shop, "deployments", "web") == ["alice"]
    assert shop.patch("deployments", "web", CHANGE, user="erin").status == 200
    assert _authors(shop, "deployments", "web") == ["alice", "erin"]
    replaced = shop.bed.request("PUT", shop.url("deployments", "web"), body, user="bob")
    assert replaced.status == 200, replaced.message
    assert _authors(shop, "deployments", "web") == ["alice", "erin", "bob"], "the PUT dropped the annotation"
    applied = shop.bed.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
        user="carol",
        input=json.dumps({**body, "metadata": {**body["metadata"], "namespace": shop.namespace}}),
        check=False,
    )
    assert applied.returncode != 0, "carol has no right to"


def test_t55_a_rollback_loses_nobody(shop: Gated) -> None:
    shop.gate()
    assert shop.create("deployments", a_workload("deployments", "web", a_spec()), user="alice").status == 201
    _replica_set(shop, "web")
    assert shop.patch("deployments", "web", CHANGE, user="erin").status == 200

    def two() -> bool:
        return len(shop.bed.request("GET", shop.url("replicasets")).json["items"]) == 2

    shop.bed.wait_until(two, 25, what="two ReplicaSets")
    shop.bed.kubectl("rollout", "undo", "deployment/web", "-n", shop.namespace, user="bob")
    assert _authors(shop, "deployments", "web") == ["alice", "erin", "bob"]


def test_t69_nobody_writes_the_annotation_themselves(shop: Gated) -> None:
    shop.gate()
    assert shop.create("deployments", a_workload("deployments", "web", a_spec()), user="alice").status == 201
    for value in ("bob", "alice\nbob", "", "?"):
        patch = {"metadata": {"annotations": {AUTHORS: value}}}
        assert shop.patch("deployments", "web", patch, user="alice").status in {200, 403}
        assert _authors(shop, "deployments", "web") == ["alice"], value
    removal: Json = {"metadata": {"annotations": {AUTHORS: None}}}
    for subresource in ("", "status"):
        shop.patch("deployments", "web", removal, user="alice", subresource=subresource)
        assert _authors(shop, "deployments", "web") == ["alice"]


def test_t69_what_was_made_before_there_was_a_gate_has_authors_whom_nobody_knows(shop: Gated) -> None:
    body = a_workload("deployments", "old")
    body["spec"]["replicas"] = 0
    assert shop.create("deployments", body, user="bob").status == 201
    shop.gate(request=True)
    assert shop.patch("deployments", "old", {"spec": {"replicas": 1}}, user="alice").status == 200
    (made,) = shop.bed.wait_until(shop.made, 25, what="a request")
    assert made["spec"]["workload"]["authorsUnknown"]
    assert not made["spec"]["workload"].get("authors")
    assert shop.patch("deployments", "old", CHANGE, user="alice").status == 200
    assert _authors(shop, "deployments", "old") == ["alice", "?"]
    name = made["metadata"]["name"]
    shop.until(name, "AwaitingApproval")
    shop.approve(name, "bob")
    assert shop.state(name) == "AwaitingApproval", "bob may have made it himself"


def test_t69_an_unknown_author_may_be_an_agent(shop: Gated) -> None:
    body = a_workload("deployments", "old", a_spec("plain", **HOST_PATH))
    body["spec"]["replicas"] = 0
    assert shop.create("deployments", body, user=shop.agent).status == 201
    shop.gate(request=True)
    assert shop.patch("deployments", "old", {"spec": {"replicas": 1}}, user="alice").status == 200
    shop.bed.wait_until(shop.made, 25, what="a request")
    assert shop.pods("old-") == []


def test_t69_a_replica_set_has_the_authors_of_its_deployment_and_its_own(shop: Gated) -> None:
    shop.gate(request=True)
    body = a_workload("deployments", "web")
    body["spec"]["replicas"] = 0
    assert shop.create("deployments", body, user="alice").status == 201
    name = _replica_set(shop, "web")["metadata"]["name"]
    assert _authors(shop, "replicasets", name) == ["alice"]
    time.sleep(1.1)  # of several that fit, the deployment controller takes the oldest, to the second
    path = "/spec/template/metadata/annotations"
    assert (
        shop.patch("replicasets", name, [{"op": "add", "path": path, "value": {"by": "bob"}}], user="bob").status == 200
    )
    assert _authors(shop, "replicasets", name) == ["alice", "bob"]
    assert shop.patch("replicasets", name, [{"op": "remove", "path": path}], user="bob").status == 200
    assert shop.patch("deployments", "web", {"metadata": {"annotations": {"sync": "now"}}}, user="erin").status == 200

    def synced() -> bool:
        return "sync" in shop.read("replicasets", name)["metadata"]["annotations"]

    shop.bed.wait_until(synced, 25, what="the Deployment's annotations on its ReplicaSet")
    assert _authors(shop, "replicasets", name) == ["alice", "bob"], "the deployment controller copied alice alone"


def test_t69_a_false_owner_makes_nobody_else_the_author(shop: Gated) -> None:
    shop.gate(request=True)
    owner = a_workload("deployments", "hers", a_spec("plain"))
    assert shop.create("deployments", owner, user="alice").status == 201
    replica_set = _replica_set(shop, "hers")
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": replica_set["metadata"]["name"],
        "uid": replica_set["metadata"]["uid"],
        "controller": True,
    }
    forged = a_pod("forged", a_spec("plain", **HOST_PATH), ownerReferences=[reference])
    assert shop.create("pods", forged, user=shop.agent).status == 403
    (made,) = shop.made()
    assert made["spec"]["workload"]["authors"] == ["alice", f"system:serviceaccount:{shop.namespace}:agent"]
    wrong = a_pod("wrong", a_spec("plain", **HOST_PATH), ownerReferences=[{**reference, "uid": "0-0"}])
    assert shop.create("pods", wrong, user=shop.agent).status == 403
    second = next(one for one in shop.made() if one["metadata"]["name"] != made["metadata"]["name"])
    assert second["spec"]["workload"]["authorsUnknown"]
    assert "owner" not in second["spec"]["workload"]


def test_t69_t55_what_an_agent_puts_under_anothers_workload_it_asks_for_itself(shop: Gated) -> None:
    """Alice's own pods need nobody's approval; the agent names her ReplicaSet as the owner of its pod."""
    shop.policy(
        "hers",
        match={
            "grants": {"workload": {"privileges": ["HostPathVolumes"]}},
            "requesters": [{"kind": "User", "name": "alice"}],
        },
        autoApprove=True,
    )
    shop.gate(request=True)
    assert shop.create("deployments", a_workload("deployments", "hers", a_spec("plain")), user="alice").status == 201
    replica_set = _replica_set(shop, "hers")["metadata"]
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True}
    reference |= {"name": replica_set["name"], "uid": replica_set["uid"]}
    agent = f"system:serviceaccount:{shop.namespace}:agent"
    forged = a_pod("forged", a_spec("plain", **HOST_PATH), ownerReferences=[reference])
    assert shop.create("pods", forged, user=shop.agent).status == 403
    (made,) = shop.made()
    name, spec = made["metadata"]["name"], made["spec"]
    assert spec["requester"]["username"] == agent
    assert spec["subject"] == {"kind": "ServiceAccount", "name": "agent", "namespace": shop.namespace}
    assert spec["workload"]["authors"] == ["alice", agent]
    assert f"made by alice, {agent}" in spec["reason"]
    shop.until(name, "AwaitingApproval")
    assert [one["name"] for one in shop.status(name)["policies"]] == [f"gate-{shop.namespace}"], "not hers"
    patch = {"spec": {"template": {"spec": HOST_PATH}}}
    assert shop.patch("deployments", "hers", patch, user=shop.agent).status == 200
    second = shop.bed.wait_until(
        lambda: next((one for one in shop.made() if one["metadata"]["name"] != name), None), 20, what="a second request"
    )
    assert second["spec"]["requester"]["username"] == agent
    shop.until(second["metadata"]["name"], "AwaitingApproval")


def test_t69_the_maker_of_a_custom_resource_is_not_known(shop: Gated) -> None:
    """Another controller makes a pod for an object of a kind that nobody stamps."""
    shop.gate(request=True)
    reference = {"apiVersion": "example.com/v1", "kind": "Workflow", "name": "w", "uid": "1-2-3", "controller": True}
    pod = a_pod("step", a_spec("plain", **HOST_PATH), ownerReferences=[reference])
    assert shop.create("pods", pod, user="erin").status == 403
    (made,) = shop.made()
    workload = made["spec"]["workload"]
    assert workload["authorsUnknown"]
    assert workload["authors"] == ["erin"]
    assert workload["owner"] == {"apiVersion": "example.com/v1", "kind": "Workflow", "name": "w", "uid": "1-2-3"}


def test_t69_what_a_controller_made_and_nobody_owns_any_more(shop: Gated) -> None:
    shop.gate(request=True)
    suspended = a_workload("cronjobs", "cron", a_spec("plain", **HOST_PATH))
    suspended["spec"]["jobTemplate"]["spec"]["suspend"] = True
    assert shop.create("cronjobs", suspended, user="alice").status == 201

    def job() -> Json | None:
        return next(iter(shop.bed.request("GET", shop.url("jobs")).json["items"]), None)

    name = shop.bed.wait_until(job, 75, what="the Job of this minute")["metadata"]["name"]
    uid = shop.read("cronjobs", "cron")["metadata"]["uid"]
    assert _authors(shop, "jobs", name) == [f"^{uid}"]
    orphaned = shop.bed.kubectl("delete", "cronjob", "cron", "--cascade=orphan", "-n", shop.namespace, user="alice")
    assert orphaned.returncode == 0
    shop.bed.wait_until(lambda: not shop.read("jobs", name)["metadata"].get("ownerReferences"), 25)
    assert shop.patch("jobs", name, {"spec": {"suspend": False}}, user="alice").status == 200
    (made,) = shop.bed.wait_until(shop.made, 25, what="a request")
    assert made["spec"]["workload"]["authorsUnknown"]


def test_more_authors_than_can_be_recorded_are_refused(shop: Gated) -> None:
    shop.gate()
    assert shop.create("deployments", a_workload("deployments", "web", a_spec()), user="alice").status == 201
    for number in range(2, 18):
        headers = {"Impersonate-User": f"person-{number}", "Impersonate-Group": "system:masters"}
        headers["Content-Type"] = "application/json-patch+json"
        change = [{**CHANGE[0], "value": f"registry.example/it:{number}"}]
        answer = shop.bed.request("PATCH", shop.url("deployments", "web"), change, headers=headers)
        assert answer.status == (200 if number <= 16 else 403), answer.message
    assert "more than 16 people have changed this workload" in answer.message
