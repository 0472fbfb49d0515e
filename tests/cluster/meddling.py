"""Somebody else's mutating webhook, called after ours: changes pods as a test says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bed import Bed
from cluster.foreign import ForeignWebhook, Json


@contextmanager
def meddling(bed: Bed, folder: Path, namespace: str, change: Callable[[Json], list[Json]]) -> Iterator[None]:
    """While the block lasts; ``change`` gives the operations of a JSON patch for a pod."""

    def answer(_: str, request: Json) -> list[Json]:
        pod = request["object"]
        annotations = pod["metadata"].get("annotations") or {}
        return [
            {"op": "add", "path": "/metadata/annotations", "value": {**annotations, "meddled": "true"}},
            *change(pod),
        ]

    webhook = ForeignWebhook(bed, folder, "zz-meddling.example.com", answer)
    try:
        webhook.register("Mutating", "/", [namespace], ["CREATE"], ["pods"])
        path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
        probe = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "it", "image": "it"}]}}

        def meddled() -> bool:
            found = bed.request("POST", path, probe)
            return found.status == 201 and "meddled" in (found.json["metadata"].get("annotations") or {})

        bed.wait_until(meddled, what="the API server calls the other webhook")
        yield
    finally:
        webhook.stop()
