"""What others do to roles, subjects, requests and the objects of a grant, and what becomes of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bed import Bed
from cluster.errands import MERGE, RBAC, Errand, Json
from daypass.domain.names import grant_name

READ = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
MORE = [{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["list"]}]
READER = {"kind": "ClusterRole", "name": "reader"}


@pytest.fixture(scope="module")
def grantable(cluster: Bed) -> Iterator[Bed]:
    """A ClusterRole of these tests may be granted; it is theirs to change and to delete."""
    cluster.install({"grantableRoles": {"clusterRoles": ["view", "edit", "reader"]}})
    yield cluster
    cluster.install()


@pytest.fixture
def errand(grantable: Bed, cluster: Bed, namespace: str) -> Errand:
    cluster.kubectl("delete", "clusterrole", "reader", "--ignore-not-found")
    return Errand(grantable, namespace)


@pytest.fixture
def reader(errand: Errand) -> Errand:
    errand.policy(roles=[READER])
    _write(errand, READ)
    return errand


def _write(errand: Errand, rules: list[Json]) -> None:
    metadata = {"name": "reader"}
    errand.bed.apply({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules})


def _remove(errand: Errand) -> None:
    errand.bed.kubectl("delete", "clusterrole", "reader")


def test_t22_role_that_does_not_exist_fails(errand: Errand) -> None:
    errand.policy(roles=[READER])
    errand.ask("early", role=READER)
    errand.until("early", "Failed")
    assert "ClusterRole reader does not exist" in errand.condition("early", "Ready")["message"]
    _write(errand, MORE)
    assert errand.state("early") == "Failed"


def test_t22_role_that_went_before_activation_fails(reader: Errand) -> None:
    reader.ask("fix", role=READER)
    reader.until("fix", "AwaitingApproval")
    _remove(reader)
    reader.until("fix", "Failed")


def test_t22_subject_that_does_not_exist_fails(errand: Errand) -> None:
    errand.policy(match={"subjects": [{"kind": "ServiceAccount", "name": "*"}]})
    subject = {"kind": "ServiceAccount", "namespace": errand.namespace, "name": "nobody"}
    errand.ask("fix", subject=subject)
    errand.until("fix", "Failed")
    assert "nobody does not exist" in errand.condition("fix", "Ready")["message"]


@pytest.mark.parametrize("recreated", [False, True], ids=["widened", "recreated"])
def test_t23_role_changed_between_request_and_approval_voids_reviews(reader: Errand, *, recreated: bool) -> None:
    reader.policy(roles=[READER], approvals=[{"name": "two", "required": 2, "approvers": {"groups": ["approvers"]}}])
    uid = reader.ask("fix", role=READER)
    first = reader.until("fix", "AwaitingApproval")["digest"]
    reader.approve("fix", "bob")
    if recreated:
        _remove_and_write(reader)
    else:
        _write(reader, MORE)
    reader.bed.wait_until(lambda: reader.status("fix").get("digest") not in {None, first}, what="another digest")
    reader.approve("fix", "carol")
    reader.bed.wait_until(lambda: "(1 of 2)" in reader.condition("fix", "Ready")["message"])
    assert reader.binding(uid) is None
    assert reader.review("fix", user="bob").status == 200
    reader.until("fix", "Active")


def _remove_and_write(errand: Errand) -> None:
    """The same rules in another ClusterRole, in one call so that nothing is ever missing for long."""
    path = f"/apis/{RBAC}/v1/clusterroles"
    body = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "reader"}, "rules": READ}
    errand.bed.controller.pause()
    try:
        errand.bed.request("DELETE", f"{path}/reader")
        assert errand.bed.request("POST", path, body).status == 201
    finally:
        errand.bed.controller.resume()


def test_t23_role_widened_before_start_time_voids_the_approval(reader: Errand) -> None:
    start = (datetime.now(UTC) + timedelta(seconds=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    uid = reader.ask("later", role=READER, startTime=start)
    reader.until("later", "AwaitingApproval")
    reader.approve("later")
    reader.until("later", "Scheduled")
    _write(reader, MORE)
    reader.until("later", "AwaitingApproval")
    assert reader.condition("later", "Approved")["status"] == "False"
    reader.bed.wait_until(lambda: "ReviewVoid" in reader.events("later"))
    reader.bed.wait_until(lambda: datetime.now(UTC) > datetime.fromisoformat(start) + timedelta(seconds=1))
    assert reader.binding(uid) is None


def test_t23_drift_while_active_suspends_and_resumes(reader: Errand) -> None:
    uid = reader.grant("fix", seconds=20, role=READER)
    end = reader.status("fix")["expirationTime"]
    assert reader.may()
    _write(reader, MORE)
    reader.until("fix", "Suspended")
    reader.bed.wait_until(lambda: reader.binding(uid) is None)
    assert not reader.may(resource="secrets")
    assert reader.job(uid) is not None
    _write(reader, READ)
    reader.until("fix", "Active")
    assert reader.may()
    assert reader.status("fix")["expirationTime"] == end
    _write(reader, MORE)
    reader.until("fix", "Suspended")
    reader.until("fix", "Expired", timeout=30)


def test_subject_made_anew_while_active_suspends(errand: Errand) -> None:
    errand.policy()
    agent = f"{errand.namespace}/agent"
    errand.grant("fix", agent)
    errand.bed.kubectl("delete", "serviceaccount", "agent", "-n", errand.namespace)
    errand.bed.kubectl("create", "serviceaccount", "agent", "-n", errand.namespace)
    errand.until("fix", "Suspended")


@pytest.mark.parametrize("plural", ["jobs", "rolebindings"])
def test_t24_name_that_is_taken_is_never_adopted(errand: Errand, plural: str) -> None:
    errand.policy()
    uid = errand.ask("fix")
    errand.until("fix", "AwaitingApproval")
    name = grant_name(uid)
    if plural == "jobs":
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
        body: Json = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"suspend": True, "template": template}}
    else:
        role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
        body = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "roleRef": role, "subjects": []}
    answer = errand.bed.request("POST", errand.object_path(plural), {**body, "metadata": {"name": name}})
    assert answer.status == 201, answer.message
    errand.approve("fix")
    errand.until("fix", "Failed")
    assert "is not as it was asked for" in errand.condition("fix", "Ready")["message"]
    found = errand.object(plural, uid)
    assert found is not None
    assert found["metadata"]["uid"] == answer.json["metadata"]["uid"]
    other = "rolebindings" if plural == "jobs" else "jobs"
    errand.bed.wait_until(lambda: errand.object(other, uid) is None)


def test_t25_object_made_anew_under_our_name_is_not_deleted(errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix")
    errand.bed.controller.pause()
    path = errand.object_path("rolebindings", uid)
    assert errand.bed.request("DELETE", path).status == 200
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    body = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "roleRef": role, "subjects": []}
    metadata = {"name": grant_name(uid), "namespace": errand.namespace}
    assert errand.bed.request("POST", errand.object_path("rolebindings"), {**body, "metadata": metadata}).status == 201
    assert errand.review("fix", "Release", "alice").status == 200
    errand.bed.controller.resume()
    errand.until("fix", "Released")
    assert errand.binding(uid) is not None


@pytest.mark.parametrize("plural", ["jobs", "rolebindings"])
def test_deleted_by_others_is_revoked_and_not_restored(errand: Errand, plural: str) -> None:
    errand.policy()
    uid = errand.grant("fix")
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    assert errand.bed.request("DELETE", errand.object_path(plural, uid), options).status == 200
    errand.until("fix", "Revoked")
    assert errand.condition("fix", "Ready")["message"].startswith("DeletedByOthers")
    errand.gone(uid)


@pytest.mark.parametrize("skew", [-90, 90])
def test_t32_deadline_follows_the_api_server_not_the_clock_of_our_host(errand: Errand, skew: int) -> None:
    errand.policy()
    controller = errand.bed.controller
    controller.terminate()
    usual = list(controller.command)
    at = usual.index("-m")
    controller.command[at : at + 2] = ["-c", OTHER_CLOCK.format(skew=skew)]
    controller.start()
    try:
        errand.ask("fix", seconds=10)
        errand.until("fix", "AwaitingApproval")
        errand.approve("fix")
        status = errand.until("fix", "Active")
        uid = errand.get("fix")["metadata"]["uid"]
        job = errand.job(uid)
        assert job is not None
        created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
        assert abs(datetime.fromisoformat(status["startTime"]) - created) <= timedelta(seconds=1)
        assert job["spec"]["activeDeadlineSeconds"] in {9, 10, 11}, "a second may begin between decision and Job"
        errand.bed.wait_until(lambda: errand.binding(uid) is None)
        late = datetime.now(UTC) - datetime.fromisoformat(status["expirationTime"])
        assert timedelta(seconds=-2) <= late <= timedelta(seconds=3)
        errand.until("fix", "Expired")
    finally:
        controller.terminate()
        controller.command[:] = usual
        controller.start()
        controller.wait_ready()


OTHER_CLOCK = """
import time
real = time.time
time.time = lambda: real() + {skew}
from daypass.cli.main import main
main()
"""


def test_t33_namespace_goes_though_all_of_us_are_dead(errand: Errand) -> None:
    errand.policy()
    errand.grant("fix")
    assert "finalizers" not in errand.get("fix")["metadata"]
    errand.bed.controller.kill()
    errand.bed.webhook.kill()
    try:
        errand.bed.kubectl("delete", "namespace", errand.namespace, "--wait=false")
        errand.bed.wait_until(lambda: errand.bed.get("namespace", errand.namespace) is None, 60, what="namespace gone")
    finally:
        errand.bed.request(
            "PATCH",
            "/apis/coordination.k8s.io/v1/namespaces/daypass-system/leases/daypass-controller",
            {"spec": {"holderIdentity": ""}},
            headers=MERGE,
        )
        errand.bed.start()


def test_t34_denied_while_the_controller_was_silent_is_not_granted(errand: Errand) -> None:
    errand.policy(approvals=[{"name": "two", "required": 2, "approvers": {"groups": ["approvers"]}}])
    uid = errand.ask("fix")
    errand.until("fix", "AwaitingApproval")
    errand.approve("fix", "bob")
    errand.bed.wait_until(lambda: "(1 of 2)" in errand.condition("fix", "Ready")["message"])
    errand.bed.controller.pause()
    errand.approve("fix", "carol")
    assert errand.review("fix", "Deny", "dave", "stop").status == 200
    errand.bed.controller.resume()
    errand.until("fix", "Denied")
    assert errand.binding(uid) is None


def test_t35_deleting_the_request_ends_the_grant_at_once(errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix")
    errand.bed.control_plane.controller_manager.pause()  # else its garbage collector may be the first to end it
    try:
        errand.bed.kubectl("delete", "areq", "fix", "-n", errand.namespace, "--wait=false")
        errand.bed.wait_until(lambda: errand.binding(uid) is None, 25)
        errand.gone(uid)
        errand.bed.wait_until(lambda: "AccessEnded" in errand.events("fix"))
    finally:
        errand.bed.control_plane.controller_manager.resume()
    assert errand.bed.request("DELETE", errand.path("fix"), user="alice").status == 403


def test_t35_request_held_by_a_finalizer_is_over_all_the_same(errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix")
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    assert errand.bed.request("DELETE", errand.path("fix"), options).status in {200, 202}
    errand.bed.wait_until(lambda: errand.binding(uid) is None, 25)
    errand.gone(uid)


def test_t35_grant_whose_request_went_while_nobody_looked_is_cleaned_up(errand: Errand) -> None:
    errand.policy()
    uid = errand.grant("fix")
    errand.bed.controller.terminate()
    errand.bed.control_plane.controller_manager.pause()
    try:
        errand.bed.kubectl("delete", "areq", "fix", "-n", errand.namespace, "--wait=false")
        assert errand.binding(uid) is not None
        errand.bed.controller.start()
        errand.bed.wait_until(lambda: errand.binding(uid) is None and errand.job(uid) is None, 25)
    finally:
        errand.bed.control_plane.controller_manager.resume()
        errand.bed.controller.wait_ready()


def test_t66_binding_is_taken_back_until_its_job_has_started(errand: Errand) -> None:
    errand.policy()
    errand.bed.control_plane.controller_manager.pause()
    try:
        uid = errand.ask("fix", seconds=60)
        errand.until("fix", "AwaitingApproval")
        errand.approve("fix")
        errand.until("fix", "Active")
        status = errand.until("fix", "Scheduled", timeout=25)
        errand.bed.wait_until(lambda: errand.binding(uid) is None)
        assert [one["kind"] for one in status["objects"]] == ["Job"]
        end = status["expirationTime"]
        errand.bed.wait_until(lambda: _age(errand, uid) > timedelta(seconds=8))
    finally:
        errand.bed.control_plane.controller_manager.resume()
    assert errand.until("fix", "Active", timeout=30)["expirationTime"] == end
    job = errand.job(uid)
    assert job is not None
    started = datetime.fromisoformat(job["status"]["startTime"])
    ends = started + timedelta(seconds=job["spec"]["activeDeadlineSeconds"])
    assert abs(ends - datetime.fromisoformat(end)) <= timedelta(seconds=5)


def _age(errand: Errand, uid: str) -> timedelta:
    job = errand.job(uid)
    assert job is not None
    return datetime.now(UTC) - datetime.fromisoformat(job["metadata"]["creationTimestamp"])


def test_t66_no_job_no_grant(errand: Errand) -> None:
    errand.policy()
    errand.bed.kubectl("create", "quota", "none", "-n", errand.namespace, "--hard=count/jobs.batch=0")
    errand.bed.wait_until(lambda: _refused(errand), what="the quota is enforced")
    uid = errand.ask("fix")
    errand.until("fix", "AwaitingApproval")
    errand.approve("fix")
    errand.until("fix", "Failed")
    assert "exceeded quota" in errand.condition("fix", "Ready")["message"]
    assert errand.binding(uid) is None


def _refused(errand: Errand) -> bool:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "probe"}, "spec": {"template": template}}
    return errand.bed.request("POST", f"{errand.object_path('jobs')}?dryRun=All", body).status == 403
