"""One digest for all pods of an owner: pods of every built-in kind, made by the real controllers, and ``daypass digest``."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from bed import Bed
from bed.people import populate
from cluster.digests import daypass_digest
from cluster.injection import Injection
from cluster.pod_makers import KINDS, PODS, manifest, node, template
from daypass.app.digests import pod_template_digest
from daypass.signing.canonical import canonical_json

Json = dict[str, Any]
NAMESPACES = ("digest-plain", "digest-injected")
NODES = ("fake-1", "fake-2", "fake-3")


def printed(bed: Bed, namespace: str, *manifests: Json, user: str = "alice") -> list[str]:
    """What it prints for these manifests, in their order."""
    text = json.dumps({"kind": "List", "apiVersion": "v1", "items": manifests})
    done = daypass_digest(bed, "-n", namespace, "-o", "json", "-", user=user, text=text)
    assert done.returncode == 0, done.stderr
    return [one["podTemplateDigest"] for one in json.loads(done.stdout)]


def digest(pod: Json) -> str:
    return pod_template_digest(pod, canonical_json)


@dataclass
class Made:
    """What the controllers made of all manifests, in both namespaces."""

    bed: Bed
    injection: Injection
    expected: dict[str, dict[str, str]]

    def pods(self, namespace: str, what: str) -> list[Json]:
        listed = self.bed.request("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{what}").json
        return list(listed["items"])


@pytest.fixture(scope="module")
def made(control_plane: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    bed = control_plane
    for namespace in NAMESPACES:
        populate(bed, namespace)
        bed.kubectl("create", "rolebinding", "alice", "--clusterrole=edit", "--user=alice", "-n", namespace)
    injection = Injection(bed, tmp_path_factory.mktemp("injection"), [*NAMESPACES], [NAMESPACES[1]])
    manifests = [manifest(what) for what in KINDS]
    expected = {where: dict(zip(KINDS, printed(bed, where, *manifests), strict=True)) for where in NAMESPACES}
    try:
        assert not injection.seen, "a dry run makes nothing"
        for name in NODES:
            bed.apply(node(name))
            bed.kubectl("patch", "node", name, "--type=merge", "-p", '{"spec": {"taints": null}}')
        for namespace in NAMESPACES:
            for one in manifests:
                # Not applied: the copy of its manifest that kubectl puts on a pod would be among what it reads.
                bed.kubectl("create", "-f", "-", "-n", namespace, user="alice", input=json.dumps(one))
            for what in ("cron-job", "indexed-cron-job"):
                # Another run, named as the controller does, so that the sidecar knows the CronJob by it.
                run = f"{what}-28000000"
                bed.kubectl("create", "job", run, f"--from=cronjob/{what}", "-n", namespace, user="alice")
        yield Made(bed, injection, expected)
    finally:
        injection.stop()
        bed.kubectl("delete", "namespace", *NAMESPACES, "--wait=false")
        bed.kubectl("delete", "node", *NODES, "--ignore-not-found")


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("what", KINDS)
def test_all_pods_of_an_owner_have_the_digest_that_the_command_prints(made: Made, what: str, namespace: str) -> None:
    """As they are stored, and as a validating webhook saw them at their creation."""
    number = 1 if what == "pod" else PODS
    jobs_pods = 2 * PODS if "cron" in what else number  # of the controller's own run, and of one by hand

    def there() -> list[Json]:
        pods = made.pods(namespace, what)
        return pods if len(pods) >= jobs_pods else []

    pods = made.bed.wait_until(there, 90, what=f"{jobs_pods} pods of {what} in {namespace}")
    assert ("proxy" in {one["name"] for one in pods[0]["spec"]["containers"]}) is (namespace == NAMESPACES[1])
    assert {digest(pod) for pod in pods} == {made.expected[namespace][what]}
    uids = {pod["metadata"]["uid"] for pod in pods}
    seen = [one for one in made.injection.seen if one["metadata"].get("uid") in uids]
    assert len(seen) >= jobs_pods
    assert {digest(pod) for pod in seen} == {made.expected[namespace][what]}


def test_the_sidecar_is_part_of_what_runs(made: Made) -> None:
    plain, injected = (made.expected[namespace] for namespace in NAMESPACES)
    assert not set(plain.values()) & set(injected.values())


def test_a_pod_keeps_its_digest_when_it_is_scheduled(made: Made) -> None:
    namespace = NAMESPACES[0]
    pod = made.bed.wait_until(lambda: made.pods(namespace, "deployment"))[0]
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
    target = {"apiVersion": "v1", "kind": "Node", "name": NODES[0]}
    bound = made.bed.request(
        "POST", f"{path}/binding", {"metadata": {"name": pod["metadata"]["name"]}, "target": target}
    )
    assert bound.status == 201, bound.message
    scheduled = made.bed.request("GET", path).json
    assert scheduled["spec"]["nodeName"] == NODES[0]
    assert digest(scheduled) == made.expected[namespace]["deployment"]


def test_a_pod_as_it_is_in_the_cluster_is_digested_as_it_is(made: Made) -> None:
    """To see why a pod is not what was approved: ``kubectl get pod NAME -o yaml | daypass digest -``."""
    for namespace in NAMESPACES:
        made.bed.wait_until(lambda where=namespace: made.pods(where, "stateful-set"))  # type: ignore[misc]
        text = made.bed.kubectl("get", "pod", "stateful-set-1", "-n", namespace, "-o", "yaml").stdout
        done = daypass_digest(made.bed, "-", text=text)
        expected = made.expected[namespace]["stateful-set"]
        assert done.stdout == f"Pod {namespace}/stateful-set-1 podTemplateDigest: {expected}\n", done.stderr


CHANGES: dict[str, Json] = {
    "image": {"containers": {"image": "registry.example/app:2"}},
    "command": {"containers": {"command": ["sh", "-c", "./run evil"]}},
    "args": {"containers": {"args": ["--evil"]}},
    "env": {"containers": {"env": [{"name": "LD_PRELOAD", "value": "/tmp/evil.so"}]}},
    "envFrom": {"containers": {"envFrom": [{"configMapRef": {"name": "evil"}}]}},
    "mount": {"containers": {"volumeMounts": [{"name": "scratch", "mountPath": "/app"}]}},
    "securityContext": {"containers": {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}},
    "resources": {"containers": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}},
    "probe": {"containers": {"livenessProbe": {"exec": {"command": ["reboot"]}}}},
    "lifecycle": {"containers": {"lifecycle": {"postStart": {"exec": {"command": ["reboot"]}}}}},
    "another container": {"containers": {"name": "other"}},
    "volume": {"volumes": [{"name": "scratch", "hostPath": {"path": "/"}}, {"name": "labels", "emptyDir": {}}]},
    "pod's securityContext": {"securityContext": {"runAsUser": 0}},
    "pod's resources": {"resources": {"limits": {"cpu": "2"}}},
    "serviceAccountName": {"serviceAccountName": "default"},
    "hostNetwork": {"hostNetwork": True},
    "hostPID": {"hostPID": True},
    "no token": {"automountServiceAccountToken": False},
    "tolerations": {"tolerations": [{"operator": "Exists"}]},
    "init container": {"initContainers": [{"name": "fetch", "image": "registry.example/fetch:2"}]},
}


def _with_change(pod_template: Json, change: Json) -> Json:
    changed = deepcopy(pod_template)
    inside = change.get("containers", {})
    changed["spec"] |= {key: value for key, value in change.items() if key != "containers"}
    changed["spec"]["containers"][0] |= inside
    return changed


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_any_change_to_what_runs_changes_the_digest(made: Made, namespace: str) -> None:
    original = manifest("deployment")
    variants = [original]
    for change in CHANGES.values():
        variants.append(deepcopy(original))
        variants[-1]["spec"]["template"] = _with_change(template("deployment"), change)
    read = deepcopy(original)
    read["spec"]["template"]["metadata"]["annotations"]["tier"] = "gold; reboot"
    found = dict(
        zip(["none", *CHANGES, "annotation that is read"], printed(made.bed, namespace, *variants, read), strict=True)
    )
    assert found["none"] == made.expected[namespace]["deployment"]
    assert len(set(found.values())) == len(found), found


def test_what_does_not_run_changes_nothing(made: Made) -> None:
    """Replicas, names of the workload where pods don't show them, labels that nothing reads."""
    plain = manifest("deployment")
    plain["spec"]["template"]["spec"] = {"containers": [{"name": "app", "image": "a"}]}
    scaled, renamed, labelled = deepcopy(plain), deepcopy(plain), deepcopy(plain)
    scaled["spec"]["replicas"] = 9
    renamed["metadata"]["name"] = "other"
    labelled["spec"]["template"]["metadata"]["labels"]["color"] = "blue"
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": plain["spec"]["template"]["spec"]}
    pod_template = {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "held"},
        "template": plain["spec"]["template"],
    }
    found = printed(made.bed, NAMESPACES[0], plain, scaled, renamed, labelled, bare, pod_template)
    assert len(set(found)) == 1
