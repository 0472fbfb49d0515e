"""Pods that were admitted under a permit go with it where a policy says ``onExpiry: Evict`` (T36)."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Protocol

from daypass.app.holds.journal import HoldJournal
from daypass.app.policies.known import Policies
from daypass.app.ports import PODS, ApiError, Clock, Json, Objects
from daypass.domain.conditions import state_of
from daypass.domain.policy import OnExpiry
from daypass.domain.request import Request, Use, WorkloadGrant
from daypass.domain.uses import GIVE_BACK_SECONDS

RETRY_SECONDS: Final = 10
"""How often a PodDisruptionBudget is asked again; the API server has no event for it."""
LASTING: Final = timedelta(hours=24)
"""So long after its end a permit's pods are looked for: what is done is written down nowhere."""
COMING: Final = timedelta(seconds=GIVE_BACK_SECONDS)
REMEMBERED: Final = 20_000
FINISHED: Final = frozenset({"Succeeded", "Failed"})
LONGEST_GRACE_SECONDS: Final = 300
"""So long at most does an evicted pod run on: how long it asks for is its author's choice, a year if they like."""
DEFAULT_GRACE_SECONDS: Final = 30
AT_ONCE: Final = 16
"""Fewer than the client writes at a time, so that no grant waits behind five hundred pods."""


class Evictions(Protocol):
    """The API server, as far as it evicts."""

    async def evict(self, name: str, uid: str, namespace: str, grace_seconds: int) -> bool:
        """Evict that very pod, which has so long to end; False when it was gone.

        Raises UnavailableError, with code 429 where a budget says no.
        """
        ...


@dataclass(frozen=True, slots=True)
class Eviction:
    """The means."""

    objects: Objects
    evictions: Evictions
    clock: Clock
    policies: Policies
    journal: HoldJournal
    _done: OrderedDict[str, None] = field(default_factory=OrderedDict)

    async def evict(self, request: Request) -> datetime | None:
        """Evict the pods of a workload request that has ended; when to try again. Raises ApiError.

        Rule: a policy that governed it, as it is now, says Evict. Pods that have finished stay: their logs are all
        that is left of them. A use that nobody has seen yet may still become a pod, so it is looked at again.
        """
        now, ended = self.clock.now(), request.record.end_time or self.clock.now()
        if not isinstance(request.grant, WorkloadGrant) or request.uid in self._done or now - ended > LASTING:
            return None
        if request.record.start_time is None:
            return None
        if any(one.name in self.policies.unreadable for one in request.record.policies):
            return now + timedelta(seconds=RETRY_SECONDS)
        if not self._demanded(request):
            return None
        left = await self._left(request)
        coming = any(not use.confirmed and now < use.time + COMING for use in request.record.uses)
        if left or coming:
            return now + timedelta(seconds=RETRY_SECONDS)
        self._done[request.uid] = None
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        return None

    def _demanded(self, request: Request) -> Sequence[str]:
        """The policies that say so."""
        known = ((one, self.policies.find(one.name)) for one in request.record.policies)
        return [
            policy.name
            for one, policy in known
            if policy is not None and policy.uid == one.uid and policy.on_expiry is OnExpiry.EVICT
        ]

    async def _left(self, request: Request) -> bool:
        """Whether a pod is there that could not be evicted yet; what fails of one keeps no other from its turn."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def gone(use: Use) -> bool:
            async with turns:
                return await self._gone(request, use)

        done = await asyncio.gather(*map(gone, request.record.uses), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result
        return not all(done)

    async def _gone(self, request: Request, use: Use) -> bool:
        """Whether a pod needs no eviction any more."""
        body = await self.objects.get(PODS, use.name, request.namespace)
        if body is None or body["metadata"]["uid"] != use.uid or _ends_soon(body["metadata"]):
            return True
        if (body.get("status") or {}).get("phase") in FINISHED:
            return True
        state = state_of(request.record)
        why = f"AccessRequest {request.name} {'is ' + state.value if state is not None and state.final else 'is gone'}"
        try:
            if not await self.evictions.evict(use.name, use.uid, request.namespace, _grace_seconds(body)):
                return True
        except ApiError as error:
            if error.code not in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY}:
                raise
            text = f"{why}, but the pod could not be evicted yet: {error.message}"
            self.journal.not_evicted(request.namespace, use.name, use.uid, text)
            return False
        by = ", ".join(self._demanded(request))
        self.journal.evicted(request.namespace, use.name, use.uid, f"{why}: evicted, as policy {by} says.")
        return True


def _ends_soon(metadata: Json) -> bool:
    """Whether a pod is being deleted, and not so slowly that it was no end."""
    grace = metadata.get("deletionGracePeriodSeconds") or 0
    return metadata.get("deletionTimestamp") is not None and grace <= LONGEST_GRACE_SECONDS


def _grace_seconds(pod: Json) -> int:
    asked = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return min(DEFAULT_GRACE_SECONDS if asked is None else asked, LONGEST_GRACE_SECONDS)
