"""Who made or changed a workload, as the API server and Kubernetes' own controllers keep it with us dead (T55, T69)."""

import uuid

import pytest

from bed import Bed
from bed.http import Response
from cluster.chains import WEBHOOK, Json

pytestmark = pytest.mark.usefixtures("without_webhooks")

AUTHORS = "daypass.dev/authors"
KINDS = {
    "deployments": ("apps/v1", "Deployment"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "daemonsets": ("apps/v1", "DaemonSet"),
    "jobs": ("batch/v1", "Job"),
    "cronjobs": ("batch/v1", "CronJob"),
    "replicationcontrollers": ("v1", "ReplicationController"),
}
SCALABLE = ("deployments", "replicasets", "statefulsets", "replicationcontrollers")
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
FORGED = "nobody names others there"
LOST = "no author gets lost"


def as_controller(name: str) -> dict[str, str]:
    """One of Kubernetes' own controllers, as an admin impersonates it."""
    return {"Impersonate-User": f"system:serviceaccount:kube-system:{name}", "Impersonate-Group": "system:masters"}


def path_of(plural: str, namespace: str, *rest: str) -> str:
    version = KINDS[plural][0]
    return "/".join(("/api" if version == "v1" else "/apis", version, "namespaces", namespace, plural, *rest))


def a_workload(plural: str, authors: str | None = None, name: str = "work") -> Json:
    """A workload that wants no pods, so that only its own controller works on it."""
    version, kind = KINDS[plural]
    labels = {"app": name}
    containers = [{"name": "main", "image": "app:1"}]
    template: Json = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec: Json = {"template": template, "selector": {"matchLabels": labels}, "replicas": 0}
    if plural == "replicationcontrollers":
        spec["selector"] = labels
    if plural == "statefulsets":
        spec["serviceName"] = name
    if plural == "daemonsets":
        del spec["replicas"]
    if plural in ("jobs", "cronjobs"):
        template["spec"]["restartPolicy"] = "Never"
        spec = {"template": template, "parallelism": 0}
    if plural == "cronjobs":
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
    metadata: Json = {"name": name}
    if authors is not None:
        metadata["annotations"] = {AUTHORS: authors}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def named(authors: str | None) -> Json:
    return {"metadata": {"annotations": {AUTHORS: authors}}}


@pytest.fixture
def place(bare_cluster: Bed, namespace: str) -> str:
    """A namespace in which alice and bob may write workloads on every path."""
    paths = [f"{plural}/{each}" for plural in KINDS for each in ("status", "scale")]
    rules = [{"apiGroups": ["apps", "batch", ""], "resources": paths, "verbs": ["update", "patch"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": rules}
    bare_cluster.apply({**role, "metadata": {"name": "subresources", "namespace": namespace}})
    for given in ("--clusterrole=edit", "--role=subresources"):
        name = given.rpartition("=")[2]
        people = ("--user=alice", "--user=bob", "-n", namespace)
        bare_cluster.kubectl("create", "rolebinding", f"writers-{name}", given, *people)
    return namespace


def create(bed: Bed, place: str, plural: str, body: Json, user: str = "alice") -> Response:
    return bed.request("POST", path_of(plural, place), body, user=user)


def create_as(bed: Bed, place: str, plural: str, body: Json, controller: str) -> Response:
    """As one of Kubernetes' own controllers, which an admin impersonates."""
    return bed.request("POST", path_of(plural, place), body, headers=as_controller(controller))


def patch(bed: Bed, path: str, body: object, user: str, kind: str = MERGE) -> Response:
    return bed.request("PATCH", path, body, user=user, headers={"Content-Type": kind})


def stored(bed: Bed, place: str, plural: str, name: str = "work") -> Json:
    return dict(bed.request("GET", path_of(plural, place, name)).json)


def authors_of(body: Json) -> str | None:
    found: str | None = body["metadata"].get("annotations", {}).get(AUTHORS)
    return found


@pytest.mark.parametrize("plural", KINDS)
def test_t55_nobody_is_born_another_ones_work(bare_cluster: Bed, place: str, plural: str) -> None:
    for user in ("alice", "admin"):
        for forged in ("bob", "alice\nbob", "bob\nalice", "alice\n", "", "\n", "alice ", "?x", "^x"):
            answer = create(bare_cluster, place, plural, a_workload(plural, forged), user)
            assert answer.status == 403, (forged, answer.message)
            assert FORGED in answer.message
    for number, honest in enumerate((None, "alice", "?", "alice\n?")):
        answer = create(bare_cluster, place, plural, a_workload(plural, honest, name=f"work-{number}"))
        assert answer.status == 201, answer.message


def forge(bed: Bed, place: str, plural: str, authors: str) -> list[Response]:
    """Bob writes that annotation, on every path on which it can be written."""
    path = path_of(plural, place, "work")
    version, kind = KINDS[plural]
    applied = {"apiVersion": version, "kind": kind, "metadata": {"name": "work", "annotations": {AUTHORS: authors}}}
    operation = {"op": "replace", "path": "/metadata/annotations/daypass.dev~1authors", "value": authors}
    answers = []
    for where in (path, f"{path}/status"):
        answers.append(patch(bed, where, named(authors), "bob"))
        answers.append(patch(bed, where, [operation], "bob", JSON_PATCH))
        answers.append(patch(bed, f"{where}?fieldManager=mallory&force=true", applied, "bob", APPLY))
        whole = stored(bed, place, plural)
        del whole["metadata"]["resourceVersion"]
        whole["metadata"]["annotations"][AUTHORS] = authors
        answers.append(bed.request("PUT", where, whole, user="bob"))
    return answers


@pytest.mark.parametrize("plural", KINDS)
def test_t55_authors_cant_be_forged_on_any_path(bare_cluster: Bed, place: str, plural: str) -> None:
    create(bare_cluster, place, plural, a_workload(plural, "alice"))
    for authors, says in (("carol", FORGED), ("alice\ncarol", FORGED), ("bob", LOST), ("", FORGED), ("?", LOST)):
        for number, answer in enumerate(forge(bare_cluster, place, plural, authors)):
            assert answer.status == 403, (number, authors, answer.message)
            assert says in answer.message
    assert authors_of(stored(bare_cluster, place, plural)) == "alice"


@pytest.mark.parametrize("plural", KINDS)
def test_t55_no_author_gets_lost(bare_cluster: Bed, place: str, plural: str) -> None:
    """Whoever may write policies could open the gate; they alone may clean up, and name nobody either."""
    create(bare_cluster, place, plural, a_workload(plural, "alice"))
    path = path_of(plural, place, "work")
    for where in (path, f"{path}/status"):
        for user in ("alice", "bob"):
            for gone in (named(None), {"metadata": {"annotations": None}}):
                answer = patch(bare_cluster, where, gone, user)
                assert answer.status == 403
                assert LOST in answer.message
    assert patch(bare_cluster, path, named("admin"), "admin").status == 403
    assert patch(bare_cluster, path, named(None), "admin").status == 200


def test_t55_who_changes_it_joins_as_themselves(bare_cluster: Bed, place: str) -> None:
    create(bare_cluster, place, "deployments", a_workload("deployments", "alice"))
    path = path_of("deployments", place, "work")
    assert patch(bare_cluster, path, named("alice\nbob"), "bob").status == 200
    assert patch(bare_cluster, path, named("bob\nalice\n?"), "bob").status == 200
    assert patch(bare_cluster, path, {"metadata": {"labels": {"a": "b"}}}, "alice").status == 200
    assert FORGED in patch(bare_cluster, path, named("bob\nalice\n?\ncarol"), "alice").message
    assert LOST in patch(bare_cluster, path, named("bob\nalice"), "alice").message


@pytest.mark.parametrize("plural", KINDS)
def test_t69_what_nobody_recorded_stays_unknown(bare_cluster: Bed, place: str, plural: str) -> None:
    """Else bob, who made it before there was a gate, is no author after alice's small change."""
    create(bare_cluster, place, plural, a_workload(plural), "bob")
    path = path_of(plural, place, "work")
    for where in (path, f"{path}/status"):
        answer = patch(bare_cluster, where, named("alice"), "alice")
        assert answer.status == 403
        assert "was not recorded" in answer.message
        assert FORGED in patch(bare_cluster, where, named(""), "alice").message
    assert patch(bare_cluster, path, named("alice\n?"), "alice").status == 200


@pytest.mark.parametrize("plural", SCALABLE)
def test_scaling_a_stamped_workload_is_as_ever(bare_cluster: Bed, place: str, plural: str) -> None:
    create(bare_cluster, place, plural, a_workload(plural, "alice"))
    path = path_of(plural, place, "work", "scale")
    answer = patch(bare_cluster, path, {**named("carol"), "spec": {"replicas": 0}}, "bob")
    assert answer.status == 200, answer.message
    assert authors_of(stored(bare_cluster, place, plural)) == "alice"


@pytest.mark.parametrize("plural", KINDS)
def test_kubernetes_own_controllers_report_on_stamped_workloads(bare_cluster: Bed, place: str, plural: str) -> None:
    body = create(bare_cluster, place, plural, a_workload(plural, "alice\n?")).json
    if plural in ("jobs", "cronjobs"):
        headers = as_controller(f"{plural[:-1]}-controller")
        status = {"status": {"active": 1} if plural == "jobs" else {"lastScheduleTime": "2026-01-01T00:00:00Z"}}
        answer = bare_cluster.request("PATCH", path_of(plural, place, "work", "status"), status, headers=headers)
        assert answer.status == 200, answer.message
        return

    def seen() -> bool:
        status = stored(bare_cluster, place, plural).get("status", {})
        return bool(status.get("observedGeneration", 0) >= body["metadata"].get("generation", 1))

    bare_cluster.wait_until(seen, what=f"the controller of {plural} reported")


def replica_sets(bed: Bed, place: str) -> dict[str, str | None]:
    """The authors on each ReplicaSet, by the image that it runs."""
    found: list[Json] = bed.request("GET", path_of("replicasets", place)).json["items"]
    return {each["spec"]["template"]["spec"]["containers"][0]["image"]: authors_of(each) for each in found}


def test_t55_the_deployment_controller_copies_authors_and_keeps_them_equal(bare_cluster: Bed, place: str) -> None:
    create(bare_cluster, place, "deployments", a_workload("deployments", "alice"))
    path = path_of("deployments", place, "work")

    def until(wanted: dict[str, str | None]) -> None:
        bare_cluster.wait_until(lambda: replica_sets(bare_cluster, place) == wanted, what=f"ReplicaSets of {wanted}")

    until({"app:1": "alice"})
    assert patch(bare_cluster, path, named("alice\ncarol-is-not-here"), "bob").status == 403
    assert patch(bare_cluster, path, named("alice\nbob"), "bob").status == 200
    until({"app:1": "alice\nbob"})
    containers = [{"name": "main", "image": "app:2"}]
    newer = {
        "metadata": {"annotations": {AUTHORS: "alice\nbob\nadmin"}},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    assert patch(bare_cluster, path, newer, "admin").status == 200
    until({"app:1": "alice\nbob", "app:2": "alice\nbob\nadmin"})


def test_t55_the_deployment_controller_drops_nobody(bare_cluster: Bed, place: str) -> None:
    """Mallory changes the ReplicaSet's template by hand and back: its pods of in between are still being made."""
    create(bare_cluster, place, "replicasets", a_workload("replicasets", "alice"))
    path = path_of("replicasets", place, "work")
    assert patch(bare_cluster, path, named("alice\nbob"), "bob").status == 200
    headers = {**as_controller("deployment-controller"), "Content-Type": MERGE}
    for lines in ("alice", "alice\ncarol", ""):
        answer = bare_cluster.request("PATCH", path, named(lines), headers=headers)
        assert answer.status == 403
        assert LOST in answer.message
    copied = named("carol\nalice\nbob\n?")
    assert bare_cluster.request("PATCH", path, copied, headers=headers).status == 200


def test_t55_a_rollback_loses_no_author(bare_cluster: Bed, place: str) -> None:
    """`kubectl` takes the older ReplicaSet's annotations, too, and the deprecated annotation has the controller do so."""
    create(bare_cluster, place, "deployments", a_workload("deployments", "alice"))
    bare_cluster.wait_until(
        lambda: replica_sets(bare_cluster, place) == {"app:1": "alice"}, what="the first ReplicaSet"
    )
    path = path_of("deployments", place, "work")
    newer = {"containers": [{"name": "main", "image": "app:2"}]}
    patch(bare_cluster, path, {**named("alice\nbob"), "spec": {"template": {"spec": newer}}}, "bob")
    bare_cluster.wait_until(lambda: len(replica_sets(bare_cluster, place)) == 2, what="the second ReplicaSet")
    done = bare_cluster.kubectl("rollout", "undo", "deployment/work", "-n", place, user="bob", check=False)
    assert done.returncode != 0
    assert LOST in done.stderr
    undo = {"metadata": {"annotations": {"deprecated.deployment.rollback.to": "1"}}}
    assert patch(bare_cluster, path, undo, "bob").status == 200

    def tried() -> bool:
        found = (event for event in bare_cluster.audit_events(place) if event["objectRef"].get("namespace") == place)
        tries = (event for event in found if "deployment-controller" in event["user"]["username"])
        return any(event["responseStatus"]["code"] == 403 and event["verb"] == "update" for event in tries)

    bare_cluster.wait_until(tried, what="the deployment controller tried to roll back")
    assert authors_of(stored(bare_cluster, place, "deployments")) == "alice\nbob"


def test_an_orphan_keeps_its_authors(bare_cluster: Bed, place: str) -> None:
    create(bare_cluster, place, "deployments", a_workload("deployments", "alice"))
    bare_cluster.wait_until(lambda: replica_sets(bare_cluster, place) == {"app:1": "alice"}, what="its ReplicaSet")
    bare_cluster.kubectl("delete", "deployment", "work", "--cascade=orphan", "-n", place, user="bob")
    assert replica_sets(bare_cluster, place) == {"app:1": "alice"}


def test_t55_the_authors_of_jobs_are_not_what_a_cron_job_says_of_them(bare_cluster: Bed, place: str) -> None:
    """The cronjob controller copies the annotations of jobTemplate, which are anybody's free text."""
    for forged in ("alice", "bob", ""):
        body = a_workload("cronjobs", "alice")
        body["spec"]["jobTemplate"]["metadata"] = {"annotations": {AUTHORS: forged}}
        answer = create(bare_cluster, place, "cronjobs", body)
        assert answer.status == 403
        assert "no annotation for a jobTemplate" in answer.message
    honest = a_workload("cronjobs", "alice")
    honest["spec"]["jobTemplate"]["metadata"] = {"annotations": {"note": "x"}, "labels": {"a": "b"}}
    assert create(bare_cluster, place, "cronjobs", honest).status == 201
    changed = {"spec": {"jobTemplate": {"metadata": {"annotations": {AUTHORS: "bob"}}}}}
    assert (
        "no annotation for a jobTemplate"
        in patch(bare_cluster, path_of("cronjobs", place, "work"), changed, "bob").message
    )
    answer = create_as(bare_cluster, place, "jobs", a_workload("jobs", "alice"), "cronjob-controller")
    assert answer.status == 403
    assert FORGED in answer.message


@pytest.mark.parametrize("account", ["cronjob-controller", "deployment-controller"])
def test_t69_the_mark_of_a_controller_is_for_kubernetes_own_controllers(
    bare_cluster: Bed, place: str, account: str
) -> None:
    """Made for the owner of that uid: of an orphan, or one with a false owner, nobody knows the authors."""
    above, plural = ("cronjobs", "jobs") if account == "cronjob-controller" else ("deployments", "replicasets")
    owner = create(bare_cluster, place, above, a_workload(above, "alice", name="above")).json
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {"controller": True}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    mark = f"^{owner['metadata']['uid']}"

    def made(authors: str, name: str = "work", user: str = account, **changes: object) -> Response:
        body = a_workload(plural, authors, name)
        body["metadata"]["ownerReferences"] = [{**reference, **changes}]
        return create_as(bare_cluster, place, plural, body, user)

    answer = made(mark)
    assert answer.status == 201, answer.message
    path = path_of(plural, place, "work")
    for lost in ("bob", "?", "bob\n?"):
        assert LOST in patch(bare_cluster, path, named(lost), "bob").message
    assert FORGED in patch(bare_cluster, path, named(f"{mark}\n^{uuid.uuid4()}"), "bob").message
    assert patch(bare_cluster, path, named(f"{mark}\nbob"), "bob").status == 200
    for nobody in ("generic-garbage-collector", "cronjob-controllers"):
        assert FORGED in made(mark, "other", nobody).message
    if plural == "jobs":  # what is on a ReplicaSet, the deployment controller copies
        for wrong in ("", "^", f"^{uuid.uuid4()}"):
            assert FORGED in made(wrong, "other").message
        assert FORGED in made(mark, "other", controller=False).message


def test_t55_no_account_of_ours_names_authors(bare_cluster: Bed, place: str) -> None:
    """The webhook stamps them in the caller's own call; it writes no workload itself."""
    create(bare_cluster, place, "deployments", a_workload("deployments", "alice"))
    path = path_of("deployments", place, "work")
    assert patch(bare_cluster, path, named("bob"), WEBHOOK).status == 403
    for account in ("daypass-webhook", "daypass-controller", "daypass-setup"):
        user = {
            "Impersonate-User": f"system:serviceaccount:daypass-system:{account}",
            "Impersonate-Group": "system:masters",
        }
        answer = bare_cluster.request("PATCH", path, named("alice\nbob"), headers={**user, "Content-Type": MERGE})
        assert answer.status == 403
        assert FORGED in answer.message


def test_t45_workloads_of_the_cluster_itself_are_nobodys_business(bare_cluster: Bed) -> None:
    for place in ("kube-system", "daypass-system"):
        answer = create(bare_cluster, place, "deployments", a_workload("deployments", "bob"), "admin")
        assert answer.status == 201, answer.message
        assert bare_cluster.request("DELETE", path_of("deployments", place, "work")).status == 200
