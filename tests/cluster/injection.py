"""A webhook of somebody else: injects a sidecar into pods as a service mesh does, and notes what admission sees at last."""

import re
from pathlib import Path

from bed import Bed
from cluster.foreign import ForeignWebhook, Json

WATCHED = ("pods", "configmaps", "persistentvolumeclaims", "services")


class Injection:
    """``seen`` holds each object that was really created or changed, as it then was."""

    def __init__(self, bed: Bed, folder: Path, namespaces: list[str], injected: list[str]) -> None:
        self.bed = bed
        self.seen: list[Json] = []
        self._webhook = ForeignWebhook(bed, folder, "injection.example.com", self._answer)
        self._webhook.register("Mutating", "/inject", injected, ["CREATE"], ["pods"])
        self._webhook.register("Validating", "/see", namespaces, ["CREATE", "UPDATE"], WATCHED)
        self._wait(injected[0])

    def stop(self) -> None:
        """Leave the cluster as it was."""
        self._webhook.stop()

    def last(self, kind: str, name: str) -> Json:
        """The object as it was when it last went through admission."""
        return next(one for one in reversed(self.seen) if (one["kind"], one["metadata"]["name"]) == (kind, name))

    def _answer(self, path: str, request: Json) -> list[Json]:
        if path == "/inject":
            return _sidecar(request["object"])
        if not request.get("dryRun"):
            self.seen.append(request["object"])
        return []

    def _wait(self, namespace: str) -> None:
        probe = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "app", "image": "a"}]}}
        path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"

        def injected() -> bool:
            answer = self.bed.request("POST", path, probe)
            assert answer.status in {201, 403}, answer.message  # 403: the namespace's ServiceAccount is not there yet
            return answer.status == 201 and len(answer.json["spec"]["containers"]) > 1

        self.bed.wait_until(injected, what="the API server calls the injecting webhook")


def _sidecar(pod: Json) -> list[Json]:
    """As Istio does: what it injects depends on labels, and names the workload, which it makes out from the owner."""
    spec, metadata = pod["spec"], pod["metadata"]
    proxy = {
        "name": "proxy",
        "image": "registry.example/proxy:1",
        "args": ["--workload", _workload(metadata), "--app", metadata.get("labels", {}).get("app", "none")],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": [{"name": "certificates", "mountPath": "/certificates"}],
    }
    volume = {"name": "certificates", "emptyDir": {"medium": "Memory"}}
    start = {"name": "proxy-start", "image": "registry.example/proxy:1", "securityContext": {"runAsUser": 0}}
    return [
        {"op": "add", "path": "/spec/containers/0", "value": proxy},
        {"op": "add", "path": "/spec/volumes", "value": [*spec.get("volumes", []), volume]},
        {"op": "add", "path": "/spec/initContainers", "value": [start, *spec.get("initContainers", [])]},
        {"op": "add", "path": "/metadata/annotations", "value": {**metadata.get("annotations", {}), "injected": "yes"}},
    ]


def _workload(metadata: Json) -> str:
    owner = next((one for one in metadata.get("ownerReferences", ()) if one.get("controller")), None)
    if owner is None:
        return "none"
    template = metadata["labels"].get("pod-template-hash", "")
    if owner["kind"] == "ReplicaSet" and template and owner["name"].endswith(f"-{template}"):
        return f"Deployment/{owner['name'].removesuffix(f'-{template}')}"
    if owner["kind"] == "Job" and (run := re.fullmatch(r"(.+)-\d{8}", owner["name"])):
        return f"CronJob/{run[1]}"
    return f"{owner['kind']}/{owner['name']}"
