"""One controller process from start to end."""

import asyncio
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from daypass.app.ports import ApiError
from daypass.controller import kopf_run
from daypass.controller.dispatcher import Dispatcher
from daypass.controller.leader import Options, leader_of
from daypass.domain import names
from daypass.kube.client import Client
from daypass.kube.connection import Connection
from daypass.kube.lease import Lease, LeaseLostError
from daypass.observe import metrics
from daypass.observe.health import HealthServer

FINISH_SECONDS: Final = 8.0
LEAVE_SECONDS: Final = 2.0
"""How long what was begun may take to end after SIGTERM."""
DRAIN_SECONDS: Final = 2.0
WATCH_ATTEMPTS: Final = 4
"""So often in a row the watch of requests may fail before the process ends, for another to take over."""
WATCH_PAUSE: Final = 0.5
LASTING_SECONDS: Final = 10.0
"""A watch that lasted so long had been established."""

log = structlog.get_logger(__name__)


class Readiness:
    """What ``/readyz`` says: a standby is ready, a leader once it knows everything and has swept."""

    def __init__(self) -> None:
        self.busy = ""

    def __call__(self) -> bool | str:
        """As ``HealthServer`` wants it."""
        return self.busy or True

    def watching(self) -> None:
        """Requests are watched."""
        self.busy = ""


class UnheardError(Exception):
    """Nobody tells us of requests any more."""


async def run(connection: Connection, options: Options) -> int:
    """Stand by, lead, and stop; the exit code. 1 when the Lease was lost, or any of our tasks ended by itself."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    readiness = Readiness()
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    client = Client(connection, user_agent="daypass-controller", wrote=metrics.wrote)
    metrics.clock_skew.set_function(client.clock.skew_seconds)
    async with client, HealthServer(options.health_address, readiness):
        lease = Lease(client, options.namespace, names.CONTROLLER, identity, clock=client.clock)
        if not await _unless_stopped(stop, lease.acquire()):
            return 0
        metrics.leading.set(1)
        readiness.busy = "not everything is known yet"
        try:
            return await _lead(client, lease, options, readiness, stop)
        finally:
            metrics.leading.set(0)
            await lease.release()


async def _lead(client: Client, lease: Lease, options: Options, readiness: Readiness, stop: asyncio.Event) -> int:
    leader = leader_of(client, lease, options)
    dispatcher, recorder = leader.dispatcher, leader.recorder
    lasting = [
        asyncio.create_task(one) for one in (lease.hold(), recorder.run(), *(one.run() for one in leader.caches))
    ]
    finishing: list[asyncio.Task[None]] = []
    stopping = asyncio.create_task(stop.wait())
    try:
        if not await _unless_stopped(stop, _until_done(leader.begin), *lasting):
            return _code(*lasting) or int(not stop.is_set())
        # The gates of all policies are known by now: before that, those not heard of yet would be uncovered.
        patrols = (dispatcher.patrol(client), dispatcher.patrol_permits(), dispatcher.figures(), leader.gates.run())
        lasting += [asyncio.create_task(one) for one in patrols]
        finishing += [
            asyncio.create_task(one) for one in (dispatcher.work(), _watch(client, dispatcher, readiness, stop))
        ]
        readiness.busy = ""
        await asyncio.wait([*lasting, *finishing, stopping], return_when="FIRST_COMPLETED")
        # Fail closed: what ends by itself, even in order, leaves something undone: another process must take over.
        unbidden = not stop.is_set()
        log.info("stopping", leading=lease.held(), unbidden=unbidden)
        dispatcher.close()
        stop.set()
        await asyncio.wait(finishing, timeout=FINISH_SECONDS if lease.held() else 0)
        await recorder.drain(DRAIN_SECONDS)
        return _code(*lasting, *finishing) or int(unbidden)
    finally:
        for task in (stopping, *lasting, *finishing):
            task.cancel()
        # Not for ever: nothing that waits may keep another from leading (T38).
        await asyncio.wait([stopping, *lasting, *finishing], timeout=LEAVE_SECONDS)


async def _watch(client: Client, dispatcher: Dispatcher, readiness: Readiness, stop: asyncio.Event) -> None:
    """kopf, until we stop; raises UnheardError when it can't be kept up.

    kopf gives up at the first answer that it did not expect, such as the refusals of an API server that is still
    starting, and may stay there without its watches. It is started again, later each time; deletions that it missed
    meanwhile are found by listing.
    """
    failures = 0
    while not stop.is_set():
        lasted = await kopf_run.watch(client.connection, dispatcher.heard, stop, readiness.watching)
        if stop.is_set():
            return
        failures = failures + 1 if lasted < LASTING_SECONDS else 1
        if failures > WATCH_ATTEMPTS:
            # Fail closed: a controller that hears nothing must not look alive.
            message = "requests can't be watched"
            raise UnheardError(message)
        readiness.busy = "requests are not watched"
        log.warning("watching stopped, will start again", failures=failures)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), WATCH_PAUSE * 2 ** (failures - 1))
        dispatcher.relist_soon()


async def _until_done(step: Callable[[], Awaitable[None]]) -> None:
    """Try again until it goes through: the API server may be starting too."""
    while True:
        try:
            await step()
        except ApiError as error:
            log.warning("can't begin yet", error=error.message, code=error.code)
            await asyncio.sleep(1.0)
        else:
            return


async def _unless_stopped(stop: asyncio.Event, step: Awaitable[None], *lasting: "asyncio.Task[None]") -> bool:
    """Whether the step was done before we were told to stop, or one of the tasks that must last ended."""
    stopping = asyncio.create_task(stop.wait())
    doing = asyncio.ensure_future(step)
    await asyncio.wait([doing, stopping, *lasting], return_when="FIRST_COMPLETED")
    stopping.cancel()
    if doing.done():
        doing.result()
        return True
    doing.cancel()
    with suppress(asyncio.CancelledError):
        await doing
    return False


def _code(*tasks: "asyncio.Task[None]") -> int:
    """1 if any ended by an error: then another process must take over."""
    errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    for error in errors:
        if isinstance(error, LeaseLostError):
            log.error("lease lost", error=str(error))
        elif error is not None:
            log.error("ended by an error", exc_info=error)
    return int(any(errors))
