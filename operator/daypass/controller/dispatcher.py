"""The leader's work: what is heard becomes work in the queue, workers hand it to the use cases, deadlines ring."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from daypass.app.grants.reconcile import Reconciler
from daypass.app.grants.requests import Entry, Requests
from daypass.app.grants.sweep import Sweep
from daypass.app.holds.pods import HeldPod
from daypass.app.holds.reconcile import PermitReconciler
from daypass.app.policies.known import Policies
from daypass.app.policies.reports import Reports
from daypass.app.ports import ACCESS_REQUESTS, ApiError, Clock, Json, Resource
from daypass.controller.alarm import Alarm
from daypass.controller.queue import Queue, Task, Work
from daypass.domain.conditions import State
from daypass.domain.permissions import RoleReference
from daypass.domain.request import RoleGrant
from daypass.kube.client import Client
from daypass.observe import metrics

WORKERS: Final = 24
PATROL_SECONDS: Final = 60.0
PERMITS_SECONDS: Final = 30.0
RELIST_PATROLS: Final = 5
RELIST_PAUSE: Final = 2.0
FIGURES_SECONDS: Final = 5.0
GRACE: Final = timedelta(seconds=1)

log = structlog.get_logger(__name__)


class Dispatcher:
    """Connects the sources of news with the use cases; holds no rule of its own."""

    def __init__(self, clock: Clock, requests: Requests, policies: Policies) -> None:
        self._clock, self._requests, self._policies = clock, requests, policies
        self._queue = Queue(self._do)
        self._alarm = Alarm(clock, self._ring)
        self._patrols = 0
        self._relist_now = asyncio.Event()
        self._policies_changed: Callable[[], None] = _nobody
        self._reconciler: Reconciler | None = None
        self._reports: Reports | None = None
        self._sweep: Sweep | None = None
        self._permits: PermitReconciler | None = None

    def equip(self, reconciler: Reconciler, reports: Reports, sweep: Sweep, permits: PermitReconciler) -> None:
        """Give it the use cases, which need its callbacks."""
        self._reconciler, self._reports, self._sweep, self._permits = reconciler, reports, sweep, permits

    def heard(self, resource: Resource, body: Json, gone: bool) -> None:  # noqa: FBT001 - a callback
        """A request or a policy is new, changed or gone."""
        if resource is ACCESS_REQUESTS:
            self._heard_request(body, gone=gone)
        else:
            self._heard_policy(body, gone=gone)

    def grant_changed(self, request_uid: str) -> None:
        """An object of a grant changed, and not by us."""
        key = self._requests.key_of(request_uid)
        self._queue.put(Work(Task.BURY, request_uid) if key is None else Work(Task.RECONCILE, key))

    def role_changed(self, role: RoleReference, namespace: str) -> None:
        """A role changed: for those who ask for it, and for those who have it."""
        for entry in self._open():
            slim = entry.slim
            if (
                slim is not None
                and isinstance(slim.grant, RoleGrant)
                and slim.grant.role == role
                and namespace in {"", slim.namespace}
            ):
                self._queue.put(Work(Task.RECONCILE, entry.key))

    def namespace_changed(self, namespace: str) -> None:
        """Labels of a namespace changed: policies may match otherwise."""
        for entry in self._open():
            if entry.key.startswith(f"{namespace}/") and entry.state is not State.ACTIVE:
                self._queue.put(Work(Task.RECONCILE, entry.key))

    def account_changed(self, account: str) -> None:
        """A ServiceAccount went, or is another one now."""
        for entry in self._open():
            if entry.slim is not None and f"{entry.slim.subject.namespace}/{entry.slim.subject.name}" == account:
                self._queue.put(Work(Task.RECONCILE, entry.key))

    def pod_arrived(self, pod: HeldPod) -> None:
        """A held pod is new or changed: for those that may let it go."""
        for key in self._permits.concerned(pod) if self._permits is not None else ():
            self._queue.put(Work(Task.RECONCILE_PERMIT, key))

    def pod_vanished(self, pod: HeldPod) -> None:
        """A pod is held no more, and perhaps not by us."""
        name = self._permits.vanished(pod) if self._permits is not None else ""
        if name:
            self._queue.put(Work(Task.MISS, name))

    def follow_policies(self, changed: Callable[[], None]) -> None:
        """Tell somebody else too whenever a policy is new, changed or gone."""
        self._policies_changed = changed

    def gate_settled(self, policy: str) -> None:
        """A policy's gate came into force, or can't."""
        self._queue.put(Work(Task.REPORT, policy))

    def policy_failed(self, name: str, message: str) -> None:
        """A policy could not be evaluated: it says so."""
        if self._policies.failed(name, message, self._clock.now()):
            self._queue.put(Work(Task.REPORT, name))

    def open(self) -> None:
        """Everything that is known is looked at; deadlines first, so that none waits behind the rest."""
        now = self._clock.now()
        for entry in self._requests.entries():
            end = entry.slim.record.expiration_time if entry.slim is not None else None
            if end is not None and entry.state is not None and not entry.state.final and end > now:
                self._alarm.set(entry.key, end)
        for entry in sorted(self._requests.entries(), key=_urgency):
            self._queue.put(Work(Task.RECONCILE, entry.key))
        for name in self._policies.names():
            self._queue.put(Work(Task.REPORT, name))

    async def work(self) -> None:
        """All workers, until ``close``."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._queue.work())

    def close(self) -> None:
        """Begin nothing any more."""
        self._alarm.stop()
        self._queue.close()

    def relist_soon(self) -> None:
        """A watch was cut, and does not tell what went meanwhile."""
        self._relist_now.set()

    async def patrol(self, client: Client) -> None:
        """Look now and then for what no event told: grants without requests, requests that went unheard."""
        while True:
            # Not wait_for: of Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(PATROL_SECONDS):
                    await self._relist_now.wait()
            self._patrols += 1
            due = self._relist_now.is_set() or self._patrols % RELIST_PATROLS == 0
            self._relist_now.clear()
            try:
                if self._sweep is not None:
                    await self._sweep.end_overdue()  # first, so that no other call that fails keeps access alive
                if due:
                    await self._relist(client)
                if self._reconciler is not None:
                    await self._reconciler.refresh_policies()
                if self._sweep is not None:
                    await self._sweep.bury_orphans()
            except ApiError as error:
                if due:
                    self._relist_now.set()
                log.warning("patrol failed", error=error.message, code=error.code)
                await asyncio.sleep(RELIST_PAUSE)

    async def _relist(self, client: Client) -> None:
        """Compare with everything there is: a watch that was cut does not tell what went meanwhile."""
        bodies, _ = await client.list(ACCESS_REQUESTS)
        there = {body["metadata"]["uid"] for body in bodies}
        for entry in self._requests.entries():
            if entry.uid not in there and await client.get(ACCESS_REQUESTS, *reversed(entry.key.split("/"))) is None:
                self._drop(entry.key, entry.uid)
        for body in bodies:
            self._heard_request(body, gone=False)

    async def patrol_permits(self) -> None:
        """Look now and then for workloads that are gone, and at what waits; slowly, for nothing is given by it."""
        while self._permits is not None:
            await asyncio.sleep(PERMITS_SECONDS)
            try:
                async for key in self._permits.patrol():
                    self._queue.put(Work(Task.RECONCILE, key))
            except ApiError as error:
                log.warning("patrol of permits failed", error=error.message, code=error.code)
            for key in self._permits.waited_for():
                self._queue.put(Work(Task.RECONCILE_PERMIT, key))

    async def figures(self) -> None:
        """Keep the gauges."""
        while True:
            states = Counter(entry.state for entry in self._requests.entries())
            for state in State:
                metrics.requests_known.labels(state.value).set(states[state])
            metrics.requests_known.labels("New").set(states[None])
            metrics.queue_length.set(len(self._queue))
            metrics.grants_active.set(states[State.ACTIVE])
            if self._sweep is not None:
                metrics.bindings_overdue.set(len(self._sweep.overdue(GRACE)))
            if self._permits is not None:
                metrics.held_pods.set(len(self._permits.pods))
            await asyncio.sleep(FIGURES_SECONDS)

    def _heard_request(self, body: Json, *, gone: bool) -> None:
        metadata = body["metadata"]
        if gone:
            self._drop(f"{metadata['namespace']}/{metadata['name']}", metadata["uid"])
            return
        entry = self._requests.take(body)
        if entry is not None:
            self._queue.put(Work(Task.RECONCILE, entry.key))

    def _drop(self, key: str, uid: str) -> None:
        """A request is gone: what it gave goes too."""
        entry = self._requests.get(key)
        if self._requests.drop(key, uid):
            self._alarm.set(key, None)
            self._alarm.set(f"{_PERMIT}{key}", None)
            slim = entry.slim if entry is not None else None
            if slim is not None and slim.permits and self._permits is not None and self._permits.dropped(slim):
                self._queue.put(Work(Task.RECONCILE_PERMIT, uid))
        self._queue.put(Work(Task.BURY, uid))

    def _heard_policy(self, body: Json, *, gone: bool) -> None:
        name = body["metadata"]["name"]
        news = self._policies.drop(name, body["metadata"]["uid"]) if gone else self._policies.take(body)
        if not news:
            return
        self._policies_changed()
        for entry in self._open():
            if entry.slim is None or entry.slim.record.start_time is None:
                self._queue.put(Work(Task.RECONCILE, entry.key))
        for other in self._policies.names():
            self._queue.put(Work(Task.REPORT, other))

    def _open(self) -> list[Entry]:
        return [entry for entry in self._requests.entries() if entry.state is None or not entry.state.final]

    def _ring(self, name: str) -> None:
        if name.startswith(_POLICY):
            self._queue.put(Work(Task.REPORT, name.removeprefix(_POLICY)))
            return
        if name.startswith(_PERMIT):
            self._queue.put(Work(Task.RECONCILE_PERMIT, name.removeprefix(_PERMIT)))
            return
        entry = self._requests.get(name)
        end = entry.slim.record.expiration_time if entry is not None and entry.slim is not None else None
        if end is not None and end <= self._clock.now() and entry is not None and entry.state is State.ACTIVE:
            self._queue.put(Work(Task.CUT, name))
        else:
            self._queue.put(Work(Task.RECONCILE, name))

    async def _do(self, work: Work) -> None:
        if self._reconciler is None or self._reports is None or self._sweep is None or self._permits is None:
            return
        match work.task:
            case Task.CUT:
                await self._reconciler.cut(work.name)
                self._queue.put(Work(Task.RECONCILE, work.name))
            case Task.BURY:
                await self._bury(work.name, self._sweep)
            case Task.RECONCILE:
                started = time.perf_counter()
                self._alarm.set(work.name, await self._reconciler.reconcile(work.name))
                metrics.reconcile_duration.observe(time.perf_counter() - started)
                entry = self._requests.get(work.name)
                if entry is not None and entry.slim is not None and entry.slim.permits:
                    self._queue.put(Work(Task.RECONCILE_PERMIT, work.name))
            case Task.RECONCILE_PERMIT:
                self._alarm.set(f"{_PERMIT}{work.name}", await self._permits.reconcile(work.name))
                if self._permits.ends(work.name):
                    self._queue.put(Work(Task.RECONCILE, work.name))
            case Task.MISS:
                for key in await self._permits.missed(work.name):
                    self._queue.put(Work(Task.RECONCILE, key))
            case Task.REPORT:
                self._alarm.set(f"{_POLICY}{work.name}", await self._reports.report(work.name))

    async def _bury(self, uid: str, sweep: Sweep) -> None:
        """A grant without a known request: the request may only be news that has not come yet."""
        if self._requests.key_of(uid) is None:
            await sweep.bury_orphan(uid)


_POLICY: Final = "policy "
_PERMIT: Final = "permit "


def _nobody() -> None:
    return


def _urgency(entry: Entry) -> tuple[bool, bool, str]:
    """Grants before requests that wait, those before what is over; by their end."""
    record = entry.slim.record if entry.slim is not None else None
    end = record.expiration_time if record is not None else None
    final = entry.state is not None and entry.state.final
    return (final, end is None, "" if end is None else end.isoformat())
