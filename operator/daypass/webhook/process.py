"""The process ``daypass webhook``: files, caches, health, then TLS; and the way out on SIGTERM."""

import asyncio
import contextlib
import functools
import signal
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from daypass.app.admission.guard_policy import PolicyGuarding
from daypass.app.admission.guard_request import Guarding
from daypass.app.admission.review import Reviewing
from daypass.domain import names
from daypass.domain.gate_bounds import Bounds
from daypass.expressions.on_demand import ExpressionsOnDemand
from daypass.kube.cache import DEAF_SECONDS
from daypass.kube.client import Client
from daypass.kube.connection import Connection
from daypass.observe import metrics
from daypass.observe.health import HealthServer
from daypass.signing.canonical import canonical_json
from daypass.webhook.files import Mounts
from daypass.webhook.gating import Gating, gate_doors
from daypass.webhook.known import Known
from daypass.webhook.listener import MAX_BODY, Listener
from daypass.webhook.routes import mutating, validating

KEEP_ALIVE_SECONDS: Final = 180.0
"""Longer than the API server's 90 s, so that it is never we who close a connection that it is about to use."""
CLOSING_SECONDS: Final = 5.0
HANDSHAKE_SECONDS: Final = 10.0
TLS_BUFFER: Final = 64 * 1024
"""Bytes that each connection takes as soon as it is there, before anybody has shown a certificate or a path (T52).

asyncio's own 256 KiB are not to be set from outside; no review is read any slower with a quarter.
"""
FIRST_LOOK_SECONDS: Final = 0.2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    namespace: str
    host: str
    port: int
    health_address: str
    serving: Path
    signing: Path
    paths: Path
    client_ca: Path | None = None
    never: frozenset[str] = frozenset()
    drain_seconds: float = 15.0

    @property
    def bounds(self) -> Bounds:
        """Where nothing is granted, and so nothing gated."""
        return Bounds(self.namespace, self.never)


async def run(settings: Settings, connection: Connection) -> None:
    """Serve until SIGTERM or SIGINT, then go on for ``drain_seconds``, not ready, and finish what is under way."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mounts = Mounts(settings.serving, settings.signing, settings.paths, settings.client_ca)
    async with Client(connection, user_agent="daypass-webhook", wrote=metrics.wrote) as client:
        metrics.clock_skew.set_function(client.clock.skew_seconds)
        known = Known(client, settings.namespace, settings.bounds.namespaces)
        for cache in known.caches:
            metrics.follow_cache(
                cache.resource.plural,
                cache.__len__,
                functools.partial(len, cache.faults),
                functools.partial(known.silent_seconds, cache),
            )
        listener = _listener(settings, mounts, known, client)
        ready = functools.partial(_readiness, mounts, known, listener)
        async with HealthServer(settings.health_address, ready), _running(mounts, known):
            if not await _loaded(mounts, stop):
                return
            async with serving(listener, mounts, settings.host, settings.port) as address:
                log.info("webhook listens", address=address)
                listener.serving = True
                await stop.wait()
                log.info("draining", seconds=settings.drain_seconds)
                listener.draining = True
                await asyncio.sleep(settings.drain_seconds)
    log.info("stopped")


@contextlib.asynccontextmanager
async def serving(listener: Listener, mounts: Mounts, host: str, port: int) -> AsyncIterator[str]:
    """Serve TLS on an address, port 0 for a free one; gives ``HOST:PORT``. Leaving finishes what is under way."""

    def request(
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)

    SSLProtocol.max_size = TLS_BUFFER
    loop = asyncio.get_running_loop()
    server = web.Server(
        listener.handle,
        request_factory=request,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        lingering_time=0.0,
        auto_decompress=False,
        access_log=None,
    )
    sockets = await loop.create_server(
        server, host, port, ssl=mounts.certificate.context, backlog=1024, ssl_handshake_timeout=HANDSHAKE_SECONDS
    )
    try:
        bound = sockets.sockets[0].getsockname()
        yield f"{bound[0]}:{bound[1]}"
    finally:
        sockets.close()
        server.pre_shutdown()
        await server.shutdown(CLOSING_SECONDS)


def _listener(settings: Settings, mounts: Mounts, known: Known, client: Client) -> Listener:
    clock = client.clock
    expressions = ExpressionsOnDemand()
    controller = names.service_account_username(settings.namespace, names.CONTROLLER)
    never = settings.bounds.namespaces
    webhook = names.service_account_username(settings.namespace, names.WEBHOOK)
    mutate = mutating(Reviewing(known, mounts.keys, known, clock))
    validate = validating(
        Guarding(known, expressions, clock, controller, never),
        PolicyGuarding(known, expressions, settings.bounds),
        known,
    )
    gating = Gating(known, client, canonical_json, clock, never, frozenset({controller, webhook}), metrics.gated)
    gate, hold = gate_doors(gating)
    paths = mounts.paths
    return Listener(
        (lambda: paths.mutating, mutate),
        (lambda: paths.validating, validate),
        (lambda: paths.gates, gate),
        (lambda: paths.holds, hold),
    )


def _readiness(mounts: Mounts, known: Known, listener: Listener) -> bool | str:
    """Ready once files are read, caches listed and TLS is served; leadership is nothing to a webhook.

    No more where the API server was not heard for minutes: gates made since then would be open here, and what was
    revoked in force (T34).
    """
    if listener.draining:
        return "draining"
    if not mounts.loaded:
        return "certificate, keys or paths are not there yet"
    unsynced = known.unsynced()
    if unsynced:
        return f"not listed yet: {unsynced}"
    unheard = known.unheard()
    if unheard:
        return f"nothing heard of {unheard} for {DEAF_SECONDS:g} s"
    return listener.serving or "not listening yet"


@contextlib.asynccontextmanager
async def _running(mounts: Mounts, known: Known) -> AsyncIterator[None]:
    """Follow files and caches meanwhile; either ending by itself is a bug, and ends the process."""
    ends = mounts.certificate
    metrics.certificate_expiry.set_function(lambda: ends.not_after.timestamp() if ends.not_after else 0.0)
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(mounts.follow()), tasks.create_task(known.follow())]
        try:
            yield
        finally:
            for task in background:
                task.cancel()


async def _loaded(mounts: Mounts, stop: asyncio.Event) -> bool:
    """Wait for the files that ``daypass setup`` makes; False when told to stop first."""
    while not mounts.loaded:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), FIRST_LOOK_SECONDS)
            return False
    return True
