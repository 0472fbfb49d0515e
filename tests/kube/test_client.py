"""The client against the real API server: preconditions, names that are taken, and the server's own words."""

import contextlib
import time
from collections.abc import Callable

import pytest

from bed import Bed
from daypass.app.ports import (
    CLUSTER_ROLES,
    CONFIG_MAPS,
    NAMESPACES,
    AlreadyExistsError,
    ApiError,
    ConflictError,
    RefusedError,
    Resource,
    UnavailableError,
)
from daypass.kube.client import Client
from daypass.kube.connection import Connection, from_kubeconfig

CLIENT = "daypass-test"
WHOAMI = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": {"test": name[:1]}}, "data": data}


async def test_missing_object_kind_and_namespace_are_none(client: Client) -> None:
    assert await client.get(CONFIG_MAPS, "missing", "default") is None
    assert await client.get(CONFIG_MAPS, "missing", "nowhere") is None
    assert await client.get(Resource("nowhere.dev", "v1", "things", "Thing"), "a", "default") is None
    assert await client.get(CLUSTER_ROLES, "system:discovery") is not None


async def test_t24_name_that_is_taken_is_told_from_a_conflict(client: Client, namespace: str) -> None:
    made = await client.create(CONFIG_MAPS, config_map("a"), namespace)
    assert made["metadata"]["uid"]
    with pytest.raises(AlreadyExistsError, match=r'^configmaps "a" already exists$'):
        await client.create(CONFIG_MAPS, config_map("a"), namespace)


async def test_t34_stale_write_is_a_conflict(client: Client, namespace: str) -> None:
    old = await client.create(CONFIG_MAPS, config_map("a", x="1"), namespace)
    version = old["metadata"]["resourceVersion"]
    changed = await client.merge_patch(CONFIG_MAPS, "a", {"data": {"x": "2"}}, namespace)
    assert changed["data"] == {"x": "2"}
    with pytest.raises(ConflictError, match="the object has been modified"):
        await client.replace(CONFIG_MAPS, "a", old, namespace)
    with pytest.raises(ConflictError, match="the object has been modified"):
        await client.merge_patch(
            CONFIG_MAPS, "a", {"metadata": {"resourceVersion": version}, "data": {"x": "3"}}, namespace
        )
    current = await client.replace(CONFIG_MAPS, "a", {**changed, "data": {"x": "4"}}, namespace)
    assert current["data"] == {"x": "4"}


async def test_t24_delete_takes_only_the_object_that_was_meant(client: Client, namespace: str) -> None:
    made = await client.create(CONFIG_MAPS, config_map("a"), namespace)
    assert not await client.delete(CONFIG_MAPS, "a", "00000000-0000-0000-0000-000000000000", namespace)
    assert await client.get(CONFIG_MAPS, "a", namespace) is not None
    assert await client.delete(CONFIG_MAPS, "a", made["metadata"]["uid"], namespace)
    assert not await client.delete(CONFIG_MAPS, "a", made["metadata"]["uid"], namespace)


async def test_refusals_carry_the_servers_own_message(
    client: Client, connect: Callable[[str], Connection], namespace: str
) -> None:
    with pytest.raises(RefusedError, match='unknown field "dota"'):
        await client.create(CONFIG_MAPS, {"metadata": {"name": "b"}, "dota": {}}, namespace)
    with pytest.raises(RefusedError, match="Invalid value") as caught:
        await client.create(CONFIG_MAPS, {"metadata": {"name": "Not A Name"}}, namespace)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    with pytest.raises(ApiError, match='namespaces "nowhere" not found') as missing:
        await client.create(CONFIG_MAPS, config_map("b"), "nowhere")
    assert missing.value.code == 404
    async with Client(connect("alice")) as alice:
        with pytest.raises(RefusedError, match='User "alice" cannot delete resource "configmaps"') as forbidden:
            await alice.delete(CONFIG_MAPS, "b", "uid", namespace)
    assert forbidden.value.code == 403


async def test_wrong_credentials_are_worth_another_try(client: Client) -> None:
    known = client.connection
    async with Client(Connection(known.server, known.ca_file, static_token="wrong")) as stranger:
        with pytest.raises(UnavailableError, match="Unauthorized"):
            await stranger.get(NAMESPACES, "default")


async def test_list_goes_through_pages_of_one_state(client: Client, namespace: str) -> None:
    for number in range(7):
        await client.create(CONFIG_MAPS, config_map(f"p{number}"), namespace)
    await client.create(CONFIG_MAPS, config_map("q"), namespace)
    found, version = await client.list(CONFIG_MAPS, namespace, label_selector="test=p", limit=3)
    assert [one["metadata"]["name"] for one in found] == [f"p{number}" for number in range(7)]
    assert found[0]["kind"] == "ConfigMap"
    assert int(version) > 0
    named, _ = await client.list(CONFIG_MAPS, namespace, field_selector="metadata.name=q")
    assert len(named) == 1


async def test_watch_ends_when_it_was_told_to(client: Client, namespace: str) -> None:
    _, version = await client.list(CONFIG_MAPS, namespace)
    await client.create(CONFIG_MAPS, config_map("w"), namespace)
    seen = [
        (kind, body["metadata"].get("name"))
        async for kind, body in client.watch(CONFIG_MAPS, version, namespace, duration_seconds=1)
    ]
    assert seen[0] == ("ADDED", "w")
    assert {kind for kind, _ in seen[1:]} <= {"BOOKMARK"}


async def test_watch_brings_objects_of_any_size(client: Client, namespace: str) -> None:
    _, version = await client.list(CONFIG_MAPS, namespace)
    await client.create(CONFIG_MAPS, config_map("large", text="x" * 900_000), namespace)
    async with contextlib.aclosing(client.watch(CONFIG_MAPS, version, namespace)) as events:
        _, body = await anext(events)
    assert len(body["data"]["text"]) == 900_000


async def test_writes_are_counted_by_verb_and_resource(connect: Callable[[str], Connection], namespace: str) -> None:
    written: list[tuple[str, str]] = []
    async with Client(connect("admin"), wrote=lambda verb, resource: written.append((verb, resource))) as client:
        made = await client.create(CONFIG_MAPS, config_map("a"), namespace)
        await client.merge_patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace)
        await client.get(CONFIG_MAPS, "a", namespace)
        await client.delete(CONFIG_MAPS, "a", made["metadata"]["uid"], namespace)
    assert written == [("create", "configmaps"), ("patch", "configmaps"), ("delete", "configmaps")]


async def test_user_agent_names_us_in_the_audit_log(
    connect: Callable[[str], Connection], control_plane: Bed, namespace: str
) -> None:
    async with Client(connect("admin"), user_agent=CLIENT) as client:
        await client.create(CONFIG_MAPS, config_map("a"), namespace)
    found = [one for one in control_plane.audit_events(CLIENT) if one.get("userAgent", "").startswith(f"{CLIENT}/")]
    assert found


async def test_t32_clock_learns_from_every_answer(client: Client) -> None:
    assert client.clock._bounds(0) == (float("-inf"), float("inf"))
    for _ in range(20):
        await client.get(NAMESPACES, "default")
    low, high = client.clock._bounds(time.monotonic())
    assert high - low < 1.1
    assert abs(client.clock.skew_seconds()) < 1.1


async def test_restarted_api_server_is_no_answer_then_an_answer(client: Client, control_plane: Bed) -> None:
    await client.get(NAMESPACES, "default")
    control_plane.control_plane.api_server.kill()
    try:
        with pytest.raises(UnavailableError, match="no answer to GET"):
            await client.get(NAMESPACES, "default")
    finally:
        control_plane.control_plane.api_server.start()
        control_plane.control_plane.api_server.wait_ready()
    assert await client.get(NAMESPACES, "default") is not None


async def test_kubeconfig_by_token_and_by_certificate(control_plane: Bed, namespace: str) -> None:
    for user, name in (("admin", "admin"), (f"{namespace}/agent", f"system:serviceaccount:{namespace}:agent")):
        async with Client(await from_kubeconfig(control_plane.kubeconfig(user))) as client:
            whoami = await client.create(WHOAMI, {"apiVersion": WHOAMI.api_version, "kind": WHOAMI.kind})
            assert whoami["status"]["userInfo"]["username"] == name
