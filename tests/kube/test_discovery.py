"""Kinds that are known only by name, and evictions, on the real API server."""

from collections.abc import Callable

import pytest

from daypass.app.ports import PODS, RefusedError, Resource, UnavailableError
from daypass.kube.client import Client
from daypass.kube.connection import Connection
from daypass.kube.discovery import LASTING_SECONDS, Discovery

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)


@pytest.mark.parametrize(
    ("api_version", "kind", "found"),
    [
        ("apps/v1", "Deployment", DEPLOYMENTS),
        ("v1", "Pod", PODS),
        ("v1", "Node", NODES),
        ("autoscaling/v1", "Scale", None),
        ("apps/v1", "Nothing", None),
        ("nowhere.dev/v1", "Thing", None),
        ("", "Pod", None),
        ("../v1", "Pod", None),
    ],
)
async def test_kind_that_an_owner_reference_names(
    client: Client, api_version: str, kind: str, found: Resource | None
) -> None:
    assert await Discovery(client).of_kind(api_version, kind) == found


@pytest.mark.parametrize(
    ("group", "plural", "found"),
    [
        ("apps", "deployments", DEPLOYMENTS),
        ("", "pods", PODS),
        ("", "nodes", NODES),
        ("nowhere.dev", "things", None),
        ("..", "things", None),
    ],
)
async def test_resource_that_a_request_names(client: Client, group: str, plural: str, found: Resource | None) -> None:
    assert await Discovery(client).of_plural(group, plural) == found


async def test_answers_last_a_while(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    discovery = Discovery(client, lambda: now)
    asked: list[str] = []
    served = client.served

    async def count(group: str, version: str = "") -> object:
        asked.append(f"{group}/{version}")
        return await served(group, version)

    monkeypatch.setattr(client, "served", count)
    for _ in range(3):
        await discovery.of_plural("batch", "jobs")
        await discovery.of_kind("nowhere.dev/v1", "Thing")
    assert asked == ["batch/", "batch/v1", "nowhere.dev/v1"]
    now = LASTING_SECONDS
    await discovery.of_kind("nowhere.dev/v1", "Thing")
    assert len(asked) == 4


def a_pod(name: str) -> dict[str, object]:
    container = {"name": "main", "image": "registry.invalid/none"}
    metadata = {"name": name, "labels": {"app": name}}
    return {"metadata": metadata, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}


async def test_t25_only_the_very_pod_is_evicted(connect: Callable[[str], Connection], namespace: str) -> None:
    """The API server tries ten seconds long to evict a pod whose uid is another."""
    async with Client(connect("admin"), timeout_seconds=60) as client:
        await _evicts_the_very_pod(client, namespace)


async def _evicts_the_very_pod(client: Client, namespace: str) -> None:
    made = await client.create(PODS, a_pod("one"), namespace)
    assert not await client.evict("one", "another-uid", namespace, 30)
    assert await client.get(PODS, "one", namespace) is not None
    assert await client.evict("one", made["metadata"]["uid"], namespace, 30)
    assert not await client.evict("one", made["metadata"]["uid"], namespace, 30)
    with pytest.raises(RefusedError):
        await client.evict("../one", made["metadata"]["uid"], namespace, 30)


async def test_disruption_budget_says_not_yet(client: Client, namespace: str) -> None:
    made = await client.create(PODS, a_pod("kept"), namespace)
    budgets = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}}
    await client.create(budgets, {"metadata": {"name": "kept"}, "spec": spec}, namespace)
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    await client.merge_patch(PODS, "kept", {"status": ready}, namespace, "status")
    with pytest.raises(UnavailableError) as refused:
        await client.evict("kept", made["metadata"]["uid"], namespace, 30)
    assert refused.value.code == 429


async def test_t36_a_pod_on_a_year_s_way_out_is_given_less(client: Client, namespace: str) -> None:
    node = f"node-of-{namespace}"
    await client.create(NODES, {"metadata": {"name": node}})
    containers = [{"name": "main", "image": "registry.invalid/none"}]
    spec = {"containers": containers, "nodeName": node, "terminationGracePeriodSeconds": 31_536_000}
    made = await client.create(PODS, {"metadata": {"name": "slow"}, "spec": spec}, namespace)
    for asked in (31_536_000, 300):
        assert await client.evict("slow", made["metadata"]["uid"], namespace, asked)
        found = await client.get(PODS, "slow", namespace)
        assert found is not None
        assert found["metadata"]["deletionGracePeriodSeconds"] == asked
