"""One live read for all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class FreshRead(Generic[T]):
    """Reads once for many: whoever asks waits for a read that *began* after they asked.

    So nobody gets an answer that is older than their question (T34), and any number of questions costs one read that
    is under way and one that waits for it.
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        """What ``read`` answers or raises, everyone who waits for it gets."""
        self._read = read
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """What a read says that began from now on."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        return await asyncio.shield(self._next)

    async def _after(self, running: "asyncio.Task[T] | None") -> T:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await self._read()
