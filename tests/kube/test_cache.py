"""The cache against the real API server."""

import asyncio

from bed import Bed
from daypass.app.ports import CONFIG_MAPS, Json
from daypass.kube.cache import Cache
from daypass.kube.client import Client
from kube.fake import until


def _data(body: Json) -> dict[str, str] | None:
    return dict(body["data"]) if "data" in body else None


def _config_map(name: str, **data: str) -> Json:
    return {"metadata": {"name": name, "labels": {"of": "cache"}}, "data": data}


async def test_cache_follows_what_is_created_changed_and_deleted(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, _config_map("before", x="1"), namespace)
    changes: list[tuple[str, object, object]] = []
    cache = Cache(
        client,
        CONFIG_MAPS,
        keep=_data,
        changed=lambda key, old, new: changes.append((key.partition("/")[2], old, new)),
        namespace=namespace,
        label_selector="of=cache",
    )
    task = asyncio.create_task(cache.run())
    await asyncio.wait_for(cache.synced.wait(), 60)
    assert cache.get(namespace, "before") == {"x": "1"}
    assert cache.silent_seconds() < 10
    made = await client.create(CONFIG_MAPS, _config_map("a", x="1"), namespace)
    await client.create(CONFIG_MAPS, {"metadata": {"name": "unlabelled"}, "data": {"x": "1"}}, namespace)
    await client.merge_patch(CONFIG_MAPS, "a", {"data": {"x": "2"}}, namespace)
    # Not what `keep` keeps: the object changed, what we know of it did not.
    await client.merge_patch(CONFIG_MAPS, "a", {"metadata": {"annotations": {"n": "1"}}}, namespace)
    await client.merge_patch(CONFIG_MAPS, "before", {"data": None}, namespace)
    await client.delete(CONFIG_MAPS, "a", made["metadata"]["uid"], namespace)
    await until(lambda: len(changes) >= 5)
    assert changes == [
        ("before", None, {"x": "1"}),
        ("a", None, {"x": "1"}),
        ("a", {"x": "1"}, {"x": "2"}),
        ("before", {"x": "1"}, None),
        ("a", {"x": "2"}, None),
    ]
    assert len(cache) == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_cache_survives_a_restart_of_the_api_server(client: Client, control_plane: Bed, namespace: str) -> None:
    await client.create(CONFIG_MAPS, _config_map("stays", x="1"), namespace)
    goes = await client.create(CONFIG_MAPS, _config_map("goes", x="1"), namespace)
    cache = Cache(client, CONFIG_MAPS, keep=_data, namespace=namespace, label_selector="of=cache")
    task = asyncio.create_task(cache.run())
    await asyncio.wait_for(cache.synced.wait(), 60)
    await asyncio.to_thread(control_plane.control_plane.restart_api_server)
    await client.delete(CONFIG_MAPS, "goes", goes["metadata"]["uid"], namespace)
    await client.create(CONFIG_MAPS, _config_map("comes", x="1"), namespace)
    await until(lambda: cache.get(namespace, "comes") is not None and cache.get(namespace, "goes") is None)
    assert cache.get(namespace, "stays") == {"x": "1"}
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
