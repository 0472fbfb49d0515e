"""Events as people see them, and what happens to those that can't be sent."""

import asyncio
from typing import Any

from daypass.app.ports import CONFIG_MAPS, EVENTS, NAMESPACES, Json, Resource, UnavailableError
from daypass.kube.client import Client
from daypass.kube.clock import ServerClock
from daypass.kube.events import PAUSE_SECONDS, QUEUE, Recorder

ABOUT: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default", "uid": "u"}}


async def test_event_is_about_the_object_and_not_repeated(client: Client, namespace: str) -> None:
    about = await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, namespace)
    recorder = Recorder(client, client.clock)
    task = asyncio.create_task(recorder.run())
    for _ in range(3):
        recorder.publish(about, "AccessGranted", "ü" * 3000, warning=True)
    recorder.publish((await client.get(NAMESPACES, namespace)) or {}, "AccessGranted", "cluster-scoped")
    await recorder.drain(10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found, _ = await client.list(EVENTS, namespace)
    (event,) = [one for one in found if one["reason"] == "AccessGranted"]
    assert event["regarding"]["uid"] == about["metadata"]["uid"]
    assert (event["type"], event["action"]) == ("Warning", "AccessGranted")
    assert event["reportingController"] == "daypass.dev/controller"
    assert event["note"] == "ü" * 510 + "…"
    elsewhere, _ = await client.list(EVENTS, "default")
    assert [one for one in elsewhere if one.get("note") == "cluster-scoped"]


class FakeOutage:
    """A fake API that never answers in time."""

    async def create(self, _resource: Resource, _body: Json, _namespace: str = "") -> Json:
        raise UnavailableError("no answer")


async def test_fake_outage_costs_events_and_nothing_else() -> None:
    lost = 0

    def count() -> None:
        nonlocal lost
        lost += 1

    outage: Any = FakeOutage()
    recorder = Recorder(outage, ServerClock(), dropped=count)
    taken = [recorder.publish(ABOUT, "AccessGranted", str(number)) for number in range(QUEUE + 10)]
    assert taken == [True] * QUEUE + [False] * 10
    assert lost == 10
    await recorder.drain(0.01)
    task = asyncio.create_task(recorder.run())
    await recorder.drain(10)
    assert lost == QUEUE + 10
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class FakeLog:
    """A fake API that keeps the reasons of what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def create(self, _resource: Resource, body: Json, _namespace: str = "") -> Json:
        self.told.append(body["reason"])
        return body


async def test_event_gives_way_to_what_it_tells_of_but_not_at_the_end() -> None:
    api: Any = FakeLog()
    recorder = Recorder(api, ServerClock())
    task = asyncio.create_task(recorder.run())
    recorder.publish(ABOUT, "AccessGranted", "first")
    await asyncio.sleep(PAUSE_SECONDS / 2)
    assert not api.told
    await asyncio.sleep(PAUSE_SECONDS)
    assert api.told == ["AccessGranted"]
    for number in range(100):
        recorder.publish(ABOUT, "AccessEnded", str(number))
    await recorder.drain(10)
    assert len(api.told) == 101
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
