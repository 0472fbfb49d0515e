"""Two replicas of the webhook, asked as the API server asks them, by a test that knows the secret path."""

import asyncio
import base64
import json
import ssl
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from bed import Bed, ports
from bed.daypass import webhook_process
from bed.install import NAMESPACE
from bed.processes import Process
from cluster.errands import Json

OPEN_AT_ONCE = 100


@dataclass(frozen=True)
class Replicas:
    """The webhook of the bed and a second one beside it."""

    bed: Bed
    second: Process
    urls: tuple[str, str]
    bundle: str
    """Of the authority of their certificates, as webhook configurations have it."""

    @classmethod
    @contextmanager
    def beside(cls, bed: Bed) -> Iterator["Replicas"]:
        """Start the second one; it ends with the block."""
        port, health = ports.reserve(2)
        second = webhook_process(bed.endpoint, f"127.0.0.1:{port}", f"127.0.0.1:{health}", name="webhook-2")
        second.start()
        try:
            second.wait_ready()
            found = bed.get("configmap", "daypass-gates-endpoint", NAMESPACE)
            assert found is not None
            endpoint = json.loads(found["data"]["gates"])
            path = endpoint["url"].removeprefix(bed.webhook_url)
            yield cls(bed, second, (endpoint["url"], f"https://127.0.0.1:{port}{path}"), endpoint["caBundle"])
        finally:
            second.kill()

    async def ask(self, *reviews: Json) -> list[Json]:
        """Post the reviews to one and the other in turn, all at once; the responses."""
        context = ssl.create_default_context(cadata=base64.b64decode(self.bundle).decode())
        connector = aiohttp.TCPConnector(ssl=context, limit=OPEN_AT_ONCE)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def post(number: int, review: Json) -> Json:
                async with session.post(self.urls[number % 2], json=review) as answer:
                    assert answer.status == 200, await answer.text()
                    return dict((await answer.json())["response"])

            return list(await asyncio.gather(*(post(number, review) for number, review in enumerate(reviews))))


def a_creation(namespace: str, pod: Json, user: str = "alice", *, dry_run: bool = False) -> Json:
    """What the API server asks about a pod that is being made; its uid is new each time."""
    metadata = {**pod["metadata"], "namespace": namespace, "uid": str(uuid.uuid4())}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": metadata["name"],
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": user, "groups": ["developers", "system:authenticated"]},
            "object": {**pod, "metadata": metadata},
            "dryRun": dry_run,
        },
    }


def once_more(review: Json, **changes: Any) -> Json:  # noqa: ANN401 - JSON
    """The same call again: the API server asks under another uid."""
    request: Mapping[str, Any] = review["request"]
    return {**review, "request": {**request, "uid": str(uuid.uuid4()), **changes}}
