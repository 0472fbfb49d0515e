"""What of an object its digest covers."""

from typing import Any

import pytest

from daypass.app.digests import object_digest
from daypass.domain.object_content import content, written
from daypass.signing.canonical import canonical_json

Json = dict[str, Any]
CLAIM: Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop", "labels": {"app": "db"}, "finalizers": ["a/b"]},
    "spec": {"resources": {"requests": {"storage": "1Gi"}}},
}


def digest(obj: Json, subresource: str = "") -> str:
    return object_digest(obj, canonical_json, subresource)


def with_metadata(**metadata: object) -> Json:
    return {**CLAIM, "metadata": {**CLAIM["metadata"], **metadata}}


@pytest.mark.parametrize(
    "metadata",
    [
        {"uid": "u"},
        {"resourceVersion": "7"},
        {"generation": 3},
        {"creationTimestamp": "2026-01-01T00:00:00Z"},
        {"creationTimestamp": None},
        {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30},
        {"managedFields": [{"manager": "kubectl"}]},
        {"selfLink": "/api"},
        {"annotations": {}},
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
    ],
    ids=str,
)
def test_what_the_api_server_sets_is_not_covered(metadata: Json) -> None:
    assert digest(with_metadata(**metadata)) == digest(CLAIM)


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "other"},
        {"namespace": "other"},
        {"labels": {"app": "web"}},
        {"annotations": {"a": "b"}},
        {"annotations": {"daypass.dev/digest-only": "true"}},
        {"finalizers": []},
        {"ownerReferences": [{"kind": "Pod", "name": "a"}]},
        {"tomorrow": 1},
    ],
    ids=str,
)
def test_what_somebody_wrote_is_covered(metadata: Json) -> None:
    assert digest(with_metadata(**metadata)) != digest(CLAIM)


def test_a_pods_copy_of_its_manifest_is_covered() -> None:
    """A container can read it, and nobody checks that it is the manifest."""
    copies = [{"annotations": {"kubectl.kubernetes.io/last-applied-configuration": text}} for text in ("{}", "reboot")]
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", **copy}} for copy in copies]
    assert digest(pods[0]) != digest(pods[1])


def test_status_is_covered_only_where_it_is_what_is_written() -> None:
    bound = {**CLAIM, "status": {"phase": "Bound"}}
    assert digest(bound) == digest(CLAIM)
    assert digest(bound, "status") != digest(CLAIM, "status")
    assert digest({**CLAIM, "spec": {}}) != digest(CLAIM)
    assert digest({**CLAIM, "tomorrow": 1}) != digest(CLAIM)


def test_a_generated_name_is_another_at_each_call() -> None:
    """And only such a name: one that was chosen beside a generateName stays."""
    long = "a" * 70
    for prefix, name, other in (("run-", "run-bcdfg", "run-xxxxx"), (long, long[:58] + "bcdfg", long[:58] + "xxxxx")):
        made, again = with_metadata(generateName=prefix, name=name), with_metadata(generateName=prefix, name=other)
        assert digest(made) == digest(again)
        assert digest(with_metadata(generateName=prefix, name="chosen")) != digest(made)
        assert digest(with_metadata(generateName=prefix, name=f"{prefix}evil!")) != digest(made)
        assert digest(with_metadata(generateName="other-", name=name)) != digest(made)


def test_numbers_stay_apart_beyond_2_to_the_53() -> None:
    """RFC 8785 knows doubles only, in which these two are one; what is sent to the API server again has them as they are."""
    first, second = {"spec": {"n": 2**53}}, {"spec": {"n": 2**53 + 1}}
    assert digest(first) != digest(second)
    assert content(first) != first
    assert digest(first) != digest({"spec": {"n": {"$integer": str(2**53)}}})
    assert written(first) == first


@pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"metadata": []}, {"metadata": {"annotations": 7, "name": 1}}])
def test_t49_no_shape_of_an_object_breaks_it(obj: Json) -> None:
    assert len(digest(obj)) == 64


def a_job(uid: str, labelled: str) -> Json:
    labels = {"batch.kubernetes.io/controller-uid": labelled, "controller-uid": labelled, "job-name": "report"}
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": labelled}}
    spec = {"selector": selector, "template": {"metadata": {"labels": labels}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report", "uid": uid}, "spec": spec}


def test_a_job_has_its_own_uid_in_labels_and_that_is_another_for_each() -> None:
    assert digest(a_job("u-1", "u-1")) == digest(a_job("u-2", "u-2"))
    assert digest(a_job("u-1", "u-2")) != digest(a_job("u-1", "u-1"))
    assert digest({**a_job("u-1", "u-1"), "kind": "Other"}) != digest({**a_job("u-2", "u-2"), "kind": "Other"})


def a_pod(volume: str, mounted: str) -> Json:
    volumes = [{"name": volume, "projected": {"sources": []}}]
    containers = [{"name": "main", "volumeMounts": [{"name": mounted, "mountPath": "/token"}]}]
    spec = {"volumes": volumes, "containers": containers}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}


def test_the_volume_of_a_pods_token_has_a_name_of_its_own_each_time() -> None:
    first, second = "kube-api-access-bcdfg", "kube-api-access-2456h"
    assert digest(a_pod(first, first)) == digest(a_pod(second, second))
    assert digest(a_pod(first, "other")) != digest(a_pod(first, first))
    assert digest(a_pod("token", "token")) != digest(a_pod(first, first))
