"""The API server by raw JSON over one pool of connections: implements ``app.ports.Objects``.

Each call is bounded in time and made once: whether to try again is the caller's decision, for only it knows what the
state is now. Answers become the error family of ``app.ports`` with the server's own text.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self, TypedDict

import aiohttp
from aiohttp.connector import AddrInfoType
from yarl import URL

from daypass import __version__
from daypass.app.ports import LEASES, PODS, ApiError, ConflictError, Json, Resource, UnavailableError
from daypass.kube.clock import ServerClock
from daypass.kube.connection import Connection
from daypass.kube.failures import error_for, failure
from daypass.kube.paths import collection_path, group_path, object_path, query
from daypass.kube.streams import LineTooLongError, lines

MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"
STRICT: Final = "Strict"
"""Unknown fields in what we write are an error, never pruned: a Job that loses its deadline is no dead man's."""
LIST_PAGE: Final = 500
IDLE_SECONDS: Final = 80.0
"""Connections idle longer are not used again: the API server closes them after 90 s or later."""

Wrote = Callable[[str, str], None]
Page = tuple[list[Json], str]
"""Objects, and the resourceVersion of the state that they are of."""


class _Terms(TypedDict):
    """What holds for every call."""

    allow_redirects: bool
    server_hostname: str | None


class Client:
    """One identity's calls; ``async with`` opens and closes its connections."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: ServerClock | None = None,
        timeout_seconds: float = 10.0,
        concurrent_writes: int = 32,
        user_agent: str = "daypass",
        wrote: Wrote | None = None,
    ) -> None:
        """``wrote(verb, resource)`` is told of each write sent, for a metric."""
        self.connection = connection
        self.clock = clock or ServerClock()
        self._timeout = timeout_seconds
        self._writes = asyncio.Semaphore(concurrent_writes)
        self._reads = asyncio.Semaphore(concurrent_writes)
        self._user_agent = f"{user_agent}/{__version__}"
        self._wrote = wrote or _ignore
        self._session: aiohttp.ClientSession | None = None
        self._terms: _Terms = {"allow_redirects": False, "server_hostname": connection.server_name or None}

    async def __aenter__(self) -> Self:
        """Nothing is connected yet: the first call does that."""
        connector = aiohttp.TCPConnector(
            ssl=self.connection.ssl_context(), limit=0, keepalive_timeout=IDLE_SECONDS, socket_factory=_watched_socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._user_agent, "Accept": JSON},
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections, watches too."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        """The object as it is now; None when it, or its kind, does not exist."""
        try:
            return await self._call("GET", object_path(resource, name, namespace))
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create(self, resource: Resource, body: Json, namespace: str = "", *, dry_run: bool = False) -> Json:
        """POST; AlreadyExistsError where the name is taken, ApiError 404 where the namespace does not exist."""
        path = collection_path(resource, namespace) + query(fieldValidation=STRICT, dryRun="All" if dry_run else "")
        return await self._write("create", resource, "POST", path, body)

    async def dry_apply(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        """What ``kubectl apply --server-side --force-conflicts`` would make of an object; nothing is written."""
        options = query(fieldManager="kubectl", force="true", fieldValidation=STRICT, dryRun="All")
        path = object_path(resource, name, namespace) + options
        return await self._write("patch", resource, "PATCH", path, body, "", APPLY_PATCH)

    async def replace(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        """PUT; the body's resourceVersion is the precondition, ConflictError when it has changed."""
        path = object_path(resource, name, namespace) + query(fieldValidation=STRICT)
        return await self._write("update", resource, "PUT", path, body)

    async def merge_patch(
        self, resource: Resource, name: str, patch: Json, namespace: str = "", subresource: str = ""
    ) -> Json:
        """RFC 7386; with ``metadata.resourceVersion`` in the patch, ConflictError when the object has changed."""
        path = object_path(resource, name, namespace, subresource) + query(fieldValidation=STRICT)
        return await self._write("patch", resource, "PATCH", path, patch, subresource, MERGE_PATCH)

    async def delete(self, resource: Resource, name: str, uid: str, namespace: str = "") -> bool:
        """Delete that very object, its dependents in the background; False when it was gone or is another by now."""
        path = object_path(resource, name, namespace)
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        return await self._met(resource, name, uid, namespace, self._write("delete", resource, "DELETE", path, options))

    async def evict(self, name: str, uid: str, namespace: str, grace_seconds: int) -> bool:
        """Evict that very pod, which has so long to end; False when it was gone or is another by now.

        UnavailableError with code 429 where a PodDisruptionBudget does not allow it yet.
        """
        path = object_path(PODS, name, namespace, "eviction") + query(fieldValidation=STRICT)
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}, "gracePeriodSeconds": grace_seconds},
        }
        return await self._met(PODS, name, uid, namespace, self._write("create", PODS, "POST", path, body, "eviction"))

    async def _met(
        self, resource: Resource, name: str, uid: str, namespace: str, writing: Coroutine[Any, Any, Json]
    ) -> bool:
        """Whether a write that names the uid as its precondition met that very object."""
        try:
            await writing
        except ConflictError:
            current = await self.get(resource, name, namespace)
            if current is not None and current["metadata"]["uid"] == uid:
                raise
            return False
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    async def served(self, group: str, version: str = "") -> Json | None:
        """What the API server serves of a group's version, or of the group; None when it serves no such thing."""
        try:
            return await self._call("GET", group_path(group, version))
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = LIST_PAGE,
    ) -> Page:
        """All objects, fetched ``limit`` at a time, and the resourceVersion from which a watch goes on."""
        found: list[Json] = []
        version = ""
        async for items, version in self.pages(resource, namespace, label_selector, field_selector, limit):  # noqa: B007
            found += items
        return found, version

    async def pages(
        self,
        resource: Resource,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = LIST_PAGE,
    ) -> AsyncGenerator[Page, None]:
        """As ``list``, page by page, all of one consistent and current state; GoneError when that got too old."""
        token, path = "", collection_path(resource, namespace)
        while True:
            selection = query(labelSelector=label_selector, fieldSelector=field_selector, limit=limit)
            page = await self._call("GET", path + selection + (f"&{query(**{'continue': token})[1:]}" if token else ""))
            items: list[Any] = page.get("items") or []
            for item in items:
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            metadata = page["metadata"]
            yield items, str(metadata["resourceVersion"])
            token = metadata.get("continue", "")
            if not token:
                return

    async def watch(
        self,
        resource: Resource,
        resource_version: str,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        *,
        duration_seconds: int = 300,
        silence_seconds: float = 90.0,
    ) -> AsyncGenerator[tuple[str, Json], None]:
        """Yield ``(type, object)``, bookmarks too, until the server ends the stream after ``duration_seconds``.

        GoneError: list again. UnavailableError: the stream broke, or nothing came for ``silence_seconds``, which a
        dead connection looks like. Close the iterator (``contextlib.aclosing``) to end the watch.
        """
        path = collection_path(resource, namespace) + query(
            watch="1",
            allowWatchBookmarks="1",
            resourceVersion=resource_version,
            timeoutSeconds=duration_seconds,
            labelSelector=label_selector,
            fieldSelector=field_selector,
        )
        silence = aiohttp.ClientTimeout(total=None, sock_read=silence_seconds)
        try:
            # The API server answers a watch at once, however long the stream then is: the ordinary timeout holds.
            async with asyncio.timeout(self._timeout):
                response = await self._open().get(
                    self._url(path), headers=self._authorization(), timeout=silence, **self._terms
                )
            async with response:
                if response.status != HTTPStatus.OK:
                    raise self._failed(response, await response.read())
                try:
                    async for line in lines(response.content.iter_any()):
                        event = json.loads(line)
                        body = event["object"]
                        if event["type"] == "ERROR":
                            raise _stream_error(body)
                        yield event["type"], body
                finally:
                    _abort(response)
        except (aiohttp.ClientError, TimeoutError, OSError, LineTooLongError, ValueError, KeyError) as error:
            raise _no_answer(f"watch {resource.plural}", error) from error

    async def _write(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        body: Json,
        subresource: str = "",
        content_type: str = JSON,
    ) -> Json:
        # The Lease waits behind nothing: a thousand grants to write must not cost the leadership (T38).
        bound: AbstractAsyncContextManager[Any] = nullcontext() if resource == LEASES else self._writes
        async with bound:
            self._wrote(verb, f"{resource.plural}/{subresource}" if subresource else resource.plural)
            return await self._send(method, path, json.dumps(body, separators=(",", ":")).encode(), content_type)

    async def _call(self, method: str, path: str) -> Json:
        async with self._reads:
            return await self._send(method, path, None, "")

    async def _send(self, method: str, path: str, body: bytes | None, content_type: str) -> Json:
        headers = self._authorization()
        if body is not None:
            headers["Content-Type"] = content_type
        sent = time.monotonic()
        try:
            async with self._open().request(
                method, self._url(path), data=body, headers=headers, **self._terms
            ) as response:
                self.clock.observe(response.headers.get("Date", ""), sent, time.monotonic())
                answer = await response.read()
                if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                    raise self._failed(response, answer)
                parsed: Json = json.loads(answer)
                return parsed
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _no_answer(f"{method} {path.partition('?')[0]}", error) from error

    def _failed(self, response: aiohttp.ClientResponse, body: bytes) -> ApiError:
        if response.status == HTTPStatus.UNAUTHORIZED and self.connection.token_file:
            self.connection.token_file.forget()
        return failure(response.status, body, response.headers.get("Retry-After", ""))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            text = "the client is not open: use it in `async with`"
            raise RuntimeError(text)
        return self._session

    def _authorization(self) -> dict[str, str]:
        token = self.connection.token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _url(self, path: str) -> URL:
        return URL(self.connection.server + path, encoded=True)


def _no_answer(call: str, error: Exception) -> UnavailableError:
    """The server may have done what was asked all the same: only the state itself can tell."""
    text = str(error) or type(error).__name__
    return UnavailableError(f"no answer to {call}: {text}")


def _stream_error(status: Json) -> ApiError:
    code = int(status.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR)
    return error_for(code, str(status.get("reason") or ""), str(status.get("message") or "watch failed"))


def _abort(response: aiohttp.ClientResponse) -> None:
    """Let go of a stream that was left in its middle at once: TLS would wait up to 30 s for the peer's farewell."""
    transport = response.connection.transport if response.connection is not None else None
    if transport is not None:
        transport.abort()


def _watched_socket(address: AddrInfoType) -> socket.socket:
    """A dead peer is noticed after some 25 s, not after the 15 minutes of TCP's own patience."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 25_000)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def _ignore(_verb: str, _resource: str) -> None:
    return
