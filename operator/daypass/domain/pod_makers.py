"""Decides which traits of a pod its controller gave it, other ones for each pod: by what the pod says of itself.

A pod may lie about its controller. So a trait counts as the controller's only if it is exactly what that controller
would have set for a pod of this name and this owner: a lie then gains nothing but what the owner's pods have anyway.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from daypass.domain.json_values import mapping

JOB_INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Label and annotation of the pods of an Indexed Job."""
_NUMBER: Final = re.compile("0|[1-9][0-9]{0,9}")
_HASH: Final = re.compile("[bcdfghjklmnpqrstvwxz2456789]{1,10}")
"""The alphabet of Kubernetes' own hashes (rand.SafeEncodeString)."""
_UID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LABEL_VALUE: Final = re.compile("[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
"""A name, which is lower case, as a label can hold it."""
_FAILURE_COUNTS: Final = frozenset(
    {"batch.kubernetes.io/job-index-failure-count", "batch.kubernetes.io/job-index-ignored-failure-count"}
)


@dataclass(frozen=True, slots=True)
class Maker:
    """The controller of a pod, as its owner reference names it; the empty one for a pod of nobody."""

    group: str
    kind: str
    name: str
    uid: str
    pod: str
    index: str
    """The pod's completion index in its Job, or empty."""

    @classmethod
    def of(cls, pod: Mapping[str, Any]) -> Self:
        """By the owner reference with ``controller: true``."""
        metadata = mapping(pod.get("metadata"))
        owners = metadata.get("ownerReferences")
        found = (mapping(one) for one in (owners if isinstance(owners, list) else ()))
        owner = next((one for one in found if one.get("controller") is True), {})
        marks = (mapping(metadata.get(where)).get(JOB_INDEX) for where in ("annotations", "labels"))
        index = next((mark for mark in marks if isinstance(mark, str)), "")
        return cls(
            str(owner.get("apiVersion") or "").rpartition("/")[0],
            str(owner.get("kind") or ""),
            str(owner.get("name") or ""),
            str(owner.get("uid") or ""),
            str(metadata.get("name") or ""),
            index if _NUMBER.fullmatch(index) else "",
        )

    def is_a(self, group: str, kind: str) -> bool:
        """Whether it is of that kind, of any version."""
        return (self.group, self.kind) == (group, kind)

    @property
    def ordinal(self) -> str:
        """The pod's number in its StatefulSet, or empty: pods of the set SET are called ``SET-ORDINAL``."""
        name, _, number = self.pod.rpartition("-")
        return number if self.is_a("apps", "StatefulSet") and name == self.name and _NUMBER.fullmatch(number) else ""

    @property
    def completion(self) -> str:
        """The pod's completion index, if a Job made it."""
        return self.index if self.is_a("batch", "Job") else ""

    def sets(self, where: str, key: str, value: str) -> bool:
        """Whether this one of the ``labels`` or ``annotations``, with this value, is the controller's own word."""
        if where == "annotations":
            return bool(self.completion) and (key, value) == (JOB_INDEX, self.completion)
        match self.group, self.kind:
            case "apps", "ReplicaSet":
                return key == "pod-template-hash" and _is_hash(value) and self.name.endswith(f"-{value}")
            case "apps", "DaemonSet":
                numbered = key == "pod-template-generation" and _NUMBER.fullmatch(value) is not None
                return numbered or (key == "controller-revision-hash" and _is_hash(value))
            case "apps", "StatefulSet" if self.ordinal:
                revision = key == "controller-revision-hash" and value.startswith(f"{self.name}-")
                return (revision and _is_hash(value.removeprefix(f"{self.name}-"))) or (key, value) in {
                    ("statefulset.kubernetes.io/pod-name", self.pod),
                    ("apps.kubernetes.io/pod-index", self.ordinal),
                }
            case "batch", "Job":
                return self._job_sets(key.removeprefix("batch.kubernetes.io/"), key, value)
            case _:
                return False

    def _job_sets(self, bare: str, key: str, value: str) -> bool:
        if bare == "controller-uid":
            return value == self.uid and _UID.fullmatch(value) is not None
        if bare == "job-name":
            return value == self.name and _LABEL_VALUE.fullmatch(value) is not None
        return bool(self.completion) and (key, value) == (JOB_INDEX, self.completion)

    def counts(self, where: str, key: str, value: str) -> bool:
        """Whether it is a number of the pod's failed forerunners, which the controller of an Indexed Job keeps there."""
        counted = where == "annotations" and key in _FAILURE_COUNTS and _NUMBER.fullmatch(value) is not None
        return counted and bool(self.completion)


def _is_hash(value: str) -> bool:
    return _HASH.fullmatch(value) is not None
