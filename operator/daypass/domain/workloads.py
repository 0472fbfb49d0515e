"""Decides which pod the controller of a built-in workload kind would make of it.

For ``daypass digest``, which asks the API server for that pod by a dry run: what webhooks see of it (labels, owner,
names) and what the digest looks at has to be as on the real one. Sources are the controllers of Kubernetes 1.36.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from daypass.domain.json_values import mapping
from daypass.domain.names import ANNOTATION_DIGEST_ONLY
from daypass.domain.pod_makers import JOB_INDEX
from daypass.domain.pod_template import DAEMON_TOLERATIONS

_UID: Final = "00000000-0000-0000-0000-000000000000"
_HASH: Final = "6d5f8c4b7d"
"""Stands for the hash of a template in names and labels."""
_MOMENT: Final = "29000000"
"""Stands for the minute of a CronJob's run in the name of its Job."""
_LONGEST_HOSTNAME: Final = 63
_TEMPLATES: Final = {
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}

Json = dict[str, Any]


def group_of(obj: Mapping[str, Any]) -> str:
    """The API group of an object; empty for the core group."""
    return str(obj.get("apiVersion") or "").rpartition("/")[0]


def makes_pods(obj: Mapping[str, Any]) -> bool:
    """Whether it is a pod, or of a built-in kind of which a controller makes pods."""
    return (group_of(obj), obj.get("kind")) in {*_TEMPLATES, ("", "Pod")}


def pod_of(workload: Mapping[str, Any], ordinal: int = 0) -> Json:
    """A pod as its controller would make it; the pod itself for a pod, but with another name.

    ``ordinal`` is that of a StatefulSet's pod, cut to what fits a host name. It has the annotation of a call that only
    asks for a digest. Raises ValueError, with what is missing, for a workload without a template.
    """
    group, kind = group_of(workload), str(workload.get("kind"))
    own = mapping(workload.get("metadata"))
    name = str(own.get("name") or f"{own.get('generateName') or kind.lower()}x").lower()
    if (group, kind) == ("", "Pod"):
        template: Mapping[str, Any] = workload
    else:
        template = workload
        for step in _TEMPLATES[group, kind]:
            template = mapping(template.get(step))
    if not isinstance(template.get("spec"), Mapping):
        path = "spec" if kind == "Pod" else f"{'.'.join(_TEMPLATES[group, kind])}.spec"
        text = f"{path} is missing"
        raise ValueError(text)  # noqa: TRY004 - the value of a person's manifest
    described = mapping(template.get("metadata"))
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{name}-",
            "labels": dict(mapping(described.get("labels"))),
            "annotations": {**mapping(described.get("annotations")), ANNOTATION_DIGEST_ONLY: "true"},
        },
        "spec": deepcopy(template["spec"]),
    }
    match group, kind:
        case "apps", "Deployment":
            pod["metadata"]["labels"]["pod-template-hash"] = _HASH
            _owned(pod, "apps/v1", "ReplicaSet", f"{name}-{_HASH}")
        case "apps", "ReplicaSet":
            _owned(pod, "apps/v1", kind, name)
        case "apps", "StatefulSet":
            _of_stateful_set(pod, workload, name, ordinal)
        case "apps", "DaemonSet":
            _of_daemon_set(pod, name)
        case "batch", "Job":
            _of_job(pod, mapping(workload.get("spec")), name)
        case "batch", "CronJob":
            jobs = mapping(mapping(mapping(workload.get("spec")).get("jobTemplate")).get("spec"))
            _of_job(pod, jobs, f"{name}-{_MOMENT}")
        case "", "ReplicationController":
            _owned(pod, "v1", kind, name)
        case _:
            pass
    return pod


def _owned(pod: Json, api_version: str, kind: str, name: str) -> None:
    owner = {"apiVersion": api_version, "kind": kind, "name": name, "uid": _UID, "controller": True}
    pod["metadata"]["ownerReferences"] = [owner]
    pod["metadata"]["generateName"] = f"{name}-"


def _of_stateful_set(pod: Json, workload: Mapping[str, Any], name: str, ordinal: int) -> None:
    digits = max(_LONGEST_HOSTNAME - len(name) - 1, 1)
    number = str(ordinal)[:digits]
    own_name = f"{name}-{number}"
    spec, metadata = pod["spec"], pod["metadata"]
    _owned(pod, "apps/v1", "StatefulSet", name)
    del metadata["generateName"]
    metadata["name"] = spec["hostname"] = own_name
    described = mapping(workload.get("spec"))
    if described.get("serviceName"):
        spec["subdomain"] = described["serviceName"]
    else:
        spec.pop("subdomain", None)
    metadata["labels"] |= {
        "controller-revision-hash": f"{name}-{_HASH}",
        "statefulset.kubernetes.io/pod-name": own_name,
        "apps.kubernetes.io/pod-index": number,
    }
    templates = [mapping(mapping(one).get("metadata")) for one in _list(described, "volumeClaimTemplates")]
    claims = {
        str(one.get("name")): {
            "name": one.get("name"),
            "persistentVolumeClaim": {"claimName": f"{one.get('name')}-{name}-{number}"},
        }
        for one in templates
    }
    others = [one for one in _list(spec, "volumes") if str(mapping(one).get("name")) not in claims]
    if claims:
        spec["volumes"] = [*claims.values(), *others]


def _of_daemon_set(pod: Json, name: str) -> None:
    spec = pod["spec"]
    _owned(pod, "apps/v1", "DaemonSet", name)
    pod["metadata"]["labels"] |= {"controller-revision-hash": _HASH, "pod-template-generation": "1"}
    added = [one for one in DAEMON_TOLERATIONS if spec.get("hostNetwork") or "network" not in one["key"]]
    kept = [one for one in _list(spec, "tolerations") if not any(_same_taint(one, other) for other in added)]
    spec["tolerations"] = [*kept, *map(dict, added)]
    here = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node"]}]}
    affinity = mapping(spec.get("affinity"))
    nodes = {
        **mapping(affinity.get("nodeAffinity")),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]},
    }
    spec["affinity"] = {**affinity, "nodeAffinity": nodes}


def _same_taint(one: object, other: Mapping[str, Any]) -> bool:
    """The controller replaces such a toleration by its own, that has no end."""
    return all(
        (mapping(one).get(key) or "") == (other.get(key) or "") for key in ("key", "effect", "operator", "value")
    )


def _of_job(pod: Json, job: Mapping[str, Any], name: str) -> None:
    _owned(pod, "batch/v1", "Job", name)
    metadata, spec = pod["metadata"], pod["spec"]
    for prefix in ("", "batch.kubernetes.io/"):
        metadata["labels"] |= {f"{prefix}controller-uid": _UID, f"{prefix}job-name": name}
    if job.get("completionMode") != "Indexed":
        return
    metadata["labels"][JOB_INDEX] = metadata["annotations"][JOB_INDEX] = "0"
    metadata["generateName"] = f"{name}-0-"
    spec["hostname"] = f"{name}-0"
    index = {
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{JOB_INDEX}']"}},
    }
    for container in (*_list(spec, "initContainers"), *_list(spec, "containers")):
        variables = _list(mapping(container), "env")
        if isinstance(container, dict) and not any(mapping(one).get("name") == index["name"] for one in variables):
            container["env"] = [*variables, deepcopy(index)]


def _list(parent: Mapping[str, Any], key: str) -> list[Any]:
    found = parent.get(key)
    return found if isinstance(found, list) else []
