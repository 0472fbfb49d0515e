"""``/healthz``, ``/readyz`` and ``/metrics`` on an address of their own.

``/healthz`` says only that the event loop turns: were it to depend on the API server, a short outage there would make
the kubelet restart every replica at once. ``/readyz`` asks the process, with the reason where it is not ready.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from daypass.observe.addresses import host_and_port
from daypass.observe.metrics import REGISTRY

log = structlog.get_logger(__name__)


class HealthServer:
    """Serves from entry to exit of ``async with``; ``ready`` gives True, or False, or why not."""

    def __init__(self, address: str, ready: Callable[[], bool | str]) -> None:
        """``address`` is HOST:PORT; port 0 takes a free one, see ``address`` and the log. Raises ValueError."""
        self._host, self._port = host_and_port(address)
        self._ready = ready
        self._runner: web.AppRunner | None = None
        self.address = address

    async def __aenter__(self) -> Self:
        """Listen; raises OSError when the address is taken."""
        app = web.Application()
        app.router.add_get("/healthz", _healthy)
        app.router.add_get("/readyz", self._readiness)
        app.router.add_get("/metrics", _metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        log.info("health endpoint listens", address=self.address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _readiness(self, _request: web.Request) -> web.Response:
        state = self._ready()
        if state is True:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"{state or 'not ready'}\n")


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
