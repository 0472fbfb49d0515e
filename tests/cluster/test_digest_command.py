"""``daypass digest`` for other kinds, and what it says when it can't."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bed import Bed
from bed.people import populate
from cluster.digests import daypass_digest
from cluster.injection import Injection
from cluster.pod_makers import manifest
from daypass.app.digests import object_digest
from daypass.signing.canonical import canonical_json

Json = dict[str, Any]
NAMESPACE = "digest-objects"


@pytest.fixture(scope="module")
def seen(control_plane: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injection]:
    """A namespace in which alice may edit, and a webhook that notes what admission sees in it."""
    populate(control_plane, NAMESPACE)
    control_plane.kubectl("create", "rolebinding", "alice", "--clusterrole=edit", "--user=alice", "-n", NAMESPACE)
    injection = Injection(control_plane, tmp_path_factory.mktemp("injection"), [NAMESPACE], [NAMESPACE])
    try:
        yield injection
    finally:
        injection.stop()
        control_plane.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def claim(name: str, storage: str = "1Gi", **metadata: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, **metadata},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}},
    }


def service(name: str, port: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": port, "name": "http"}, {"port": 9, "name": "other"}]},
    }


def one_digest(bed: Bed, manifest: Json, user: str = "alice") -> str:
    done = daypass_digest(bed, "-n", NAMESPACE, "-o", "json", "-", user=user, text=json.dumps(manifest))
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    return str(found["objectDigest"])


def test_an_objects_digest_is_that_of_what_admission_will_see(control_plane: Bed, seen: Injection) -> None:
    printed = one_digest(control_plane, claim("data"))
    control_plane.kubectl("apply", "-n", NAMESPACE, "-f", "-", user="alice", input=json.dumps(claim("data")))
    assert object_digest(seen.last("PersistentVolumeClaim", "data"), canonical_json) == printed
    assert one_digest(control_plane, claim("data2")) != printed


def test_of_an_object_that_exists_it_is_that_of_the_change(control_plane: Bed, seen: Injection) -> None:
    """What the API server filled in when it was made, such as a Service's address, stays as it is."""
    for port in (80, 81):
        printed = one_digest(control_plane, service("web", port))
        # The first time the address is drawn anew at each call, and written into the object.
        text = json.dumps(service("web", port))
        control_plane.kubectl("apply", "--server-side", "-n", NAMESPACE, "-f", "-", user="alice", input=text)
        stored = seen.last("Service", "web")
        assert (object_digest(stored, canonical_json) == printed) is (port == 81)
    assert stored["spec"]["ports"][0]["port"] == 81


def test_an_object_as_kubectl_says_it_would_be_is_digested_as_it_is(control_plane: Bed, seen: Injection) -> None:
    """For any way to change an object: ``kubectl ... --dry-run=server -o yaml | daypass digest -``."""
    text = json.dumps(claim("patched"))
    control_plane.kubectl("apply", "-n", NAMESPACE, "-f", "-", user="alice", input=text)
    patch = ("patch", "pvc", "patched", "-n", NAMESPACE, "--type=merge", "-p", '{"metadata": {"labels": {"a": "b"}}}')
    would_be = control_plane.kubectl(*patch, "--dry-run=server", "-o", "yaml", user="alice").stdout
    done = daypass_digest(control_plane, "-n", NAMESPACE, "-", text=would_be)
    control_plane.kubectl(*patch, user="alice")
    expected = object_digest(seen.last("PersistentVolumeClaim", "patched"), canonical_json)
    assert done.stdout == f"PersistentVolumeClaim {NAMESPACE}/patched objectDigest: {expected}\n", done.stderr


def test_objects_without_a_namespace(control_plane: Bed, seen: Injection) -> None:
    del seen
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "digest-test"},
        "rules": [],
    }
    done = daypass_digest(control_plane, "-", user="admin", text=json.dumps(role))
    assert done.stdout.startswith("ClusterRole digest-test objectDigest: "), done.stderr
    refused = daypass_digest(control_plane, "-", user="alice", text=json.dumps(role))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "ClusterRole digest-test: clusterroles.rbac.authorization.k8s.io is forbidden" in refused.stderr
    assert control_plane.get("clusterrole", "digest-test") is None


def test_lines_of_several_files_and_a_context_that_names_the_namespace(
    control_plane: Bed, seen: Injection, tmp_path: Path
) -> None:
    del seen
    job, other = tmp_path / "job.yaml", tmp_path / "claim.json"
    job.write_text("# two\n---\n" + json.dumps(manifest("job")) + "\n---\n" + json.dumps(manifest("pod")))
    other.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [claim("d", namespace=NAMESPACE)]}))
    config = json.loads(control_plane.kubeconfig("alice").read_text())
    contexts = {one["name"]: one for one in config["contexts"]}
    config["contexts"].append({"name": "here", "context": {**contexts["alice"]["context"], "namespace": NAMESPACE}})
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    done = daypass_digest(control_plane, "--kubeconfig", str(path), "--context", "here", str(job), str(other))
    assert done.returncode == 0, done.stderr
    shapes = [line.rpartition(" ")[0] for line in done.stdout.splitlines()]
    assert shapes == [
        f"Job {NAMESPACE}/job podTemplateDigest:",
        f"Pod {NAMESPACE}/pod podTemplateDigest:",
        f"PersistentVolumeClaim {NAMESPACE}/d objectDigest:",
    ]
    elsewhere = daypass_digest(control_plane, "--kubeconfig", str(path), "-n", "default", str(other))
    assert elsewhere.returncode == 1
    assert elsewhere.stderr == f"{other}: PersistentVolumeClaim d is of namespace {NAMESPACE}, not default\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "daypass digest: standard input: no manifest in it"),
        ("a: [", "daypass digest: standard input: line 1"),
        ("just text", "standard input: is no object"),
        ('{"kind": "Pod"}', "standard input: needs apiVersion, kind and metadata.name"),
        (
            '{"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "a"}}',
            "standard input: the API server knows no Nothing of v1",
        ),
        (
            '{"apiVersion": "no.such/v1", "kind": "Pod", "metadata": {"name": "a"}}',
            "standard input: the API server knows no Pod of no.such/v1",
        ),
        (
            '{"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "spec": {}}',
            f"standard input: CronJob {NAMESPACE}/a: spec.jobTemplate.spec.template.spec is missing",
        ),
        (
            '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}',
            f"standard input: Pod {NAMESPACE}/a: spec is missing",
        ),
        (
            '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"contaners": []}}',
            'unknown field "spec.contaners"',
        ),
        (
            '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a"}]}}',
            "spec.containers[1].image: Required value",
        ),
    ],
)
def test_errors_say_what_to_change(control_plane: Bed, seen: Injection, text: str, said: str) -> None:
    del seen
    done = daypass_digest(control_plane, "-n", NAMESPACE, "-", text=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_who_may_not_create_pods_learns_that(control_plane: Bed, seen: Injection) -> None:
    del seen
    done = daypass_digest(control_plane, "-n", NAMESPACE, "-", user="bob", text=json.dumps(manifest("deployment")))
    assert done.returncode == 1
    assert (
        'Deployment digest-objects/deployment: pods is forbidden: User "bob" cannot create resource "pods"'
        in done.stderr
    )


def test_a_part_that_fails_does_not_hide_the_rest(control_plane: Bed, seen: Injection) -> None:
    del seen
    broken = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    text = json.dumps({"items": [broken, manifest("job")]})
    done = daypass_digest(control_plane, "-n", NAMESPACE, "-", text=text)
    assert done.returncode == 1
    assert done.stdout.startswith(f"Job {NAMESPACE}/job podTemplateDigest: ")
    assert done.stderr == f"standard input: Pod {NAMESPACE}/a: spec is missing\n"


def test_nothing_was_made(control_plane: Bed, seen: Injection) -> None:
    """The last test here: of all the dry runs, no pod came into being."""
    assert not [one for one in seen.seen if one["kind"] == "Pod"]
    assert not control_plane.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods").json["items"]
