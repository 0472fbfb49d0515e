"""One run of kopf, in a thread and an event loop of its own, and watched over.

kopf believes that its event loop is its own: it takes SIGTERM and SIGINT to itself when it starts, and when it ends,
for whatever reason, it cancels every task that is younger than itself and waits for them. On our loop that would be our
work, and a signal in its first moments would end kopf and not us. So it has another loop, as its documentation has it
for those who embed it. It may also lose its watches and stay, hang, or not end when it is told to: then it is left
behind.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import kopf
import structlog

from daypass.app.ports import Json, Resource
from daypass.controller import handlers
from daypass.kube.connection import Connection

TASK_NAME: Final = "watcher for "
"""How kopf calls the tasks that watch a resource; a test proves that it still does."""
STREAMS: Final = 2
START_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 0.5
HANG_SECONDS: Final = 30.0
"""So long without a sign of life, which is given each ``CHECK_SECONDS``, and kopf's loop hangs."""
END_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 0.25
"""So long aiohttp's TLS connections may take to close after their session, says its documentation."""

log = structlog.get_logger(__name__)


async def watch(
    connection: Connection, heard: handlers.Heard, stop: asyncio.Event, established: Callable[[], None]
) -> float:
    """Run kopf until ``stop``, or until it has lost a watch; for how many seconds it heard everything.

    Both are called on the caller's loop: ``heard`` with what happens, ``established`` once everything is watched.
    """
    run = _Run(connection, heard, established)
    run.start()
    waits = [asyncio.create_task(event.wait()) for event in (run.lost, stop)]
    try:
        while not (await asyncio.wait(waits, timeout=CHECK_SECONDS, return_when="FIRST_COMPLETED"))[0]:
            if time.monotonic() - run.alive_at > HANG_SECONDS:
                # Fail closed: a loop that does nothing any more can't say itself that it hears nothing.
                log.warning("kopf hangs")
                break
    finally:
        run.end()
        for wait in waits:
            wait.cancel()
    try:
        async with asyncio.timeout(END_SECONDS):
            await run.over.wait()
    except TimeoutError:
        log.warning("kopf does not end and is left behind")
    return run.lasted


class _Run:
    """kopf in its thread; ``lost`` and ``over`` are set on the loop of whoever made it."""

    def __init__(self, connection: Connection, heard: handlers.Heard, established: Callable[[], None]) -> None:
        self._connection, self._heard, self._established = connection, heard, established
        self._ours, self._theirs = asyncio.get_running_loop(), asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._left = False
        self.lost, self.over = asyncio.Event(), asyncio.Event()
        self.alive_at = time.monotonic()
        """When its loop gave the last sign of life."""
        self.lasted = 0.0
        """For how many seconds it heard everything, once that is ``lost``."""

    def start(self) -> None:
        """Start it; as a daemon, so that a kopf that was left behind keeps no process alive."""
        threading.Thread(target=self._live, name="kopf", daemon=True).start()

    def end(self) -> None:
        """Ask it to end; what it hears from now on is nobody's news, for what it misses will be listed."""
        self._left = True
        _call(self._theirs, self._ending.set)

    def _live(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._theirs) as runner:
                runner.run(self._operate())
        finally:
            self._tell(self.lost.set)
            self._tell(self.over.set)

    async def _operate(self) -> None:
        operator = asyncio.create_task(
            kopf.operator(
                registry=handlers.registry(self._connection, self._hand_over),
                settings=handlers.settings(),
                standalone=True,
                clusterwide=True,
                stop_flag=self._ending,
            )
        )
        await self._until_lost(operator)
        self._tell(self.lost.set)
        self._ending.set()
        for watcher in _watchers():
            watcher.cancel()  # kopf would wait 5 s for one that was left alone
        (error,) = await asyncio.gather(operator, return_exceptions=True)
        if isinstance(error, Exception):
            log.warning("kopf failed", error=str(error))
        await asyncio.sleep(CLOSE_SECONDS)

    async def _until_lost(self, operator: "asyncio.Task[None]") -> None:
        began = time.monotonic()
        since: float | None = None
        while not operator.done():
            now = self.alive_at = time.monotonic()
            whole = len(_watchers()) >= STREAMS
            if whole and since is None:
                since = now
                self._tell(self._watched)
            if not whole and (since is not None or now - began > START_SECONDS):
                break
            await asyncio.wait([operator], timeout=CHECK_SECONDS)
        if since is not None:
            self.lasted = time.monotonic() - since

    def _watched(self) -> None:
        if not self._left:
            self._established()

    def _hand_over(self, resource: Resource, body: Json, gone: bool) -> None:  # noqa: FBT001 - a callback
        self._tell(self._deliver, resource, body, gone)

    def _deliver(self, resource: Resource, body: Json, gone: bool) -> None:  # noqa: FBT001 - a callback
        if not self._left:
            self._heard(resource, body, gone)

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        _call(self._ours, callback, *arguments)


def _watchers() -> "list[asyncio.Task[object]]":
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(TASK_NAME)]


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: object) -> None:
    """Call it on a loop of another thread; nothing where that loop has ended meanwhile."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *arguments)
