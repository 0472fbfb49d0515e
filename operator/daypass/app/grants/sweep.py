"""Grants whose time is over, or whose request is gone: what a controller does first, and again now and then."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from daypass.app.grants.found import Grants
from daypass.app.grants.journal import Journal
from daypass.app.grants.requests import Requests
from daypass.app.grants.writer import GrantWriter
from daypass.app.ports import ACCESS_REQUESTS, ApiError, Clock, Objects
from daypass.domain.grants import FoundBinding, GrantKind, Observed, Tag
from daypass.domain.request import ObjectReference

AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Sweep:
    """The means."""

    objects: Objects
    clock: Clock
    requests: Requests
    grants: Grants
    writer: GrantWriter
    journal: Journal

    def overdue(self, grace: timedelta = timedelta()) -> list[FoundBinding]:
        """RoleBindings that should be gone for that long; one that does not say until when is one of them."""
        now = self.clock.now() - grace
        ends = [(binding.content.tag.expiration, binding) for binding in self.grants.bindings()]
        return [binding for end, binding in ends if end is None or end <= now]

    async def end_overdue(self) -> None:
        """Take away all access whose time is over (T30); what can't be done now is done by the next sweep."""
        turns = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._end(binding, turns) for binding in self.overdue()))

    async def bury(self, request_uid: str) -> bool:
        """Remove the grant of a request that is gone (T35); whether there was one."""
        tag = _tag(self.grants.observed(request_uid))
        if not await self.writer.clear(request_uid):
            return False
        if tag is not None:
            about = ObjectReference("AccessRequest", tag[0], tag[1].request_name, request_uid)
            self.journal.noted(about, "AccessEnded", "The request was deleted: its grant was removed.")
        return True

    async def bury_orphans(self) -> int:
        """Remove grants whose request does not exist, each checked live; how many there were. Raises ApiError."""
        return sum([await self.bury_orphan(uid) for uid in self.grants.uids()])

    async def bury_orphan(self, request_uid: str) -> bool:
        """The same for one grant; whether it was one."""
        found = _tag(self.grants.observed(request_uid))
        if found is None or self.requests.key_of(request_uid) is not None:
            return False
        namespace, tag = found
        body = await self.objects.get(ACCESS_REQUESTS, tag.request_name, namespace) if tag.request_name else None
        if body is not None and body["metadata"]["uid"] == request_uid:
            return False
        return await self.bury(request_uid)

    async def _end(self, binding: FoundBinding, turns: asyncio.Semaphore) -> None:
        async with turns:
            try:
                await self.writer.delete(binding.content.tag.request_uid, GrantKind.BINDING)
            except ApiError:
                return
        end = binding.content.tag.expiration
        if end is not None:
            self.journal.ended((self.clock.now() - end).total_seconds())


def _tag(observed: Observed) -> tuple[str, Tag] | None:
    for item in (observed.job, observed.binding, observed.role):
        if item is not None:
            return (item.found.namespace, item.content.tag)
    return None
