"""Decides what of a pod its digest covers: everything that says what runs, nothing that is set anew for each pod.

A projection by a list of exceptions, so that a field which Kubernetes adds tomorrow is covered from its first day.
Where a trait differs from pod to pod, it is put down as ``$(…)``, which no name can be, rather than left out: a pod
that has it then never looks like one that has not. ``docs/digests.md`` is this list for users.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from daypass.domain.exact_numbers import exact
from daypass.domain.json_values import inner, items
from daypass.domain.names import ANNOTATION_HELD_FOR, LABEL_HELD, SCHEDULING_GATE
from daypass.domain.pod_makers import JOB_INDEX, Maker

VERSION: Final = 1
TOKEN_VOLUME: Final = re.compile("kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""The name that the API server makes up for the volume of the ServiceAccount's token."""
_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")
_NODE_CONDITIONS: Final = ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable", "network-unavailable")
DAEMON_TOLERATIONS: Final = (
    *(
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
        for key in ("not-ready", "unreachable")
    ),
    *({"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoSchedule"} for key in _NODE_CONDITIONS),
)
_DEFAULT_TOLERATIONS: Final = tuple(one | {"tolerationSeconds": 300} for one in DAEMON_TOLERATIONS[:2])
_METADATA_FIELD: Final = re.compile(r"metadata\.(labels|annotations)(?:\['([^']*)'\])?")
RUNTIME_ANNOTATIONS: Final = (
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    "cdi.k8s.io/",
    "dev.gvisor.",
    "io.containers.trace-syscall",
    "io.katacontainers.",
    "io.kubernetes.cri-o.",
    "k8s.v1.cni.cncf.io/networks",
    "module.wasm.image/",
    "org.criu.config",
    "org.systemd.property.",
    "run.oci.",
    "v1.multus-cni.io/default-network",
)
"""Beginnings of annotations by which kubelets, container runtimes and network plugins change how a pod runs."""
PLUGIN_ANNOTATIONS: Final = (".nri.", ".crio.io", ".cri-o.io")
"""What the annotations for plugins of NRI, and those that CRI-O calls its own, have in their names."""
_HOLD: Final = frozenset({("labels", LABEL_HELD), ("annotations", ANNOTATION_HELD_FOR)})
_SET_BY_CONTROLLER: Final = {"setBy": "controller"}
"""Stands for a label or annotation that is the controller's own word: an object, since each of them is a text."""

Json = dict[str, Any]


def projection(pod: Mapping[str, Any]) -> Json:
    """What ``podTemplateDigest`` is over: the same for all pods of an owner and template, another if what runs changes.

    Rule: the whole spec, but for what controllers, the API server and the scheduler set for each pod, and of the
    metadata the labels and annotations that a container reads by the downward API: they are its input, as ``env`` is;
    and the annotations that runtimes are known to obey. So a change of what a running pod reads changes it too.
    Raises ValueError for an object that is nested without end.
    """
    maker = Maker.of(pod)
    spec = exact(pod.get("spec") or {})
    if not isinstance(spec, dict):
        return {"version": VERSION, "spec": spec}
    read = _metadata_read(pod, spec, maker)
    _leave_out_placement(pod, spec, maker)
    _leave_out_what_follows(spec)
    name_token_volume(spec)
    _leave_out_ordinals(spec, maker)
    _leave_out_merged_selectors(spec, pod)
    if isinstance(spec.get("volumes"), list):
        # The StatefulSet controller puts its claims in any order; a volume is found by its name.
        spec["volumes"].sort(key=lambda volume: str(volume.get("name")) if isinstance(volume, dict) else "")
    return {"version": VERSION, "spec": spec} | ({"metadata": read} if read else {})


def is_obeyed(annotation: str) -> bool:
    """Whether nodes are known to change how a pod runs by this annotation."""
    return annotation.startswith(RUNTIME_ANNOTATIONS) or any(one in annotation for one in PLUGIN_ANNOTATIONS)


def obeyed(pod: Mapping[str, Any]) -> Json:
    """The annotations of a pod that nodes are known to obey."""
    annotations = inner(inner(pod, "metadata"), "annotations")
    return {key: value for key, value in annotations.items() if is_obeyed(key)}


def _leave_out_placement(pod: Mapping[str, Any], spec: Json, maker: Maker) -> None:
    """Which node it got and what it waits for: the scheduler's, its gates', and for a DaemonSet its controller's."""
    spec.pop("schedulingGates", None)
    if is_scheduled(pod):
        spec.pop("nodeName", None)
    if maker.is_a("batch", "Job"):
        spec.pop("schedulingGroup", None)
    daemon = maker.is_a("apps", "DaemonSet")
    left_out = (*_DEFAULT_TOLERATIONS, *(DAEMON_TOLERATIONS if daemon else ()))
    _replace_list(spec, "tolerations", [one for one in items(spec, "tolerations") if one not in left_out])
    if daemon:
        node_affinity = inner(inner(spec, "affinity"), "nodeAffinity")
        required = inner(node_affinity, "requiredDuringSchedulingIgnoredDuringExecution")
        if _names_one_node(required):
            required["nodeSelectorTerms"] = "$(node)"


def daemon_set_on_one_node(pod: Mapping[str, Any]) -> str:
    """The DaemonSet that the pod names as its controller, if it asks for one node as such pods do; else empty.

    Of such a pod the digest does not cover the node; nor any other required affinity to nodes in the DaemonSet's
    template, because the controller puts the one node in its place, so that no pod has it.
    """
    maker = Maker.of(pod)
    affinity = inner(inner(inner(pod, "spec"), "affinity"), "nodeAffinity")
    one_node = _names_one_node(inner(affinity, "requiredDuringSchedulingIgnoredDuringExecution"))
    return maker.name if one_node and maker.is_a("apps", "DaemonSet") else ""


def is_scheduled(pod: Mapping[str, Any]) -> bool:
    """A pod that is made with a nodeName has no such condition yet, so its author's choice of a node is covered."""
    conditions = items(inner(pod, "status"), "conditions")
    return any(one.get("type") == "PodScheduled" and one.get("status") == "True" for one in conditions)


def _names_one_node(required: Mapping[str, Any]) -> bool:
    match required.get("nodeSelectorTerms"):
        case [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [str()], **rest}], **others}]:
            return not rest and not others
        case _:
            return False


def _leave_out_what_follows(spec: Json) -> None:
    """Numbers that the API server takes from a class which the spec names, and lets nobody choose."""
    if spec.get("priorityClassName"):
        spec.pop("priority", None)
        spec.pop("preemptionPolicy", None)
    if spec.get("runtimeClassName"):
        spec.pop("overhead", None)


def name_token_volume(spec: Json) -> None:
    """Give the token's volume one name; what is in it and where it is mounted stays, so nothing hides behind the name."""
    named = [volume for volume in items(spec, "volumes") if TOKEN_VOLUME.fullmatch(str(volume.get("name")))]
    if len(named) != 1 or "projected" not in named[0]:
        return
    old, new = named[0]["name"], "$(token)"
    named[0]["name"] = new
    for container in _containers(spec):
        for mount in items(container, "volumeMounts"):
            if mount.get("name") == old:
                mount["name"] = new


def _leave_out_ordinals(spec: Json, maker: Maker) -> None:
    """Host names and claims that a StatefulSet or an Indexed Job numbers."""
    hostname = spec.get("hostname")
    if maker.ordinal:
        if hostname == maker.pod:
            spec["hostname"] = "$(pod)"
        for volume in items(spec, "volumes"):
            claim = inner(volume, "persistentVolumeClaim")
            prefix = f"{volume.get('name')}-{maker.name}-"
            if claim.get("claimName") == prefix + maker.ordinal:
                claim["claimName"] = f"{prefix}$(ordinal)"
    if maker.completion:
        if hostname == f"{maker.name}-{maker.completion}":
            spec["hostname"] = "$(job)-$(index)"
        for container in _containers(spec):
            for variable in items(container, "env"):
                if _is_completion_index(variable):
                    variable["valueFrom"] = "$(index)"


def _is_completion_index(variable: Mapping[str, Any]) -> bool:
    """By the label, or, before Kubernetes 1.28, by the annotation."""
    paths = {f"metadata.{where}['{JOB_INDEX}']" for where in ("labels", "annotations")}
    match variable:
        case {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"fieldPath": path, **rest}, **others}, **more}:
            return path in paths and rest in ({}, {"apiVersion": "v1"}) and not others and not more
        case _:
            return False


def _leave_out_merged_selectors(spec: Json, pod: Mapping[str, Any]) -> None:
    """Expressions that the API server adds for ``matchLabelKeys``: they hold values of this pod's labels."""
    labels = inner(inner(pod, "metadata"), "labels")
    for term in (*items(spec, "topologySpreadConstraints"), *_affinity_terms(inner(spec, "affinity"))):
        added = {
            (key, operator, str(labels[key]))
            for keys, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
            for key in _words(term, keys)
            if key in labels
        }
        selector = inner(term, "labelSelector")
        if added and isinstance(selector.get("matchExpressions"), list):
            kept = [one for one in selector["matchExpressions"] if _expression(one) not in added]
            _replace_list(selector, "matchExpressions", kept)


def _expression(one: object) -> tuple[str, str, str] | None:
    """Key, operator and value of an expression with one value and nothing else."""
    match one:
        case {"key": str(key), "operator": str(operator), "values": [str(value)], **others} if not others:
            return (key, operator, value)
        case _:
            return None


def _affinity_terms(affinity: Mapping[str, Any]) -> Iterator[Json]:
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = inner(affinity, kind)
        yield from items(terms, "requiredDuringSchedulingIgnoredDuringExecution")
        for weighted in items(terms, "preferredDuringSchedulingIgnoredDuringExecution"):
            yield inner(weighted, "podAffinityTerm")


def _metadata_read(pod: Mapping[str, Any], spec: Json, maker: Maker) -> Json:
    """The labels and annotations that decide, or that containers read, whatever their names.

    Why not leave out kubectl's or our own: anybody can write any text into them. Only the marks of the hold go,
    as long as the pod is held: nothing of it runs.
    """
    annotations = obeyed(pod)
    found: dict[str, Json] = {"annotations": annotations} if annotations else {}
    held = any(gate.get("name") == SCHEDULING_GATE for gate in items(inner(pod, "spec"), "schedulingGates"))
    paths = dict.fromkeys(str(reference.get("fieldPath")) for reference in _field_references(spec))
    for field in filter(None, map(_METADATA_FIELD.fullmatch, paths)):
        where, only = field[1], field[2]
        values = inner(inner(pod, "metadata"), where)
        wanted = values if only is None else {only: values[only]} if only in values else {}
        kept = {
            key: _SET_BY_CONTROLLER if maker.sets(where, key, str(value)) else value
            for key, value in wanted.items()
            if not maker.counts(where, key, str(value)) and not (held and (where, key) in _HOLD)
        }
        found.setdefault(where, {}).update(kept)
    return found


def _field_references(spec: Json) -> Iterator[Json]:
    for container in _containers(spec):
        for variable in items(container, "env"):
            yield inner(inner(variable, "valueFrom"), "fieldRef")
    for volume in items(spec, "volumes"):
        sources = (volume, *items(inner(volume, "projected"), "sources"))
        for source in sources:
            for item in items(inner(source, "downwardAPI"), "items"):
                yield inner(item, "fieldRef")


def _containers(spec: Mapping[str, Any]) -> Iterator[Json]:
    for kind in _CONTAINERS:
        yield from items(spec, kind)


def _words(parent: Mapping[str, Any], key: str) -> list[str]:
    found = parent.get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _replace_list(parent: Json, key: str, kept: list[Any]) -> None:
    """An empty list and none at all are the same."""
    if kept:
        parent[key] = kept
    else:
        parent.pop(key, None)
