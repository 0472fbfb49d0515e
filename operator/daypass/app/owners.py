"""Follow a pod's chain of controllers to its top, by live reads: who made and changed what makes the pod (T55, T69)."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from daypass.app.fresh_reads import FreshRead
from daypass.app.ports import WORKLOADS, Json, Objects, RefusedError, Resource
from daypass.domain import names
from daypass.domain.authors import NOBODY, NOBODY_KNOWS, Authors, authors_from
from daypass.domain.json_values import member, text
from daypass.domain.policy import OwnerKind
from daypass.domain.request import OwnerReference

READABLE: Final = {(resource.group, resource.kind): resource for resource in WORKLOADS}
"""The kinds whose authors are stamped; of any other nobody knows who made it."""
DEEPEST: Final = 8
"""Owners above one another; Kubernetes' own controllers make two."""
_Key = tuple[Resource, str, str]


@dataclass(frozen=True, slots=True)
class Chain:
    """What was found above a pod."""

    authors: Authors = NOBODY
    owner: OwnerReference | None = None
    """The last one that is there; one of a kind that can't be read as the object below it says."""
    kinds: tuple[OwnerKind, ...] = ()
    """Of all that own something in it, whether they control it or not."""


NO_OWNER: Final = Chain()


@dataclass(slots=True)
class _Reading:
    read: FreshRead[Json | None]
    waiting: int = 0


@dataclass(slots=True)
class Owners:
    """Reads owners; of one owner once for all who ask at the same time, as when a thousand of its pods are refused."""

    objects: Objects
    _readings: dict[_Key, _Reading] = field(default_factory=dict)

    async def above(self, reference: OwnerReference, namespace: str) -> Chain:
        """Who controls a pod, from the reference that it has up to the top.

        Rule: an owner is followed if it is there, has the uid by which it is named, and is itself named with
        ``controller: true``. Its authors are those of its annotation; where that is missing, or the chain can't be
        followed any further, somebody may have had a hand in it whom nobody knows. Raises ApiError where the API
        server does not answer.
        """
        authors, kinds = NOBODY, [kind_of(reference)]
        top: OwnerReference | None = None
        following: OwnerReference | None = reference
        for _ in range(DEEPEST):
            if following is None:
                return Chain(authors, top, tuple(kinds))
            found = await self._read(following, namespace)
            if found is None:
                break
            top = following
            following = controller_of(found)
            own = authors_from(member(found, "metadata", "annotations", names.ANNOTATION_AUTHORS))
            authors = own.below("" if following is None else following.uid).and_of(authors)
            kinds += kinds_of_owners(found)
        if following is not None and kind_key(following) not in READABLE:
            top = following
        # Fail closed: what can't be read, is not there or goes on for ever has authors whom nobody knows (T69).
        return Chain(authors.and_of(NOBODY_KNOWS), top, tuple(kinds))

    async def _read(self, reference: OwnerReference, namespace: str) -> Json | None:
        """The owner, or None where it can't be read or is another than the one that is named."""
        resource = READABLE.get(kind_key(reference))
        if resource is None:
            return None
        key = (resource, namespace, reference.name)
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = _Reading(FreshRead(self._get(resource, reference.name, namespace)))
        reading.waiting += 1
        try:
            found = await reading.read()
        except RefusedError:
            return None
        finally:
            reading.waiting -= 1
            if not reading.waiting:
                self._readings.pop(key, None)
        return found if member(found, "metadata", "uid") == reference.uid else None

    def _get(self, resource: Resource, name: str, namespace: str) -> Callable[[], Awaitable[Json | None]]:
        return partial(self.objects.get, resource, name, namespace)


def controller_of(body: Json | None) -> OwnerReference | None:
    """The one owner that an object names with ``controller: true``."""
    return next((_reference(one) for one in _owners(body) if one.get("controller") is True), None)


def kinds_of_owners(body: Json) -> tuple[OwnerKind, ...]:
    """The kinds of all that an object names as its owners, each once, whether they control it or not."""
    return tuple(dict.fromkeys(kind_of(_reference(one)) for one in _owners(body)))


def kind_of(reference: OwnerReference) -> OwnerKind:
    """Group and kind, of whatever version."""
    return OwnerKind(*kind_key(reference))


def kind_key(reference: OwnerReference) -> tuple[str, str]:
    """Group and kind as a key."""
    return (reference.api_version.rpartition("/")[0], reference.kind)


def _owners(body: Json | None) -> Iterator[Mapping[str, Any]]:
    owners = member(body, "metadata", "ownerReferences")
    return (one for one in (owners if isinstance(owners, Sequence) else ()) if isinstance(one, Mapping))


def _reference(owner: Mapping[str, Any]) -> OwnerReference:
    return OwnerReference(*(text(owner, key) for key in ("apiVersion", "kind", "name", "uid")))
