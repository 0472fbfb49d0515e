"""One run of kopf inside our own process, watched over: kopf may lose its watches and stay."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Final

import kopf
import structlog

from daypass.controller import handlers
from daypass.kube.connection import Connection

TASK_NAME: Final = "watcher for "
"""How kopf calls the tasks that watch a resource; a test proves that it still does."""
STREAMS: Final = 2
START_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 0.5
END_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class UnheardError(Exception):
    """Nobody tells us of requests any more."""


async def watch(
    connection: Connection, heard: handlers.Heard, stop: asyncio.Event, established: Callable[[], None]
) -> float:
    """Run kopf until ``stop``, or until it has lost a watch; for how many seconds it heard everything."""
    ending = asyncio.Event()
    operator = asyncio.create_task(
        kopf.operator(
            registry=handlers.registry(connection, heard),
            settings=handlers.settings(),
            standalone=True,
            clusterwide=True,
            stop_flag=ending,
        )
    )
    since = await _until_lost(operator, stop, established)
    told = operator.done()
    ending.set()
    on_signals(stop)
    await asyncio.wait([operator], timeout=END_SECONDS)
    if not operator.done():
        # kopf may wait for what never comes, also when it is told to end: then it is not asked any more.
        log.warning("kopf does not end by itself")
        operator.cancel()
        await asyncio.wait([operator], timeout=END_SECONDS)
        if not operator.done():
            # Fail closed: a controller that hears nothing must not look alive.
            message = "kopf neither watches nor ends"
            raise UnheardError(message)
        return since
    try:
        await operator
    except Exception as error:  # noqa: BLE001 - whatever it is, kopf is started again
        log.warning("kopf failed", error=str(error))
    else:
        if told:
            # It ends in order only when it was told to: a signal reached its handlers before ours were back.
            stop.set()
    return since


def on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set ``stop``; kopf installs handlers of its own at each start, so again after that."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _until_lost(operator: "asyncio.Task[None]", stop: asyncio.Event, established: Callable[[], None]) -> float:
    began = time.monotonic()
    since: float | None = None
    stopping = asyncio.create_task(stop.wait())
    while not operator.done() and not stop.is_set():
        on_signals(stop)
        now = time.monotonic()
        whole = sum(task.get_name().startswith(TASK_NAME) for task in asyncio.all_tasks()) >= STREAMS
        if whole and since is None:
            since = now
            established()
        if not whole and (since is not None or now - began > START_SECONDS):
            break
        await asyncio.wait([operator, stopping], timeout=CHECK_SECONDS, return_when="FIRST_COMPLETED")
    stopping.cancel()
    return 0.0 if since is None else time.monotonic() - since
