"""Tells of most pods at once that some controls find nothing in them.

Nearly every pod that reaches a gate is harmless to it. To say so needs no paths and no values: one walk over the pod,
along the fields of the controls in question and no others, that stops at the first thing it does not like.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from daypass.domain.privileges.control import Clear
from daypass.domain.privileges.controls import CONTROLS
from daypass.domain.privileges.pod import CONTAINER_LISTS, EACH

_Test: TypeAlias = Callable[[Any], bool]


class _Node:
    """What is known of a place in a pod: tests of what stands there, and the places below it; grown step by step."""

    __slots__ = ("below", "each", "must", "tests")

    def __init__(self) -> None:
        self.tests: list[_Test] = []
        self.below: dict[str, _Node] = {}
        self.each: _Node | None = None
        self.must: set[str] = set()
        """Steps below at which something must stand."""

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
                _plant(containers if clear.field.of_containers else pod, clear)
        if containers.below:
            # A spec that is none is for the closer look, and so is a list of containers that is none.
            for kind in CONTAINER_LISTS:
                pod.at("spec").at(kind).each = containers

        if "spec" in pod.below:
            pod.must.add("spec")
        self._look = _compiled(pod)

    def sees_nothing(self, pod: Any) -> bool:  # noqa: ANN401 - JSON as it came
        """Whether it is certain that none of the controls finds anything; False where a closer look is needed."""
        return type(pod) is dict and self._look(pod)


def _plant(node: _Node, clear: Clear) -> None:
    steps = clear.field.steps
    for place, step in enumerate(steps):
        # Where a control looks at what is absent too, or may not be absent, its absence is for the closer look.
        last = place == len(steps) - 1
        if step != EACH and (clear.required or (last and not clear.allowed(None))):
            node.must.add(step)
        node = node.at(step)
    node.tests.append(clear.allowed)


def _compiled(node: _Node) -> _Test:
    """One function for a place and all below it: a pod is walked a hundred times more often than a tree is made."""
    tests = [*node.tests]
    if node.each is not None:
        tests.append(_items(_compiled(node.each)))
    if node.below:
        tests.append(_fields({step: _compiled(below) for step, below in node.below.items()}, tuple(node.must)))
    return tests[0] if len(tests) == 1 else _all(tests)


def _fields(below: Mapping[str, _Test], must: Sequence[str]) -> _Test:
    def test(found: Any) -> bool:  # noqa: ANN401 - JSON
        if type(found) is not dict:
            return False
        for step in must:
            if found.get(step) is None:
                return False
        for step, value in found.items():
            if step in below and value is not None and not below[step](value):
                return False
        return True

    return test


def _items(each: _Test) -> _Test:
    def test(found: Any) -> bool:  # noqa: ANN401 - JSON
        if type(found) is not list:
            return False
        for item in found:  # noqa: SIM110 - a generator costs more than all the comparisons
            if item is None or not each(item):
                return False
        return True

    return test


def _all(tests: Sequence[_Test]) -> _Test:
    def test(found: Any) -> bool:  # noqa: ANN401 - JSON
        for one in tests:  # noqa: SIM110 - as above
            if not one(found):
                return False
        return True

    return test
