"""The API server's time, estimated from the ``Date`` of its answers (T32).

Deadlines are set by the API server's clock, ours may differ. An answer that left between ``sent`` and ``received`` and
says second ``D`` proves that the server's clock minus ours lies between ``D - received`` and ``D + 1 - sent``. Each
answer narrows that interval; drift widens it again as time passes; answers that contradict it (a clock was set) replace
it. While our own clock fits the evidence it is used as it is. Where it does not, the latest time that the evidence
allows is taken: a grant then ends early by a fraction of a second, never late.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

DRIFT: Final = 1e-4
"""How far two unsynchronised clocks may run apart, seconds a second: quartz does 1e-5, virtual machines worse."""


class ServerClock:
    """Implements ``app.ports.Clock``; runs on the monotonic clock, so that setting the host's clock changes nothing."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Until the first answer the host's clock is all that is known."""
        self._wall = wall
        self._monotonic = monotonic
        self._own = wall() - monotonic()
        self._low = float("-inf")
        self._high = float("inf")
        self._measured_at = monotonic()
        self._read: tuple[str | None, float] = (None, 0.0)

    def observe(self, date: str, sent: float, received: float) -> None:
        """Learn from an answer's ``Date``; ``sent`` and ``received`` are monotonic. What can't be read is ignored."""
        if date != self._read[0]:  # the same for a second's answers
            try:
                self._read = (date, parsedate_to_datetime(date).timestamp())
            except (TypeError, ValueError):
                return
        stated = self._read[1]
        low, high = stated - received, stated + 1 - sent
        known_low, known_high = self._bounds(received)
        self._low, self._high = max(low, known_low), min(high, known_high)
        if self._low > self._high:
            self._low, self._high = low, high
        self._measured_at = received

    def now(self) -> datetime:
        """UTC by the API server's clock, as late as the evidence allows where our own clock contradicts it."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        """``now`` in seconds since the epoch."""
        monotonic = self._monotonic()
        return monotonic + self._offset(monotonic)

    def skew_seconds(self) -> float:
        """How far the API server is ahead of the host's clock as it stands now; for a metric."""
        return self.timestamp() - self._wall()

    def _bounds(self, monotonic: float) -> tuple[float, float]:
        drift = max(monotonic - self._measured_at, 0) * DRIFT
        return self._low - drift, self._high + drift

    def _offset(self, monotonic: float) -> float:
        low, high = self._bounds(monotonic)
        return self._own if low <= self._own <= high else high
