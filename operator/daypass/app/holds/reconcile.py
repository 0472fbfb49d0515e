"""Looks after one permit: whatever its state asks for, from what is there, as often as it is asked (T37)."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Final

from daypass.app.grants.requests import Entry, Requests
from daypass.app.holds.eviction import Eviction
from daypass.app.holds.journal import HoldJournal
from daypass.app.holds.pod_events import PodEvents
from daypass.app.holds.pods import HeldPod, HeldPods
from daypass.app.holds.release import Release
from daypass.app.holds.reservations import Reservations
from daypass.app.holds.workloads import Workloads, is_made
from daypass.app.ports import PODS, ApiError, ConflictError, Objects
from daypass.domain import names
from daypass.domain.conditions import State, state_of
from daypass.domain.hold_marks import gate_names
from daypass.domain.request import Request
from daypass.domain.uses import used_up

PACE_SECONDS: Final = 0.05
ATTEMPTS: Final = 4
"""How often it begins again by itself because somebody wrote to the request at the same time."""


@dataclass(slots=True)
class PermitReconciler:
    """The means."""

    objects: Objects
    requests: Requests
    pods: HeldPods
    release: Release
    reservations: Reservations
    eviction: Eviction
    pod_events: PodEvents
    workloads: Workloads
    journal: HoldJournal
    _deleted: dict[str, Request] = field(default_factory=dict)
    """Requests that are gone, with what they had let in: by uid, until their pods are seen to."""
    _vanished: dict[str, HeldPod] = field(default_factory=dict)
    """Pods that are held no more, until it is known why."""

    async def reconcile(self, name: str) -> datetime | None:
        """See to a permit, by key, or by uid if it was deleted; when to look again. Raises ApiError: try again."""
        deleted = self._deleted.get(name)
        if deleted is not None:
            return await self._part(deleted)
        for attempt in range(ATTEMPTS):
            entry = self.requests.get(name)
            if entry is None or entry.slim is None or not entry.slim.permits:
                return None
            try:
                return await self._once(entry, entry.slim)
            except ApiError as error:
                if not isinstance(error, ConflictError) and error.code != HTTPStatus.NOT_FOUND:
                    raise
                if attempt + 1 == ATTEMPTS:
                    raise
                await self.release.uses.refresh(entry)
        return None

    def ends(self, name: str) -> bool:
        """Whether what was found out ends the permit: our own write of it is no news that anybody else brings."""
        entry = self.requests.get(name)
        return entry is not None and entry.slim is not None and entry.state is State.ACTIVE and used_up(entry.slim)

    def dropped(self, request: Request) -> bool:
        """A permit was deleted; whether anything is to be done because of it (then ``reconcile`` its uid)."""
        self.workloads.forget(request.uid)
        if not request.record.uses and not self.pod_events.waiting(request):
            self.pod_events.forget(request.uid)
            return False
        self._deleted[request.uid] = request
        return True

    def concerned(self, pod: HeldPod) -> list[str]:
        """Keys of the requests that may be for a pod."""
        return [f"{one.namespace}/{one.name}" for one in self.requests.workloads(*pod.account, pod.digest)]

    def vanished(self, pod: HeldPod) -> str:
        """A pod is held no more; the name under which ``missed`` finds out why, empty where we let it go ourselves."""
        self.pod_events.forget_pod(pod)
        if self.pods.was_let_go(pod.uid):
            return ""
        self._vanished[pod.key] = pod
        return pod.key

    async def missed(self, name: str) -> list[str]:
        """Find out why a pod is held no more; keys of requests for which nothing waits now. Raises ApiError."""
        pod = self._vanished.get(name)
        if pod is None:
            return []
        body = await self.objects.get(PODS, pod.name, pod.namespace)
        del self._vanished[name]
        if body is None or body["metadata"]["uid"] != pod.uid:
            waited = [one for one in self.requests.workloads(*pod.account, pod.digest) if is_pending(one)]
            return [f"{one.namespace}/{one.name}" for one in waited if await self.workloads.look(one)]
        if names.SCHEDULING_GATE in gate_names(body):
            # Found by no label any more, but still waiting: it goes with the others.
            self.pods.kept(pod)
        elif not self.pods.was_let_go(pod.uid) and not self._was_admitted(pod):
            self.journal.lost(pod)
        return []

    async def patrol(self) -> AsyncGenerator[str, None]:
        """Keys of made requests whose workload is gone, each looked at live, slowly; and pods that nothing is for."""
        self.pod_events.tell_forsaken()
        for entry in self.requests.entries():
            if entry.slim is not None and is_pending(entry.slim) and is_made(entry.slim):
                if await self.workloads.look(entry.slim):
                    yield entry.key
                await asyncio.sleep(PACE_SECONDS)

    def waited_for(self) -> set[str]:
        """Keys of all requests that may be for a pod that is held."""
        return {key for pod in self.pods.all() for key in self.concerned(pod)}

    async def _once(self, entry: Entry, request: Request) -> datetime | None:
        """First what people wait for, last what they only read."""
        state = state_of(request.record)
        over = state is not None and state.final
        if state is State.ACTIVE:
            await self.release.let_go(entry)
        elif not over:
            self.workloads.waits(request)
        dues = [await self.reservations.resolve(entry)]
        if over:
            self.workloads.forget(request.uid)
            dues.append(await self.eviction.evict(request))
        await self.pod_events.tell(request)
        return min((due for due in dues if due is not None), default=None)

    async def _part(self, request: Request) -> datetime | None:
        await self.pod_events.tell_gone(request)
        due = await self.eviction.evict(request)
        if due is None:
            del self._deleted[request.uid]
            self.pod_events.forget(request.uid)
        return due

    def _was_admitted(self, pod: HeldPod) -> bool:
        """Whether a former controller let it go: then its use says so."""
        return any(
            use.uid == pod.uid
            for one in self.requests.workloads(*pod.account, pod.digest)
            for use in one.record.uses
            if use.confirmed
        )


def is_pending(request: Request) -> bool:
    """Whether the request has not had its answer, or not begun."""
    state = state_of(request.record)
    return state is not State.ACTIVE and (state is None or not state.final)
