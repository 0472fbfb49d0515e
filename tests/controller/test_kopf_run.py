"""kopf beside us: it hears for us and leaves our tasks and our signals alone, however it ends. With a fake API server."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import kopf
import pytest
from aiohttp import web

from daypass.app.ports import ACCESS_REQUESTS, APPROVAL_POLICIES, Resource
from daypass.controller import handlers, kopf_run
from kube.fake import FakeApi, until

GROUP = f"/apis/{ACCESS_REQUESTS.group}/{ACCESS_REQUESTS.version}"
VERBS = ["list", "watch", "patch"]
NAMESPACES = {"name": "namespaces", "singularName": "", "kind": "Namespace", "namespaced": False, "verbs": VERBS}


def served(resource: Resource) -> dict[str, Any]:
    singular = resource.kind.lower()
    return {
        "name": resource.plural,
        "singularName": singular,
        "kind": resource.kind,
        "namespaced": True,
        "verbs": VERBS,
    }


DISCOVERY = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [NAMESPACES]},
    "/apis": {
        "groups": [
            {
                "name": ACCESS_REQUESTS.group,
                "versions": [{"version": ACCESS_REQUESTS.version}],
                "preferredVersion": {"version": ACCESS_REQUESTS.version},
            }
        ]
    },
    GROUP: {"resources": [served(ACCESS_REQUESTS), served(APPROVAL_POLICIES)]},
}


class Api(FakeApi):
    """Serves our two kinds; ``refusing`` answers a watch of requests as no API server should."""

    refusing = False

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.answer = self._serve
        return self

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path in DISCOVERY:
            return web.json_response(DISCOVERY[request.path])
        if self.refusing and "watch" in request.query and request.path.endswith(ACCESS_REQUESTS.plural):
            return web.json_response({"kind": "Status", "code": 400, "message": "no"}, status=400)
        return await self.list_or_watch(request)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with Api(tmp_path) as server:
        yield server


class Listener:
    """Who calls ``watch``: what it was told, and how it stops."""

    def __init__(self, api: Api) -> None:
        self.stop = asyncio.Event()
        self.established = asyncio.Event()
        self.heard: list[tuple[str, bool, asyncio.AbstractEventLoop]] = []
        self.watching = asyncio.create_task(kopf_run.watch(api.connection, self._hear, self.stop, self.established.set))

    def _hear(self, resource: Resource, body: Any, gone: bool) -> None:  # noqa: ANN401, FBT001 - as kopf_run calls it
        if resource is ACCESS_REQUESTS:
            self.heard.append((body["metadata"]["name"], gone, asyncio.get_running_loop()))


@pytest.fixture
async def listener(api: Api) -> AsyncIterator[Listener]:
    made = Listener(api)
    yield made
    made.stop.set()
    await made.watching


async def test_what_happens_is_heard_on_our_own_loop(api: Api, listener: Listener) -> None:
    await api.put("before")
    await until(lambda: len(api.watched_from) == kopf_run.STREAMS)
    await api.put("after")
    await api.delete("before")
    loop = asyncio.get_running_loop()
    # Objects are told of side by side: either may be heard first.
    await until(lambda: {("before", True, loop), ("after", False, loop)} <= set(listener.heard))


async def test_kopf_takes_no_signal_to_itself(listener: Listener) -> None:
    await listener.established.wait()
    loop = asyncio.get_running_loop()
    assert not any(loop.remove_signal_handler(number) for number in (signal.SIGTERM, signal.SIGINT))


async def test_a_lost_watch_ends_kopf_and_no_task_of_ours(api: Api, listener: Listener) -> None:
    await listener.established.wait()
    ours = asyncio.create_task(asyncio.Event().wait())
    api.refusing = True
    api.cut()
    await listener.watching
    assert not listener.stop.is_set()
    assert not ours.done()
    ours.cancel()


async def test_stopping_ends_kopf_and_no_task_of_ours(listener: Listener) -> None:
    await listener.established.wait()
    ours = asyncio.create_task(asyncio.Event().wait())
    listener.stop.set()
    await listener.watching
    assert not ours.done()
    ours.cancel()


async def test_what_a_kopf_that_was_left_behind_still_hears_is_no_news(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake, told = asyncio.Event(), asyncio.Event()
    registry = kopf.OperatorRegistry()
    callbacks: list[handlers.Heard] = []

    def keep(_: object, heard: handlers.Heard) -> kopf.OperatorRegistry:
        callbacks.append(heard)
        return registry

    async def deaf(**_: object) -> None:
        while not awake.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        callbacks[0](ACCESS_REQUESTS, {"metadata": {"name": "late"}}, False)  # noqa: FBT003 - as kopf's handler does
        loop.call_soon_threadsafe(told.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(handlers, "registry", keep)
    monkeypatch.setattr(kopf, "operator", deaf)
    monkeypatch.setattr(kopf_run, "START_SECONDS", 0.1)
    monkeypatch.setattr(kopf_run, "END_SECONDS", 0.1)
    listener = Listener(api)
    await listener.watching
    awake.set()
    await told.wait()
    assert listener.heard == []


@pytest.mark.parametrize("stops", [True, False])
async def test_kopf_that_neither_watches_nor_ends_is_left_behind(
    api: Api, monkeypatch: pytest.MonkeyPatch, *, stops: bool
) -> None:
    awake = asyncio.Event()

    async def deaf(**_: object) -> None:
        while not awake.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    monkeypatch.setattr(kopf, "operator", deaf)
    monkeypatch.setattr(kopf_run, "START_SECONDS", 0.1)
    monkeypatch.setattr(kopf_run, "END_SECONDS", 0.1)
    listener = Listener(api)
    if stops:
        listener.stop.set()
    assert await listener.watching == 0
    awake.set()


async def test_kopf_whose_loop_hangs_is_left_behind(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    awake = threading.Event()

    async def hanging(**_: object) -> None:
        awake.wait(10)

    monkeypatch.setattr(kopf, "operator", hanging)
    monkeypatch.setattr(kopf_run, "HANG_SECONDS", 0.2)
    monkeypatch.setattr(kopf_run, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(kopf_run, "END_SECONDS", 0.1)
    listener = Listener(api)
    async with asyncio.timeout(5):
        assert await listener.watching == 0
    assert not awake.is_set()
    awake.set()
