"""The pod that a controller would make, where the tests on the real controllers don't look."""

from typing import Any

import pytest

from daypass.domain.pod_template import projection
from daypass.domain.workloads import makes_pods, pod_of

Json = dict[str, Any]
POD: Json = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "app", "image": "a"}]}}


def workload(api_version: str, kind: str, name: str = "web", **spec: object) -> Json:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"template": POD, **spec},
    }


@pytest.mark.parametrize(
    ("api_version", "kind", "does"),
    [
        ("v1", "Pod", True),
        ("v1", "PodTemplate", True),
        ("apps/v1", "Deployment", True),
        ("apps/v2beta1", "StatefulSet", True),
        ("batch/v1", "CronJob", True),
        ("apps.kruise.io/v1", "StatefulSet", False),
        ("apps/v1", "ControllerRevision", False),
        ("v1", "ConfigMap", False),
    ],
)
def test_which_kinds_make_pods(api_version: str, kind: str, *, does: bool) -> None:
    assert makes_pods({"apiVersion": api_version, "kind": kind}) is does


@pytest.mark.parametrize("length", [1, 20, 53, 55, 60, 61])
def test_the_ordinal_is_cut_to_what_fits_a_host_name(length: int) -> None:
    """And any ordinal gives the same digest."""
    made = [pod_of(workload("apps/v1", "StatefulSet", "a" * length), ordinal) for ordinal in (0, 7, 123_456_789)]
    assert all(len(pod["spec"]["hostname"]) <= 63 for pod in made)
    assert projection(made[0]) == projection(made[1]) == projection(made[2])


def test_a_daemon_set_in_the_nodes_network_tolerates_nodes_without_one() -> None:
    host = {**POD, "spec": {**POD["spec"], "hostNetwork": True}}
    keys = [
        {one["key"] for one in pod_of(workload("apps/v1", "DaemonSet", template=template))["spec"]["tolerations"]}
        for template in (POD, host)
    ]
    assert keys[1] - keys[0] == {"node.kubernetes.io/network-unavailable"}


def test_an_index_of_the_manifests_own_stays() -> None:
    own = {"name": "JOB_COMPLETION_INDEX", "value": "7"}
    template = {"spec": {"containers": [{"name": "app", "env": [own]}]}}
    pod = pod_of(workload("batch/v1", "Job", completionMode="Indexed", template=template))
    assert pod["spec"]["containers"][0]["env"] == [own]


def test_a_name_that_is_to_be_generated_will_do() -> None:
    job = workload("batch/v1", "Job")
    job["metadata"] = {"generateName": "run-"}
    assert pod_of(job)["metadata"]["ownerReferences"][0]["name"] == "run-x"


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"])
@pytest.mark.parametrize(
    "spec",
    [
        {"containers": "a", "initContainers": 7, "volumes": {}, "tolerations": True, "affinity": []},
        {"containers": [1, {"env": 7}], "volumes": [None], "tolerations": ["a"], "affinity": {"nodeAffinity": 7}},
    ],
)
def test_what_is_no_pod_is_left_to_the_api_server_to_refuse(kind: str, spec: Json) -> None:
    group = "v1" if kind == "Pod" else "batch/v1" if "Job" in kind else "apps/v1"
    template = {"metadata": 7, "spec": spec}
    inner: Json = {"template": template, "completionMode": "Indexed", "volumeClaimTemplates": [1, {}]}
    made: Json = {"apiVersion": group, "kind": kind, "metadata": {"name": "a"}}
    made["spec"] = spec if kind == "Pod" else {"jobTemplate": {"spec": inner}} if kind == "CronJob" else inner
    assert pod_of(made)["spec"]


@pytest.mark.parametrize("spec", [None, 7, {}, {"template": None}, {"template": {"spec": "a"}}])
def test_a_workload_without_a_template_is_an_error_that_says_so(spec: object) -> None:
    with pytest.raises(ValueError, match=r"^spec.template.spec is missing$"):
        pod_of({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec})
