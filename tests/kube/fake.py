"""A fake API server, for the faults that the real one does not show on demand: it serves ConfigMaps of one namespace."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme
from aiohttp import web

from daypass.kube.connection import Connection

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeApi:
    """Speaks list and watch over TLS; ``answer`` replaces all of it, ``expired``, ``mute`` and ``hang_up`` break it."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        self.name = name
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.lists = 0
        self.watched_from: list[str] = []
        self.expired = self.mute = self.hang_up = False
        self.answer: Answer | None = None
        self._folder = folder
        self._streams: list[web.StreamResponse] = []
        self._runner: web.ServerRunner | None = None
        self.connection: Connection

    async def __aenter__(self) -> Self:
        import ssl  # noqa: PLC0415

        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(self.name).configure_cert(context)
        authority.cert_pem.write_to_path(str(self._folder / "ca.crt"))
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = self._runner.addresses[0][1]
        self.connection = Connection(f"https://127.0.0.1:{port}", self._folder / "ca.crt", static_token="fake")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    async def put(self, name: str, **data: str) -> None:
        self.version += 1
        kind = "MODIFIED" if name in self.objects else "ADDED"
        metadata = {"name": name, "namespace": "default", "uid": name, "resourceVersion": str(self.version)}
        self.objects[name] = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": data}
        await self.send({"type": kind, "object": self.objects[name]})

    async def delete(self, name: str) -> None:
        self.version += 1
        gone = self.objects.pop(name)
        gone["metadata"]["resourceVersion"] = str(self.version)
        await self.send({"type": "DELETED", "object": gone})

    async def bookmark(self) -> None:
        await self.send({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}})

    async def send(self, event: dict[str, Any]) -> None:
        if not self.mute:
            for stream in self._streams:
                await stream.write(json.dumps(event).encode() + b"\n")

    def cut(self) -> None:
        """Cut every watch in the middle of a line."""
        for stream in self._streams:
            request = stream._req
            if request is not None and request.transport is not None:
                request.transport.abort()
        self._streams.clear()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.answer is not None:
            return await self.answer(request)  # type: ignore[arg-type]
        return await self.list_or_watch(request)

    async def list_or_watch(self, request: web.BaseRequest) -> web.StreamResponse:
        """As it answers where ``answer`` is not set."""
        if "watch" not in request.query:
            self.lists += 1
            body = {"metadata": {"resourceVersion": str(self.version)}, "items": list(self.objects.values())}
            return web.json_response(body)
        self.watched_from.append(request.query["resourceVersion"])
        if self.expired:
            self.expired = False
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            return web.json_response(status, status=410)
        stream = web.StreamResponse()
        await stream.prepare(request)
        if self.hang_up:
            return stream
        self._streams.append(stream)
        await asyncio.sleep(60)
        return stream


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for what another task does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition of a test
            await asyncio.sleep(0.01)
