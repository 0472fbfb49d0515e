"""What a cache makes of a watch that breaks: a fake server breaks it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from daypass.app.ports import CONFIG_MAPS, Json
from daypass.kube.cache import Cache
from daypass.kube.client import Client
from kube.fake import FakeApi, until


class Heard:
    """A cache at work, with the changes that it reported."""

    def __init__(self, client: Client, silence_seconds: float) -> None:
        self.changes: list[tuple[str, str | None, str | None]] = []
        self.cache: Cache[str] = Cache(
            client,
            CONFIG_MAPS,
            keep=_value,
            changed=lambda key, old, new: self.changes.append((key, old, new)),
            namespace="default",
            silence_seconds=silence_seconds,
        )


def _value(body: Json) -> str:
    return str(body["data"]["value"])


@pytest.fixture
async def heard(request: pytest.FixtureRequest, fake_client: Client, fake: FakeApi) -> AsyncIterator[Heard]:
    """Its parameter is after how many seconds silence is a fault."""
    await fake.put("a", value="1")
    await fake.put("b", value="1")
    made = Heard(fake_client, silence_seconds=getattr(request, "param", 60.0))
    task = asyncio.create_task(made.cache.run())
    await asyncio.wait_for(made.cache.synced.wait(), 60)
    await until(lambda: fake.watched_from)
    made.changes.clear()
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_fake_cut_watch_goes_on_from_where_it_was(heard: Heard, fake: FakeApi) -> None:
    await fake.put("a", value="2")
    await until(lambda: heard.changes)
    fake.cut()
    await until(lambda: len(fake.watched_from) > 1)
    assert fake.watched_from[1] == "103"
    await until(lambda: fake._streams)
    await fake.put("a", value="3")
    await until(lambda: len(heard.changes) > 1)
    assert heard.changes == [("default/a", "1", "2"), ("default/a", "2", "3")]
    assert fake.lists == 1


async def test_fake_410_lists_again_and_reports_only_what_changed_meanwhile(heard: Heard, fake: FakeApi) -> None:
    fake.expired = fake.mute = True
    await fake.delete("a")
    await fake.put("c", value="1")
    fake.mute = False
    fake.cut()
    await until(lambda: fake.lists > 1 and heard.cache.get("default", "c"))
    assert sorted(heard.changes, key=str) == [("default/a", "1", None), ("default/c", None, "1")]
    assert heard.cache.get("default", "b") == "1"
    assert len(heard.cache) == 2


async def test_fake_410_inside_the_stream_lists_again(heard: Heard, fake: FakeApi) -> None:
    await until(lambda: fake._streams)
    await fake.send({"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}})
    await until(lambda: fake.lists > 1)
    assert heard.changes == []


@pytest.mark.parametrize("heard", [0.4], indirect=True)
async def test_fake_silent_stream_is_watched_anew_without_a_list(heard: Heard, fake: FakeApi) -> None:
    fake.mute = True
    await fake.put("a", value="2")
    fake.mute = False
    await until(lambda: len(fake.watched_from) > 1)
    assert fake.watched_from[1] == "102"
    assert fake.lists == 1
    assert heard.changes == []


async def test_fake_bookmark_moves_the_version_from_which_a_watch_goes_on(heard: Heard, fake: FakeApi) -> None:
    await until(lambda: fake._streams)
    fake.version = 500
    await fake.bookmark()
    fake.cut()
    await until(lambda: len(fake.watched_from) > 1)
    assert fake.watched_from[1] in {"102", "500"}
    await until(lambda: fake._streams)
    await fake.bookmark()
    await until(lambda: heard.cache._version == "500")


async def test_fake_server_that_hangs_up_at_once_is_not_hammered(heard: Heard, fake: FakeApi) -> None:
    fake.hang_up = True
    fake.cut()
    before = len(fake.watched_from)
    await asyncio.sleep(1.5)
    assert len(fake.watched_from) - before <= 6
    assert heard.cache.get("default", "a") == "1"


async def test_fake_object_that_cannot_be_read_is_a_fault_until_it_can_be(heard: Heard, fake: FakeApi) -> None:
    await until(lambda: fake._streams)
    await fake.put("a", other="x")
    await until(lambda: heard.cache.faults)
    assert heard.cache.faults == {"default/a": "'value'"}
    assert heard.changes == [("default/a", "1", None)]
    await fake.put("a", value="1")
    await until(lambda: not heard.cache.faults)
    assert heard.cache.get("default", "a") == "1"


async def test_fake_change_that_is_not_handled_does_not_stop_the_watch(fake_client: Client, fake: FakeApi) -> None:
    def refuse(_key: str, _old: str | None, _new: str | None) -> None:
        raise ValueError

    await fake.put("a", value="1")
    cache = Cache(fake_client, CONFIG_MAPS, keep=_value, changed=refuse, namespace="default")
    task = asyncio.create_task(cache.run())
    await until(lambda: fake._streams)
    await fake.put("a", value="2")
    await until(lambda: cache.get("default", "a") == "2")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
