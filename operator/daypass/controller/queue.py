"""What is to be looked at: each thing once, however often it changed, and never twice at the same time."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

import structlog

from daypass.app.ports import ApiError, UnavailableError
from daypass.observe import metrics

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 30.0

log = structlog.get_logger(__name__)


class Task(Enum):
    """What is to be done; the earlier ones go first."""

    CUT = "cut"
    """Take away access whose time is over."""
    BURY = "bury"
    """Remove the grant of a request that is gone."""
    RECONCILE_PERMIT = "reconcile permit"
    """See to a permit: pods that it lets go, uses, pods that it takes with it."""
    RECONCILE = "reconcile"
    REPORT = "report"
    """Report on a policy."""
    MISS = "miss"
    """Find out why a pod is held no more."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to do; ``name`` is a request's key or uid, a policy's name, or a pod's key."""

    task: Task
    name: str


Handler = Callable[[Work], Awaitable[None]]


class Queue:
    """Keyed work with a few workers; what fails comes again, later each time, with jitter."""

    def __init__(self, handler: Handler) -> None:
        """``handler`` raises to have the work tried again."""
        self._handler = handler
        self._lanes: dict[Task, OrderedDict[str, None]] = {task: OrderedDict() for task in Task}
        self._busy: set[Work] = set()
        self._again: set[Work] = set()
        self._failures: dict[Work, int] = {}
        self._waiting: dict[Work, asyncio.TimerHandle] = {}
        self._ready = asyncio.Semaphore(0)
        """Wakes one worker for one piece of work: two dozen that wake up for nothing cost as much as the work."""
        self._closed = False

    def put(self, work: Work) -> None:
        """Do it as soon as somebody is free; a pause after a failure is cut short."""
        timer = self._waiting.pop(work, None)
        if timer is not None:
            timer.cancel()
        if work in self._busy:
            self._again.add(work)
            return
        if work.name not in self._lanes[work.task]:
            self._lanes[work.task][work.name] = None
            self._ready.release()

    def __len__(self) -> int:
        """How much waits."""
        return sum(len(lane) for lane in self._lanes.values()) + len(self._waiting)

    async def work(self) -> None:
        """One worker; until ``close``, and then what it has begun."""
        while True:
            await self._ready.acquire()
            if self._closed:
                self._ready.release()  # for the next worker
                return
            work = self._next()
            self._busy.add(work)
            try:
                await self._handler(work)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again, and never stops the rest
                self._failed(work, error)
            else:
                self._failures.pop(work, None)
            finally:
                self._busy.discard(work)
                if work in self._again:
                    self._again.discard(work)
                    self.put(work)

    def close(self) -> None:
        """No more is begun."""
        self._closed = True
        self._ready.release()
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _next(self) -> Work:
        task, lane = next((task, lane) for task, lane in self._lanes.items() if lane)
        return Work(task, lane.popitem(last=False)[0])

    def _failed(self, work: Work, error: Exception) -> None:
        count = self._failures[work] = self._failures.get(work, 0) + 1
        metrics.reconcile_failures.labels(type(error).__name__).inc()
        pause = min(FIRST_PAUSE * 2 ** min(count, 16), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        if isinstance(error, UnavailableError):
            pause = max(pause, error.retry_after_seconds)
        if isinstance(error, ApiError):
            text = error.message
            log.warning("not done, will try again", task=work.task.value, about=work.name, error=text, code=error.code)
        else:
            log.error("not done, will try again", task=work.task.value, about=work.name, exc_info=error)
        if work not in self._again and not self._closed:
            self._waiting[work] = asyncio.get_running_loop().call_later(pause, self.put, work)
