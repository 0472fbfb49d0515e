"""Uses that admission reserved are confirmed when their object shows it, and given back when it does not (T48)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from daypass.app.grants.requests import Entry
from daypass.app.holds.journal import HoldJournal
from daypass.app.holds.uses import UsesWriter
from daypass.app.ports import PODS, Clock, Json, Kinds, Objects, RefusedError, Resource
from daypass.domain import uses as decide
from daypass.domain.request import ActionGrant, Request, Use
from daypass.domain.uses import Fate, ObservedObject

AT_ONCE: Final = 8
HIDDEN: Final = ObservedObject(readable=False)


@dataclass(frozen=True, slots=True)
class Reservations:
    """The means."""

    objects: Objects
    kinds: Kinds
    clock: Clock
    uses: UsesWriter
    journal: HoldJournal

    async def resolve(self, entry: Entry) -> datetime | None:
        """Look at the objects of uses that are only reserved; when to look again. Raises ApiError: try again later."""
        if entry.slim is None:
            return None
        request, now = entry.slim, self.clock.now()
        due = [use for use in request.record.uses if decide.looked_at(use, now)]
        if due:
            fates = await self._fates(request, due)
            if await self.uses.change(entry.key, entry.uid, lambda fresh: decide.settled(fresh.record.uses, fates)):
                counts = Counter(fates.values())
                self.journal.settled(counts[Fate.SPENT], counts[Fate.RETURNED])
        known = self.uses.requests.get(entry.key)
        left = known.slim.record.uses if known is not None and known.slim is not None else ()
        return min((moment for use in left if (moment := decide.look_due(use, now)) is not None), default=None)

    async def _fates(self, request: Request, uses: Sequence[Use]) -> dict[str, Fate]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def look(use: Use) -> Fate:
            async with turns:
                observed = await self._observe(request, use)
            return decide.fate(request, use, observed, self.clock.now())

        found = await asyncio.gather(*map(look, uses))
        return {use.key: one for use, one in zip(uses, found, strict=True)}

    async def _observe(self, request: Request, use: Use) -> ObservedObject:
        try:
            resource = await self._resource(request)
            if resource is None:
                return HIDDEN
            body = await self.objects.get(resource, use.name, request.namespace if resource.namespaced else "")
        except RefusedError:
            # Fail closed: what may not be read can't show that it did not happen.
            return HIDDEN
        return ObservedObject() if body is None else _observed(body)

    async def _resource(self, request: Request) -> Resource | None:
        grant = request.grant
        return await self.kinds.of_plural(grant.group, grant.resource) if isinstance(grant, ActionGrant) else PODS


def _observed(body: Json) -> ObservedObject:
    metadata = body["metadata"]
    deleting = metadata.get("deletionTimestamp") is not None
    return ObservedObject(uid=metadata["uid"], version=metadata["resourceVersion"], deleting=deleting)
