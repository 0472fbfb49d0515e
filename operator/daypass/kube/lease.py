"""Leadership by a Lease: at most one process believes that it leads, and stops believing in time (T38).

The rule of client-go: a Lease that did not change for its duration, by our own monotonic clock, may be taken; a holder
that could not renew for ten seconds, counted from before its last good renewal was sent, is no holder any more, five
seconds before anybody may take over. Clocks of different machines are never compared; the times in the object are for
people. Any exception is a failed renewal. Ours because the client library's own election keeps a leader at work after
an exception, and has no request timeout.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from daypass.app.ports import LEASES, AlreadyExistsError, Clock, ConflictError, Json, Objects

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: how long a Lease lasts, within what the holder must renew it, and how often it is tried."""

    duration: int = 15
    renew_deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        """In any other order two could lead at once."""
        if not 0 < self.retry < self.renew_deadline < self.duration:
            text = "a Lease needs retry < renew deadline < duration"
            raise ValueError(text)


class LeaseLostError(Exception):
    """We lead no more: every write must stop, the process ends."""


class Lease:
    """One candidate for a Lease; ``identity`` must be of this process alone."""

    def __init__(
        self,
        client: Objects,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Clock,
        timing: Timing = Timing(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` only writes the times that people read."""
        self.identity = identity
        self.taken_over: Json | None = None
        """The spec as its former holder left it; None where there was none."""
        self._client, self._namespace, self._name = client, namespace, name
        self._clock, self._monotonic = clock, monotonic
        self._duration, self._deadline, self._retry = timing.duration, timing.renew_deadline, timing.retry
        self._body: Json | None = None
        self._renewed_at = float("-inf")
        self._observed: tuple[object, ...] = ()
        self._observed_at = float("-inf")

    def held(self) -> bool:
        """Whether we lead at this moment, by the monotonic clock alone."""
        return self._monotonic() - self._renewed_at < self._deadline

    async def acquire(self) -> None:
        """Wait until we lead, however long that takes."""
        while not await self._attempt(self._take, self._deadline / 2):  # noqa: ASYNC110 - the state is elsewhere
            await asyncio.sleep(self._retry * random.uniform(1.0, 1.2))  # noqa: S311 - jitter
        log.info("lease acquired", lease=self._name, identity=self.identity)

    async def hold(self) -> None:
        """Renew until cancelled; raises LeaseLostError no later than the renew deadline."""
        while True:
            await asyncio.sleep(self._retry)
            left = self._deadline - (self._monotonic() - self._renewed_at)
            renewed = left > 0 and await self._attempt(self._renew, min(left, self._deadline / 2))
            if not renewed and not self.held():
                self._renewed_at = float("-inf")
                text = f"Lease {self._name} was not renewed for {self._deadline:g} s, or is another's"
                raise LeaseLostError(text)

    async def release(self) -> None:
        """Let the next candidate lead at once; best effort, for the Lease runs out by itself."""
        held, self._renewed_at = self.held(), float("-inf")
        if not held or self._body is None:
            return
        spec = {**self._body["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
        try:
            async with asyncio.timeout(self._retry):
                await self._client.replace(LEASES, self._name, {**self._body, "spec": spec}, self._namespace)
        except Exception as error:  # noqa: BLE001 - we stop anyway
            log.warning("lease not released", lease=self._name, error=str(error))

    async def _attempt(self, step: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        started = self._monotonic()
        try:
            async with asyncio.timeout(seconds):
                won = await step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the Lease was not renewed by it
            log.warning("lease attempt failed", lease=self._name, error=str(error) or type(error).__name__)
            return False
        if won:
            self._renewed_at = started
        return won

    async def _take(self) -> bool:
        current = await self._client.get(LEASES, self._name, self._namespace)
        if current is None:
            try:
                self._body = await self._client.create(LEASES, self._fresh(), self._namespace)
            except AlreadyExistsError:
                return False
            return True
        spec = current.get("spec") or {}
        seen = tuple(spec.get(field) for field in ("holderIdentity", "renewTime", "leaseTransitions"))
        if seen != self._observed:
            self._observed, self._observed_at = seen, self._monotonic()
        lasts = spec.get("leaseDurationSeconds") or self._duration
        holder = spec.get("holderIdentity")
        if holder and holder != self.identity and self._monotonic() - self._observed_at < lasts:
            return False
        if holder != self.identity:
            self.taken_over = spec
        return await self._write(current, acquired=holder != self.identity)

    async def _renew(self) -> bool:
        if self._body is None:
            return False
        try:
            return await self._write(self._body, acquired=False)
        except ConflictError:
            # Perhaps our own renewal whose answer we never saw; only the state can tell.
            current = await self._client.get(LEASES, self._name, self._namespace)
            if current is None or current["spec"].get("holderIdentity") != self.identity:
                self._renewed_at = float("-inf")
                return False
            return await self._write(current, acquired=False)

    async def _write(self, body: Json, *, acquired: bool) -> bool:
        now, spec = self._now(), dict(body.get("spec") or {})
        spec |= {"holderIdentity": self.identity, "leaseDurationSeconds": self._duration, "renewTime": now}
        if acquired:
            spec |= {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1}
        self._body = await self._client.replace(LEASES, self._name, {**body, "spec": spec}, self._namespace)
        return True

    def _fresh(self) -> Json:
        now = self._now()
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": self._duration,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 0,
            },
        }

    def _now(self) -> str:
        return micro_time(self._clock.now())


def micro_time(moment: datetime) -> str:
    """Kubernetes' MicroTime: RFC 3339 with six digits, in UTC; the datetime must be in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
