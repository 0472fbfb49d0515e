"""The deadlines: one heap, one timer, whatever their number."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime
from typing import Final

from daypass.app.ports import Clock

LONGEST_SLEEP: Final = 30.0
"""Looked at so often at least: the API server's clock may be set, and ours is only near it."""


class Alarm:
    """Rings once for each name at the moment that was last set for it, by the API server's time."""

    def __init__(self, clock: Clock, ring: Callable[[str], None]) -> None:
        """``ring`` must not raise nor wait."""
        self._clock, self._ring = clock, ring
        self._moments: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def set(self, name: str, moment: datetime | None) -> None:
        """Ring then, and not when it was set for before; None: not at all."""
        if moment is None:
            self._moments.pop(name, None)
            return
        if self._moments.get(name) == moment:
            return
        self._moments[name] = moment
        heapq.heappush(self._heap, (moment, name))
        if self._heap[0] == (moment, name):
            self._arm()

    def __len__(self) -> int:
        """For how many names it is set."""
        return len(self._moments)

    def stop(self) -> None:
        """Ring no more."""
        self._moments.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._heap and self._moments.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if self._heap:
            left = (self._heap[0][0] - self._clock.now()).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(min(max(left, 0.0), LONGEST_SLEEP), self._go_off)

    def _go_off(self) -> None:
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            moment, name = heapq.heappop(self._heap)
            if self._moments.get(name) == moment:
                del self._moments[name]
                self._ring(name)
        self._arm()
