"""Writes only while we lead (T38), and what the former leader may have done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daypass.app.holds.eviction import Evictions
from daypass.app.ports import Json, Objects, Resource, UnavailableError
from daypass.domain.times import moment_from

AFTERLIFE_SECONDS: Final = 15
"""A former leader that just vanished can have acted for so long after it last renewed its Lease."""


class NotLeadingError(UnavailableError):
    """The Lease is not held: nothing is written."""


@dataclass(frozen=True, slots=True)
class LeaderObjects:
    """The API server, for as long as we lead."""

    objects: Objects
    leading: Callable[[], bool]

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        """As ``Objects.get``."""
        return await self.objects.get(resource, name, namespace)

    async def create(self, resource: Resource, body: Json, namespace: str = "") -> Json:
        """As ``Objects.create``; raises NotLeadingError."""
        self._demand()
        return await self.objects.create(resource, body, namespace)

    async def replace(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        """As ``Objects.replace``; raises NotLeadingError."""
        self._demand()
        return await self.objects.replace(resource, name, body, namespace)

    async def merge_patch(
        self, resource: Resource, name: str, patch: Json, namespace: str = "", subresource: str = ""
    ) -> Json:
        """As ``Objects.merge_patch``; raises NotLeadingError."""
        self._demand()
        return await self.objects.merge_patch(resource, name, patch, namespace, subresource)

    async def delete(self, resource: Resource, name: str, uid: str, namespace: str = "") -> bool:
        """As ``Objects.delete``; raises NotLeadingError."""
        self._demand()
        return await self.objects.delete(resource, name, uid, namespace)

    def _demand(self) -> None:
        if not self.leading():
            # Fail closed: another may lead already.
            message = "the Lease is not held"
            raise NotLeadingError(message)


@dataclass(frozen=True, slots=True)
class LeaderEvictions:
    """Evictions, for as long as we lead."""

    evictions: Evictions
    leading: Callable[[], bool]

    async def evict(self, name: str, uid: str, namespace: str, grace_seconds: int) -> bool:
        """As ``Evictions.evict``; raises NotLeadingError."""
        if not self.leading():
            # Fail closed: another may lead already.
            message = "the Lease is not held"
            raise NotLeadingError(message)
        return await self.evictions.evict(name, uid, namespace, grace_seconds)


def acted_until(spec: Json | None) -> datetime | None:
    """The last moment at which a former leader can have acted, by the Lease as it left it; None if there was none."""
    renewed = None if spec is None else moment_from(spec.get("renewTime"))
    if spec is None or renewed is None:
        return None
    return renewed + timedelta(seconds=AFTERLIFE_SECONDS if spec.get("holderIdentity") else 0)
