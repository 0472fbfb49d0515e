"""Reads a pod as the API server sends it, in such a way that nothing malformed reads as absent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

CONTAINER_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")
_CONTAINER: Final = "container"
EACH: Final = "[*]"
"""The step into every item of a list."""


class Malformed(Enum):
    """Stands where a pod has something of another type than the API defines; no control allows it."""

    MALFORMED = "malformed"


MALFORMED: Final = Malformed.MALFORMED


class Place(NamedTuple):
    """What stands at a place of a pod, and the place's path."""

    found: object
    path: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the API: ``spec.hostNetwork``, or ``container.ports[*].hostPort`` for each container of any kind."""

    steps: tuple[str, ...]
    of_containers: bool

    @property
    def relative(self) -> str:
        """The path below the pod or the container."""
        return ".".join(self.steps)

    @classmethod
    def parse(cls, text: str) -> "Field":
        """The field that a text names."""
        first, *others = text.replace(EACH, f".{EACH}").split(".")
        return (
            cls(tuple(others), of_containers=True)
            if first == _CONTAINER
            else cls((first, *others), of_containers=False)
        )


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with its containers of all kinds."""

    root: object
    containers: tuple[Place, ...]
    on_windows: bool
    in_user_namespace: bool

    @classmethod
    def of(cls, pod: Mapping[str, object]) -> "Pod":
        """The pod of its JSON.

        Fail closed: a spec that is no object is malformed, and so is each container that is none.
        """
        spec = pod.get("spec")
        if not isinstance(spec, Mapping):
            return cls(
                {**pod, "spec": MALFORMED}, (Place(MALFORMED, "spec"),), on_windows=False, in_user_namespace=False
            )
        containers = tuple(place for name in CONTAINER_LISTS for place in under(spec, (name, EACH), "spec"))
        system = spec.get("os")
        return cls(
            pod,
            containers,
            on_windows=isinstance(system, Mapping) and system.get("name") == "windows",
            in_user_namespace=spec.get("hostUsers") is False,
        )

    def at(self, field: Field) -> Iterator[Place]:
        """What stands at the field, once for each place that has it; nothing where what holds it is absent."""
        if not field.of_containers:
            yield from under(self.root, field.steps, "")
            return
        for found, path in self.containers:
            yield from under(found, field.steps, path)

    def annotations(self, *beginnings: str) -> Iterator[Place]:
        """The annotations whose keys begin so, each as (key, value); one malformed place where none can be read."""
        for holder in self.at(_ANNOTATIONS):
            for place in entries(*holder):
                if not isinstance(place.found, tuple) or str(place.found[0]).startswith(beginnings):
                    yield place

    def of_each_container(self, field: Field) -> Iterator[Place]:
        """The field of every container, as None where anything that would hold it is absent."""
        for found, path in self.containers:
            places = tuple(under(found, field.steps, path))
            yield from places or (Place(None, f"{path}.{field.relative}"),)


def under(found: object, steps: Sequence[str], path: str) -> Iterator[Place]:
    """What stands below a place, with malformed places instead of what can't be looked into.

    An absent field is reported as None where the object that would hold it is there, and not at all where that is
    absent too. A null entry of a list is malformed.
    """
    last = len(steps) - 1
    for number, step in enumerate(steps):
        if step == EACH:
            if not isinstance(found, list | tuple):
                yield Place(MALFORMED, path)
                return
            rest = steps[number + 1 :]
            skips = rest[0] if len(rest) > 1 else None
            for index, item in enumerate(found):
                if skips is not None and type(item) is dict and item.get(skips) is None:
                    continue  # most volumes have not what a field is about: ten thousand need not be walked into
                yield from under(MALFORMED if item is None else item, rest, f"{path}[{index}]")
            return
        if not isinstance(found, Mapping):
            yield Place(MALFORMED, path)
            return
        found = found.get(step)
        path = f"{path}.{step}" if path else step
        if found is None and number < last:
            return
    yield Place(found, path)


def entries(found: object, path: str) -> Iterator[Place]:
    """The entries of a map, each with the path ``PATH[KEY]``; a null map has none."""
    if found is None:
        return
    if not isinstance(found, Mapping):
        yield Place(MALFORMED, path)
        return
    for key, value in found.items():
        yield Place((key, value), f"{path}[{key}]")


_ANNOTATIONS: Final = Field.parse("metadata.annotations")
