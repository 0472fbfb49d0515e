"""All policies as they are now, asked for live: what went while a watch was cut is told by no event."""

from collections.abc import AsyncGenerator
from typing import Protocol

from daypass.app.fresh_reads import FreshRead
from daypass.app.policies.known import Policies
from daypass.app.ports import APPROVAL_POLICIES, Json, Resource
from daypass.controller.handlers import Heard


class Lister(Protocol):
    """``kube.client.Client``, as far as it is needed here."""

    def pages(self, resource: Resource) -> AsyncGenerator[tuple[list[Json], str], None]:
        """All objects, page by page, of one consistent and current state."""
        ...


class PolicyRelist:
    """Brings the known policies up to date by a live list; those who ask at once share it."""

    def __init__(self, client: Lister, policies: Policies, heard: Heard) -> None:
        """``heard`` is told of every policy that is there, and of those that are gone."""
        self._client, self._policies, self._heard = client, policies, heard
        self._fresh = FreshRead(self._relist)

    async def __call__(self) -> None:
        """Return once the policies are known as of now or later; raises ApiError."""
        await self._fresh()

    async def _relist(self) -> None:
        # Only what was known before can be missing: what is heard of meanwhile may be newer than the list.
        known = self._policies.uids()
        there: set[str] = set()
        async for bodies, _ in self._client.pages(APPROVAL_POLICIES):
            for body in bodies:
                there.add(body["metadata"]["uid"])
                self._heard(APPROVAL_POLICIES, body, False)  # noqa: FBT003 - not gone
        for name, uid in known.items():
            if uid not in there:
                self._heard(APPROVAL_POLICIES, {"metadata": {"name": name, "uid": uid}}, True)  # noqa: FBT003 - gone
