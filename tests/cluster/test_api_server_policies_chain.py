"""What a grant hangs on, guarded by the API server alone: the Job that ends it, its binding and its pods that never are.

The attacker is a subject who holds the built-in ``edit`` in the namespace, and an admin where even that must not do.
"""

import time
from typing import Any

import pytest

from bed import Bed
from bed.http import Response
from cluster.chains import CONTROLLER, Json, a_binding, a_dead_man, a_request, a_template, grant, path_of, store

pytestmark = pytest.mark.usefixtures("without_webhooks")

ATTACKERS = ("alice", "admin")
DELETE_JOB = {"kind": "DeleteOptions", "apiVersion": "v1"}


@pytest.fixture
def editor(bare_cluster: Bed, namespace: str) -> str:
    """A namespace where alice holds edit, and so jobs, jobs/status and pods."""
    bare_cluster.kubectl("create", "rolebinding", "edit", "--clusterrole=edit", "--user=alice", "-n", namespace)
    bare_cluster.kubectl("create", "rolebinding", "admin", "--clusterrole=admin", "--user=erin", "-n", namespace)
    return namespace


def object_path(body: Json, subresource: str = "") -> str:
    kind = {"Job": "jobs", "RoleBinding": "rolebindings", "Role": "roles"}[body["kind"]]
    return path_of(kind, body["metadata"]["namespace"], body["metadata"]["name"], subresource)


def try_job(bed: Bed, namespace: str, uid: str = "", **spec: object) -> Response:
    """The controller itself makes a dead-man Job, with these fields changed (by another webhook, say)."""
    if not uid:
        uid = store(bed, a_request(namespace))["metadata"]["uid"]
    return bed.request(
        "POST", path_of("jobs", namespace) + "?dryRun=All", a_dead_man(uid, namespace, **spec), user=CONTROLLER
    )


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_t39_the_dead_man_job_cant_be_patched(bare_cluster: Bed, editor: str, attacker: str) -> None:
    job, _ = grant(bare_cluster, editor)
    for change in (
        {"spec": {"suspend": True}},
        {"spec": {"activeDeadlineSeconds": 999_999}},
        {"spec": {"activeDeadlineSeconds": None}},
        {"spec": {"ttlSecondsAfterFinished": None}},
        {"spec": {"parallelism": 1}},
        {"metadata": {"ownerReferences": None}},
        {"metadata": {"finalizers": ["example.com/keep"]}},
        {"metadata": {"finalizers": ["orphan"]}},
        {"metadata": {"labels": {"daypass.dev/request-uid": None}}},
        {"metadata": {"annotations": {"daypass.dev/expiration-time": "2100-01-01T00:00:00Z"}}},
    ):
        answer = bare_cluster.request("PATCH", object_path(job), change, user=attacker)
        assert answer.status == 403, change
        assert "belongs to a grant" in answer.message or "dead-man Job" in answer.message


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_t39_the_status_of_the_job_cant_be_patched(bare_cluster: Bed, editor: str, attacker: str) -> None:
    """``jobs/status`` stores changes of metadata too."""
    bare_cluster.kubectl(
        "create", "clusterrole", "job-status", "--verb=patch,update", "--resource=jobs/status", check=False
    )
    bare_cluster.kubectl("create", "rolebinding", "js", "--clusterrole=job-status", "--user=alice", "-n", editor)
    job, _ = grant(bare_cluster, editor)
    for change in (
        {"status": {"active": 5}},
        {"metadata": {"labels": {"daypass.dev/request-uid": None}}},
        {"metadata": {"finalizers": ["example.com/keep"]}},
        {"metadata": {"ownerReferences": None}},
    ):
        assert bare_cluster.request("PATCH", object_path(job, "status"), change, user=attacker).status == 403, change


def test_t39_the_binding_cant_be_patched(bare_cluster: Bed, editor: str) -> None:
    """T26 as well: erin holds admin, and so rolebindings."""
    _, binding = grant(bare_cluster, editor)
    mallory = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory"}
    for change in (
        {"subjects": [*binding["subjects"], mallory]},
        {"metadata": {"ownerReferences": None}},
        {"metadata": {"finalizers": ["example.com/keep"]}},
        {"metadata": {"labels": {"daypass.dev/request-uid": None}}},
    ):
        for user in ("erin", "admin"):
            assert bare_cluster.request("PATCH", object_path(binding), change, user=user).status == 403, change


def test_t39_orphaning_deletes_are_refused(bare_cluster: Bed, editor: str) -> None:
    job, binding = grant(bare_cluster, editor)
    path = object_path(job)
    for attacker in (*ATTACKERS, CONTROLLER):
        for options in (
            None,
            DELETE_JOB,
            {**DELETE_JOB, "propagationPolicy": "Orphan"},
            {**DELETE_JOB, "orphanDependents": True},
            {**DELETE_JOB, "orphanDependents": False},
        ):
            answer = bare_cluster.request("DELETE", path, options, user=attacker)
            assert answer.status == 403, (attacker, options)
            assert "propagationPolicy" in answer.message
        assert bare_cluster.request("DELETE", f"{path}?propagationPolicy=Orphan", user=attacker).status == 403
    orphan = bare_cluster.kubectl(
        "delete", "job", job["metadata"]["name"], "-n", editor, "--cascade=orphan", user="alice", check=False
    )
    assert orphan.returncode != 0
    assert bare_cluster.get("job", job["metadata"]["name"], editor) is not None
    assert bare_cluster.get("rolebinding", binding["metadata"]["name"], editor) is not None


def test_t39_deletecollection_without_a_policy_is_refused(bare_cluster: Bed, editor: str) -> None:
    job, _ = grant(bare_cluster, editor)
    for query in ("", "?propagationPolicy=Orphan"):
        bare_cluster.request("DELETE", path_of("jobs", editor) + query, user="alice")
        stored = bare_cluster.get("job", job["metadata"]["name"], editor)
        assert stored is not None
        assert "deletionTimestamp" not in stored["metadata"]


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_t39_a_job_deleted_with_a_policy_takes_the_binding_along(bare_cluster: Bed, editor: str, cascade: str) -> None:
    job, binding = grant(bare_cluster, editor)
    bare_cluster.kubectl("delete", "job", job["metadata"]["name"], "-n", editor, f"--cascade={cascade}", user="alice")
    bare_cluster.wait_until(
        lambda: bare_cluster.get("rolebinding", binding["metadata"]["name"], editor) is None, what="binding collected"
    )


def test_t30_the_grant_ends_with_every_process_of_ours_dead(bare_cluster: Bed, editor: str) -> None:
    """Kubernetes' own controllers get past every policy of ours: they end the Job, delete it, collect the binding."""
    job, binding = grant(bare_cluster, editor, activeDeadlineSeconds=2)
    started = time.monotonic()

    def gone() -> bool:
        return bare_cluster.get("rolebinding", binding["metadata"]["name"], editor) is None

    bare_cluster.wait_until(gone, timeout=25, what="binding removed at its deadline")
    assert time.monotonic() - started >= 1
    # The Job goes after what hangs on it.
    bare_cluster.wait_until(
        lambda: bare_cluster.get("job", job["metadata"]["name"], editor) is None, timeout=20, what="the Job is gone too"
    )


def test_t35_deleting_the_request_takes_the_whole_chain_along(bare_cluster: Bed, editor: str) -> None:
    """By the garbage collector alone, which learns of a new CRD within 30 s."""
    job, binding = grant(bare_cluster, editor)
    name = job["metadata"]["ownerReferences"][0]["name"]
    bare_cluster.kubectl("delete", "accessrequest", name, "-n", editor)

    def gone() -> bool:
        chain = (("job", job), ("rolebinding", binding))
        return all(bare_cluster.get(kind, body["metadata"]["name"], editor) is None for kind, body in chain)

    bare_cluster.wait_until(gone, timeout=90, what="Job and binding collected")


def test_t33_a_namespace_with_a_grant_can_be_deleted(bare_cluster: Bed, editor: str) -> None:
    grant(bare_cluster, editor)
    bare_cluster.kubectl("delete", "namespace", editor, "--timeout=40s")


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_t24_labelled_objects_are_made_by_the_controller_only(bare_cluster: Bed, editor: str, attacker: str) -> None:
    uid = store(bare_cluster, a_request(editor))["metadata"]["uid"]
    job = bare_cluster.request("POST", path_of("jobs", editor), a_dead_man(uid, editor), user=attacker)
    assert job.status == 403
    if attacker == "admin":
        answer = bare_cluster.request("POST", path_of("rolebindings", editor), a_binding(uid, editor), user=attacker)
        assert "only Daypass's controller makes them" in answer.message
    plain = a_dead_man(uid, editor)
    plain["metadata"]["labels"] = {}
    plain["metadata"].pop("ownerReferences")
    assert bare_cluster.request("POST", path_of("jobs", editor), plain, user=attacker).status == 201
    relabel = {"metadata": {"labels": {"daypass.dev/request-uid": uid}}}
    assert bare_cluster.request("PATCH", object_path(plain), relabel, user=attacker).status == 403


@pytest.mark.parametrize("user", ATTACKERS)
def test_t65_no_pod_carries_the_label_of_a_dead_man(bare_cluster: Bed, editor: str, user: str) -> None:
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "squatter", "namespace": editor, "labels": {"daypass.dev/dead-man": "1"}},
        "spec": {"terminationGracePeriodSeconds": 99_999, "containers": [{"name": "c", "image": "c"}]},
    }
    answer = bare_cluster.request("POST", path_of("pods", editor), pod, user=user)
    assert answer.status == 403
    assert "no pod may carry it" in answer.message
    pod["metadata"]["labels"] = {}
    path = path_of("pods", editor, "squatter")
    created = bare_cluster.request("POST", path_of("pods", editor), pod, user=user)
    assert created.status == 201, created.message
    label = {"metadata": {"labels": {"daypass.dev/dead-man": "1"}}}
    for subresource in ("", "/status"):
        if user == "alice" and subresource:
            continue  # edit does not hold pods/status
        assert bare_cluster.request("PATCH", path + subresource, label, user=user).status == 403


@pytest.mark.parametrize("place", ["bindings", "pods/squatter/binding"])
def test_t65_no_scheduler_puts_the_label_on_a_pod(bare_cluster: Bed, namespace: str, place: str) -> None:
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "squatter", "labels": {"daypass.dev/dead-man": "1"}},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "node-1"},
    }
    pod = {"metadata": {"name": "squatter"}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
    assert bare_cluster.request("POST", path_of("pods", namespace), pod).status == 201
    answer = bare_cluster.request("POST", path_of("pods", namespace).removesuffix("pods") + place, binding)
    assert answer.status == 403
    assert "no pod may carry it" in answer.message


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"parallelism": 1}, "parallelism 0"),
        ({"parallelism": None}, "parallelism 0"),
        ({"suspend": True}, "never suspended"),
        ({"activeDeadlineSeconds": None}, "activeDeadlineSeconds"),
        ({"activeDeadlineSeconds": 2_592_001}, "30 days at most"),
        ({"ttlSecondsAfterFinished": None}, "ttlSecondsAfterFinished 0"),
        ({"ttlSecondsAfterFinished": 60}, "ttlSecondsAfterFinished 0"),
        ({"managedBy": "example.com/other"}, "spec.managedBy"),
        ({"manualSelector": None, "selector": None}, "manual selector"),
    ],
)
def test_t66_a_dead_man_job_that_could_wait_is_refused(
    bare_cluster: Bed, namespace: str, spec: Json, says: str
) -> None:
    answer = try_job(bare_cluster, namespace, **spec)
    assert answer.status == 403, answer.message
    assert says in answer.message


def test_t65_the_selector_of_a_dead_man_is_its_own(bare_cluster: Bed, namespace: str) -> None:
    uid = store(bare_cluster, a_request(namespace))["metadata"]["uid"]
    template = a_template(uid)
    template["metadata"]["labels"]["app"] = "web"
    for labels in ({"app": "web"}, {"app": "web", "daypass.dev/dead-man": uid}):
        answer = try_job(bare_cluster, namespace, uid, selector={"matchLabels": labels}, template=template)
        assert answer.status == 403
        assert "manual selector" in answer.message


def _loosened(uid: str, where: str, **fields: object) -> Json:
    template = a_template(uid)
    place = template["spec"] if where == "pod" else template["spec"]["containers"][0]
    place.update(fields)
    return template


@pytest.mark.parametrize(
    ("where", "fields"),
    [
        ("pod", {"hostNetwork": True}),
        ("pod", {"hostPID": True}),
        ("pod", {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        ("pod", {"serviceAccountName": "builder"}),
        ("pod", {"automountServiceAccountToken": True}),
        ("pod", {"securityContext": {}}),
        ("pod", {"initContainers": [{"name": "i", "image": "i"}]}),
        ("container", {"securityContext": {"privileged": True}}),
        ("container", {"securityContext": {"allowPrivilegeEscalation": False}}),
        ("container", {"ports": [{"containerPort": 80, "hostPort": 80}]}),
    ],
)
def test_t66_the_template_satisfies_restricted(bare_cluster: Bed, namespace: str, where: str, fields: Json) -> None:
    uid = store(bare_cluster, a_request(namespace))["metadata"]["uid"]
    answer = try_job(bare_cluster, namespace, uid, template=_loosened(uid, where, **fields))
    assert answer.status == 403, answer.message
    assert "the template of a dead-man Job" in answer.message


def test_t66_the_template_is_admitted_where_restricted_is_enforced(bare_cluster: Bed, namespace: str) -> None:
    bare_cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    answer = try_job(bare_cluster, namespace)
    assert answer.status == 201, answer.message
