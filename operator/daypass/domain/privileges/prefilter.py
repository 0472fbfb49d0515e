"""Tells at once of which controls it is certain that they find nothing in a pod: of most pods, of all of them.

Nearly every pod that reaches a gate is harmless to it. To say so needs no paths and no values: one walk over the pod,
along the fields of the controls in question and no others, that notes whose field it does not like.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from daypass.domain.privileges.control import Allowed, Clear
from daypass.domain.privileges.controls import CONTROLS
from daypass.domain.privileges.pod import CONTAINER_LISTS, EACH

_Look: TypeAlias = Callable[[Any, set[str]], None]
"""Adds the controls that may find something in what stands at a place."""


class _Node:
    """What is known of a place in a pod: tests of what stands there, and the places below it; grown step by step."""

    __slots__ = ("below", "each", "must", "tests", "whose")

    def __init__(self) -> None:
        self.tests: list[Allowed] = []
        self.whose: set[str] = set()
        """The controls that look here or below."""
        self.below: dict[str, _Node] = {}
        self.each: _Node | None = None
        self.must: dict[str, set[str]] = {}
        """Steps below at which something must stand, and the controls that say so."""

    @property
    def is_leaf(self) -> bool:
        """Whether what stands here is looked at and not into."""
        return self.each is None and not self.below

    def at(self, step: str) -> "_Node":
        if step != EACH:
            return self.below.setdefault(step, _Node())
        if self.each is None:
            self.each = _Node()
        return self.each


class Prefilter:
    """A look with the eyes of some controls."""

    __slots__ = ("_look",)

    def __init__(self, controls: Iterable[str]) -> None:
        """``controls`` by name; what is no control finds nothing."""
        pod, containers = _Node(), _Node()
        for name in controls:
            control = CONTROLS.get(name)
            for clear in control.check.clear if control is not None else ():
                _plant(containers if clear.field.of_containers else pod, name, clear)
        if containers.below:
            # A spec that is none is for the closer look, and so is a list of containers that is none.
            for kind in CONTAINER_LISTS:
                listed = pod.at("spec").at(kind)
                listed.each = containers
                for node in (pod, pod.at("spec"), listed):
                    node.whose |= containers.whose
        if "spec" in pod.below:
            pod.must["spec"] = pod.below["spec"].whose
        self._look = _compiled(pod)

    def suspects(self, pod: Any) -> set[str]:  # noqa: ANN401 - JSON as it came
        """The controls that need a closer look; it is certain that each of the others finds nothing."""
        found: set[str] = set()
        self._look(pod, found)
        return found


def _plant(node: _Node, name: str, clear: Clear) -> None:
    steps = clear.field.steps
    for place, step in enumerate(steps):
        node.whose.add(name)
        # Where a control looks at what is absent too, or may not be absent, its absence is for the closer look.
        last = place == len(steps) - 1
        if step != EACH and (clear.required or (last and not clear.allowed(None))):
            node.must.setdefault(step, set()).add(name)
        node = node.at(step)
    node.whose.add(name)
    node.tests.append(clear.allowed)


def _compiled(node: _Node) -> _Look:
    """One function for a place and all below it: a pod is walked a hundred times more often than a tree is made."""
    looks = [_itself(node)] if node.tests else []
    if node.each is not None:
        looks.append(_items(node, node.each))
    if node.below:
        looks.append(_fields(node))
    return looks[0] if len(looks) == 1 else _all(looks)


def _itself(node: _Node) -> _Look:
    allowed, whose = _allowed(node.tests), node.whose

    def look(found: Any, suspects: set[str]) -> None:  # noqa: ANN401 - JSON
        if not allowed(found):
            suspects |= whose

    return look


def _fields(node: _Node) -> _Look:
    whose, must = node.whose, tuple(node.must.items())
    leaves = {step: (_allowed(one.tests), one.whose) for step, one in node.below.items() if one.is_leaf}
    branches = {step: _compiled(one) for step, one in node.below.items() if not one.is_leaf}

    def look(found: Any, suspects: set[str]) -> None:  # noqa: ANN401 - JSON
        if type(found) is not dict:
            suspects |= whose
            return
        for step, theirs in must:
            if found.get(step) is None:
                suspects |= theirs
        for step, value in found.items():
            if step in leaves:
                allowed, theirs = leaves[step]
                if value is not None and not allowed(value):
                    suspects |= theirs
            elif step in branches and value is not None:
                branches[step](value, suspects)

    return look


def _items(node: _Node, each: _Node) -> _Look:
    whose, look_at = node.whose, _compiled(each)

    def look(found: Any, suspects: set[str]) -> None:  # noqa: ANN401 - JSON
        if type(found) is not list:
            suspects |= whose
            return
        for item in found:
            if item is None:
                suspects |= whose
            else:
                look_at(item, suspects)

    return look


def _all(looks: Sequence[_Look]) -> _Look:
    def look(found: Any, suspects: set[str]) -> None:  # noqa: ANN401 - JSON
        for one in looks:
            one(found, suspects)

    return look


def _allowed(tests: Sequence[Allowed]) -> Allowed:
    """Whether all tests of a place like what stands there; where one does not, all controls take a closer look."""
    first, *others = tests
    if not others:
        return first
    second = _allowed(others)
    return lambda found: first(found) and second(found)
