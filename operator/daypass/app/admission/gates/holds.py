"""Hold a pod: keep it from being scheduled until its request is approved (T53, T54, T57)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from daypass.app.ports import Json
from daypass.domain import names
from daypass.domain.hold_marks import gate_names
from daypass.domain.json_values import member

_LABEL: Final = f"/metadata/labels/{names.LABEL_HELD.replace('/', '~1')}"
_GATES: Final = "/spec/schedulingGates"
_MARK: Final = f"/metadata/annotations/{names.ANNOTATION_HELD_FOR.replace('/', '~1')}"


@dataclass(frozen=True, slots=True)
class Held:
    """Whether a pod is held, and what keeps it from being so."""

    gated: bool
    labelled: bool
    node_name: bool
    mark: str = ""
    """For what it was held."""
    annotated: bool = False
    """Whether it has annotations at all."""

    def unfit(self, mark: str) -> str:
        """Why the pod can't wait for this as it is; empty where it can."""
        if self.node_name:
            return "it names its node (spec.nodeName): leave that out, or ask for it beforehand"
        if not self.gated:
            return (
                f"its scheduling gate {names.SCHEDULING_GATE} was not put on, or was taken off again by another webhook"
            )
        if not self.labelled:
            return f"its label {names.LABEL_HELD} was not put on, or was taken off again by another webhook"
        if self.mark != mark:
            # Fail closed: what admission finds out about it now would be lost.
            return (
                f"its annotation {names.ANNOTATION_HELD_FOR} was not put on, or it was held for something else than"
                " what it needs now: try again"
            )
        return ""

    def freed(self, after: "Held") -> bool:
        """Whether a change takes the hold off, or makes it one for something else."""
        if self.gated and not after.gated:
            return True
        return (self.labelled and not after.labelled) or ((self.gated or self.labelled) and self.mark != after.mark)


def held_of(pod: Json) -> Held:
    """How a pod stands."""
    return Held(
        gated=names.SCHEDULING_GATE in gate_names(pod),
        labelled=member(pod, "metadata", "labels", names.LABEL_HELD) == "true",
        node_name=bool(member(pod, "spec", "nodeName")),
        mark=str(member(pod, "metadata", "annotations", names.ANNOTATION_HELD_FOR) or ""),
        annotated=isinstance(member(pod, "metadata", "annotations"), Mapping),
    )


def hold(pod: Json) -> tuple[Mapping[str, Any], ...]:
    """The patch that holds a pod."""
    patch: list[Mapping[str, Any]] = []
    held, gate = held_of(pod), {"name": names.SCHEDULING_GATE}
    if not held.gated:
        there = isinstance(member(pod, "spec", "schedulingGates"), list)
        patch.append(
            {"op": "add", "path": f"{_GATES}/-", "value": gate}
            if there
            else {"op": "add", "path": _GATES, "value": [gate]}
        )
    if not held.labelled:
        if isinstance(member(pod, "metadata", "labels"), Mapping):
            patch.append({"op": "add", "path": _LABEL, "value": "true"})
        else:
            patch.append({"op": "add", "path": "/metadata/labels", "value": {names.LABEL_HELD: "true"}})
    return tuple(patch)


def marked(held: Held, mark: str) -> tuple[Mapping[str, Any], ...]:
    """The patch that says on a pod for what it is held."""
    if held.mark == mark:
        return ()
    if held.annotated:
        return ({"op": "add", "path": _MARK, "value": mark},)
    return ({"op": "add", "path": "/metadata/annotations", "value": {names.ANNOTATION_HELD_FOR: mark}},)


def release(pod: Json) -> tuple[Mapping[str, Any], ...]:
    """The patch that takes a hold off which nothing asks for: of a manifest, or before another webhook's change."""
    places = [place for place, name in enumerate(gate_names(pod)) if name == names.SCHEDULING_GATE]
    patch: list[Mapping[str, Any]] = [{"op": "remove", "path": f"{_GATES}/{place}"} for place in reversed(places)]
    if member(pod, "metadata", "labels", names.LABEL_HELD) is not None:
        patch.append({"op": "remove", "path": _LABEL})
    if member(pod, "metadata", "annotations", names.ANNOTATION_HELD_FOR) is not None:
        patch.append({"op": "remove", "path": _MARK})
    return tuple(patch)
