"""An API server on paper: it lists what it was given, its watches say nothing, and it takes every write.

For measuring the webhook by itself: nothing else is at work on the machine, and ten thousand requests cost nothing.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import trustme
from aiohttp import web

Json = dict[str, Any]

VERSION: Final = "99999999"
_JSON: Final = "application/json"


class PaperServer:
    """Serves lists by the end of their path, such as ``accessrequests``; objects by ``PLURAL/NAME``."""

    def __init__(self, lists: Mapping[str, Sequence[Json]], objects: Mapping[str, Json]) -> None:
        self._lists = {plural: [_text(item) for item in items] for plural, items in lists.items()}
        self._objects = {path: _text(body) for path, body in objects.items()}
        self._watches: list[asyncio.Event] = []
        self.writes = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self, authority: trustme.CA) -> AsyncIterator[None]:
        """On a free port of loopback."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server = web.Server(self._handle, access_log=None)
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=context)
        self.url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            for watch in self._watches:
                watch.set()
            listener.close()
            await server.shutdown(1.0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "GET":
            self.writes += 1
            return web.Response(body=await request.read(), content_type=_JSON)
        place = request.path.rstrip("/").rpartition("/")[2]
        if "watch" in request.query:
            return await self._watch(request)
        items = self._lists.get(place)
        if items is not None:
            return self._page(items, request.query)
        found = self._objects.get("/".join(request.path.split("/")[-2:]))
        if found is None:
            return web.Response(status=404, body=b'{"kind":"Status","code":404}', content_type=_JSON)
        return web.Response(body=found, content_type=_JSON)

    def _page(self, items: Sequence[bytes], query: Mapping[str, str]) -> web.Response:
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "500"))
        end = start + limit
        more = f',"continue":"{end}"' if end < len(items) else ""
        head = f'{{"metadata":{{"resourceVersion":"{VERSION}"{more}}},"items":['
        return web.Response(body=b"".join((head.encode(), b",".join(items[start:end]), b"]}")), content_type=_JSON)

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        over = asyncio.Event()
        self._watches.append(over)
        await over.wait()
        return stream


def account(folder: Path, authority: trustme.CA) -> Path:
    """A folder as the kubelet mounts it for a ServiceAccount."""
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    (folder / "token").write_text("on-paper")
    return folder


def _text(body: Json) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
