"""A proxy between the controller and the API server, that sees each call and can cut, refuse, or kill at any of them."""

import asyncio
import os
import shutil
import signal
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from bed import Bed
from bed.daypass import controller_process
from bed.pki import Authority
from bed.processes import Process
from cluster.leases import free_lease

NOT_COUNTED: Final = ("/leases", "/events", "/selfsubject", "/approvalpolicies")
DROPPED: Final = {"Content-Length", "Transfer-Encoding", "Connection", "Host"}

Fault = Callable[[web.Request], web.Response | None]


class Proxy:
    """Runs in a thread of its own; ``controller`` is a controller that knows no other API server."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.bed = bed
        self.fault: Fault = lambda _: None
        self.kill_after: int | None = None
        self.writes: list[str] = []
        self.watches = 0
        self._under_way = 0
        self._upstream = ssl.create_default_context(cafile=str(bed.endpoint.authority_file))
        self._streams: set[asyncio.Task[object]] = set()
        authority = Authority(folder / "pki")
        pair = authority.server("proxy")
        self._served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._served.load_cert_chain(pair.certificate, pair.key)
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),), daemon=True)
        self._thread.start()
        self.url = f"https://127.0.0.1:{self._started.result(10)}"
        self.controller = self._controller(folder, authority)

    def stop(self) -> None:
        """End the controller and the proxy."""
        self.controller.kill()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def kill_at(self, point: int | None) -> None:
        """Kill the controller at the so-manieth write from now on, or not.

        A write whose effect the test has seen may still be on its way back: it is none of these.
        """
        self.kill_after = None
        self.bed.wait_until(lambda: not self._under_way, what="the writes so far are answered")
        self.writes.clear()
        self.kill_after = point

    def restart(self) -> None:
        """Start the controller again once it is killed; it leads at once."""
        self.bed.wait_until(lambda: self.controller.pid is None, what="killed")
        free_lease(self.bed)
        self.controller.start()

    def cut_watches(self) -> None:
        """End every stream in the middle, as a load balancer does."""
        self._loop.call_soon_threadsafe(lambda: [stream.cancel() for stream in list(self._streams)])

    def _controller(self, folder: Path, authority: Authority) -> Process:
        process = controller_process(self.bed.endpoint, f"127.0.0.1:{self.bed.controller_health}", name="proxied")
        command = process.command
        account = folder / "account"
        account.mkdir()
        shutil.copy(Path(command[command.index("--service-account-dir") + 1]) / "token", account / "token")
        shutil.copy(authority.pair.certificate, account / "ca.crt")
        command[command.index("--service-account-dir") + 1] = str(account)
        command[command.index("--server") + 1] = self.url
        return process

    async def _run(self) -> None:
        """Until ``stop``; ``asyncio.run`` then ends what is still under way."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0)  # streams of killed controllers stay a while
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._served).start()
        self._started.set_result(int(runner.addresses[0][1]))
        await self._stop.wait()
        await runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        refused = self.fault(request)
        if refused is not None:
            return refused
        writes = request.method != "GET" and not any(part in request.path for part in NOT_COUNTED)
        self._under_way += writes
        try:
            return await self._forward(request, writes=writes)
        finally:
            self._under_way -= writes

    async def _forward(self, request: web.Request, *, writes: bool) -> web.StreamResponse:
        headers = {key: value for key, value in request.headers.items() if key.title() not in DROPPED}
        body = await request.read()
        url = f"{self.bed.endpoint.server}{request.raw_path}"
        async with self._session.request(
            request.method, url, headers=headers, data=body or None, ssl=self._upstream
        ) as answer:
            kept = {key: value for key, value in answer.headers.items() if key.title() not in DROPPED}
            if "watch" in request.query:
                return await self._stream(request, answer, kept)
            content = await answer.read()
            if writes:
                self._count(request)
            return web.Response(status=answer.status, headers=kept, body=content)

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        self.watches += 1
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)

        async def copy() -> None:
            async for chunk in answer.content.iter_any():
                await response.write(chunk)

        task: asyncio.Task[object] = asyncio.ensure_future(copy())
        self._streams.add(task)
        try:
            await task
        except (asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._streams.discard(task)
        return response

    def _count(self, request: web.Request) -> None:
        """Note a write that the API server has answered; perhaps the controller never hears the answer."""
        self.writes.append(f"{request.method} {request.path.rsplit('/', 2)[-2 if request.path.count('/') > 6 else -1]}")
        if self.kill_after is not None and len(self.writes) == self.kill_after:
            self.kill_after = None
            if self.controller.pid is not None:
                os.kill(self.controller.pid, signal.SIGKILL)
