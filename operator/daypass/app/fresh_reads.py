"""One live read for all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable


class FreshRead:
    """Reads once for many: whoever asks waits for a read that *began* after they asked.

    So nobody gets an answer that is older than their question (T34), and any number of questions costs one read that
    is under way and one that waits for it.
    """

    def __init__(self, read: Callable[[], Awaitable[None]]) -> None:
        """``read`` keeps what it reads; what it raises, everyone who waits for it gets."""
        self._read = read
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Return once a read that began from now on is done."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        await asyncio.shield(self._next)

    async def _after(self, running: "asyncio.Task[None] | None") -> None:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        await self._read()
