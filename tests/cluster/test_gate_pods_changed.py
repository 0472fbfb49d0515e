"""Pods that are changed once they are there: by themselves, by ephemeral containers, in their size (T42)."""

import pytest

from bed import Bed
from bed.http import Response
from cluster.errands import Json
from cluster.gated import HOST_PATH, Gated, a_pod, a_spec

IMAGE = {"spec": {"containers": [{"name": "it", "image": "registry.example/it:2"}]}}
SMALL = {"requests": {"cpu": "10m"}, "limits": {"cpu": "10m"}}


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def _pod(shop: Gated, name: str, account: str = "agent", **more: object) -> None:
    """A pod from before there was a gate, which a node runs."""
    spec = a_spec(account, **more)
    spec["containers"][0]["resources"] = SMALL
    assert shop.create("pods", a_pod(name, spec)).status == 201
    shop.with_a_node()
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
    assert shop.bed.request("POST", f"{shop.url('pods', name)}/binding", body).status == 201


def _debug(shop: Gated, pod: str, user: str = "alice", name: str = "debug", **context: object) -> Response:
    container: Json = {"name": name, "image": "registry.example/debug:1"}
    if context:
        container["securityContext"] = context
    patch = {"spec": {"ephemeralContainers": [container]}}
    return shop.patch("pods", pod, patch, user, subresource="ephemeralcontainers")


def test_t42_a_privileged_ephemeral_container_is_refused_and_then_approved(shop: Gated) -> None:
    _pod(shop, "web")
    shop.gate(privileges=["PrivilegedContainers"], request=True)
    assert _debug(shop, "web", user="alice", name="quiet").status == 200
    answer = _debug(shop, "web", user="alice", privileged=True)
    assert answer.status == 403
    assert "PrivilegedContainers (spec.ephemeralContainers[" in answer.message
    (made,) = shop.made()
    request = made["metadata"]["name"]
    assert made["spec"]["workload"]["authorsUnknown"], "nobody recorded who made the pod"
    shop.until(request, "AwaitingApproval")
    shop.approve(request, "bob", "carol")
    shop.until(request, "Active")
    assert _debug(shop, "web", user="alice", privileged=True).status == 200
    (use,) = shop.status(request)["uses"]
    assert use["key"] == shop.read("pods", "web")["metadata"]["uid"]


def test_t42_any_ephemeral_container_in_a_privileged_pod_is_a_change_of_what_runs(shop: Gated) -> None:
    _pod(shop, "web", **HOST_PATH)
    shop.gate()
    assert _debug(shop, "web").status == 403
    assert shop.create("pods", a_pod("hers", a_spec("plain", **HOST_PATH))).status == 201
    assert _debug(shop, "hers", user="alice").status == 200
    assert _debug(shop, "hers", user=shop.agent, name="agents").status == 403


def test_t42_another_image_or_size_of_a_privileged_pod_is_refused(shop: Gated) -> None:
    _pod(shop, "web", **HOST_PATH)
    _pod(shop, "plain")
    shop.gate()
    assert shop.patch("pods", "web", IMAGE).status == 403
    assert shop.patch("pods", "plain", IMAGE).status == 200
    bigger = {
        "spec": {"containers": [{"name": "it", "resources": {"limits": {"cpu": "20m"}, "requests": {"cpu": "20m"}}}]}
    }
    refused = shop.patch("pods", "web", bigger, subresource="resize")
    assert refused.status == 403
    assert "HostPathVolumes:/var/log" in refused.message
    assert shop.patch("pods", "plain", bigger, subresource="resize").status == 200


def test_t42_an_annotation_that_nodes_obey_is_a_change_of_what_runs(shop: Gated) -> None:
    _pod(shop, "web", **HOST_PATH)
    _pod(shop, "plain")
    device = {"metadata": {"annotations": {"cdi.k8s.io/it": "vendor.example/fuse=all"}}}
    plugin = {"metadata": {"annotations": {"mounts.nri.containerd.io/it": "none"}}}
    shop.gate(privileges=["HostPathVolumes", "Devices"])
    refused = shop.patch("pods", "plain", device)
    assert refused.status == 403
    assert "Devices:vendor.example/fuse=all (metadata.annotations[cdi.k8s.io/it])" in refused.message
    assert shop.patch("pods", "plain", plugin).status == 200, "no gate names what it has"
    assert shop.patch("pods", "web", plugin).status == 403, "it runs differently, with what a gate names"
    assert shop.patch("pods", "web", {"metadata": {"annotations": {"a": "b"}}}).status == 200


def test_t53_a_hold_never_goes_on_a_pod_that_runs(shop: Gated) -> None:
    _pod(shop, "web", **HOST_PATH)
    shop.gate(on_missing="Hold")
    assert shop.patch("pods", "web", IMAGE).status == 403
    assert shop.made() == [], "it can't wait, and no gate says that it is to be asked for"


def test_labels_and_what_does_not_change_the_spec_pass(shop: Gated) -> None:
    _pod(shop, "web", **HOST_PATH)
    shop.gate()
    assert shop.patch("pods", "web", {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}).status == 200
    finalizer = {"metadata": {"finalizers": ["example.com/x"]}}
    assert shop.patch("pods", "web", finalizer).status == 200
    assert (
        shop.patch("pods", "web", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/x"]}}).status
        == 200
    )


def test_labels_that_a_running_pod_reads_of_itself_change_past_the_gate(shop: Gated) -> None:
    """As docs/limits.md says."""
    shown = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    _pod(shop, "web", volumes=[*HOST_PATH["volumes"], {"name": "own", "downwardAPI": {"items": shown}}])
    shop.gate()
    assert shop.patch("pods", "web", {"metadata": {"labels": {"tier": "other"}}}).status == 200
    assert shop.patch("pods", "web", IMAGE).status == 403


def test_t47_an_approved_pod_is_changed_under_the_same_use(shop: Gated) -> None:
    shop.gate()
    asked = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes"], "maxPods": 1}
    body = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "any-image", "namespace": shop.namespace},
        "spec": {"workload": asked, "durationSeconds": 600, "reason": "to see it work"},
    }
    answer = shop.bed.request("POST", shop.path(), body, user="erin")
    assert answer.status == 201, answer.message
    shop.until("any-image", "AwaitingApproval")
    shop.approve("any-image", "bob")
    shop.until("any-image", "Active")
    assert shop.create("pods", a_pod("web")).status == 201
    assert shop.patch("pods", "web", IMAGE).status == 200
    assert _debug(shop, "web").status == 200
    assert len(shop.status("any-image")["uses"]) == 1
    assert shop.create("pods", a_pod("second")).status == 403
