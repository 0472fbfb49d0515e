"""A gate on a real cluster: write one, make workloads as people and agents would, and read what becomes of their pods."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bed import Bed
from bed.http import Response
from cluster.errands import RBAC, Errand, Json

AUTHORS = "daypass.dev/authors"
SCHEDULING_GATE = "daypass.dev/approval"
HELD = "daypass.dev/held"
HELD_FOR = "daypass.dev/held-for"
HOST_PATH: Json = {"volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}]}
EVERYTHING = ["Baseline", "Restricted", "ServiceAccountPower", "SecretMount", "TokenMount", "Devices", "VolumeClaims"]
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
GROUPS = {
    "pods": "api/v1",
    "replicationcontrollers": "api/v1",
    "jobs": "apis/batch/v1",
    "cronjobs": "apis/batch/v1",
}
TAKEN_UP_SECONDS = 0.5
"""The API server hears of a changed webhook configuration by a watch, and shows nowhere that it has."""
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Gated(Errand):
    """One namespace in which alice and the agent may do what ``edit`` allows."""

    @classmethod
    def open(cls, bed: Bed, namespace: str) -> "Gated":
        """With the rights to make workloads, for alice, erin, bob and the ServiceAccount ``agent``."""
        subjects = [{"kind": "User", "apiGroup": RBAC, "name": name} for name in ("alice", "erin", "bob")]
        subjects.append({"kind": "ServiceAccount", "name": "agent", "namespace": namespace})
        bed.apply(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "workers", "namespace": namespace},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"},
                "subjects": subjects,
            }
        )
        named = {"name": "more", "namespace": namespace}
        more = [
            {"apiGroups": [""], "resources": ["pods/ephemeralcontainers", "pods/resize"], "verbs": ["patch"]},
            {"apiGroups": ["apps"], "resources": ["deployments/status"], "verbs": ["patch"]},
        ]
        bed.apply({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": named, "rules": more})
        bed.apply(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": named,
                "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "more"},
                "subjects": subjects,
            }
        )
        bed.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "plain", "namespace": namespace}})
        return cls(bed, namespace)

    @property
    def agent(self) -> str:
        """The agent as a user of the bed."""
        return f"{self.namespace}/agent"

    def gate(
        self,
        name: str = "gate",
        *,
        privileges: Sequence[str] = ("HostPathVolumes",),
        agents: Sequence[Json] | None = ({"kind": "ServiceAccount", "name": "agent"},),
        on_missing: str = "Deny",
        request: bool = False,
        mode: str = "Enforce",
        requesters: Sequence[Json] | None = None,
        workloads: Json | None = None,
        **spec: Any,  # noqa: ANN401 - fields of spec
    ) -> str:
        """A policy with a gate for the pods of ServiceAccount agent that mount a host path, unless the rest says otherwise.

        Returns once the API server calls us for it.
        """
        named = {} if agents is None else {"agents": list(agents)}
        pods = {"privileges": list(privileges), "onMissing": on_missing, "request": request, **named}
        grants = {"grants": {"workload": {"privileges": EVERYTHING}}}
        full = self.policy(
            name,
            match={**grants, "requesters": None if requesters is None else list(requesters)},
            gate={"mode": mode, "workloads": {**pods, **(workloads or {})}},
            **spec,
        )
        self.settle(full)
        return full

    def settle(self, *names: str) -> None:
        """Wait until the API server calls us for the gates of these policies."""

        def both() -> bool:
            found = [
                [one["name"] for one in self.bed.request("GET", path).json.get("webhooks") or ()]
                for path in (
                    f"{ADMISSION}/validatingwebhookconfigurations/daypass-gates",
                    f"{ADMISSION}/mutatingwebhookconfigurations/daypass-holds",
                )
            ]
            return all(any(one.startswith(f"{name}.") for one in of) for name in names for of in found)

        self.bed.wait_until(both, 25, what=f"webhooks of {names}")
        time.sleep(TAKEN_UP_SECONDS)

    def create(self, plural: str, body: Json, user: str = "alice", *, dry_run: bool = False) -> Response:
        """POST an object; the answer."""
        return self.bed.request("POST", self.url(plural) + ("?dryRun=All" if dry_run else ""), body, user=user)

    def patch(self, plural: str, name: str, patch: object, user: str = "alice", *, subresource: str = "") -> Response:
        """A strategic merge patch, or a JSON patch where it is a list."""
        kind = "json-patch" if isinstance(patch, list) else "strategic-merge-patch"
        path = self.url(plural, name) + (f"/{subresource}" if subresource else "")
        return self.bed.request("PATCH", path, patch, user=user, headers={"Content-Type": f"application/{kind}+json"})

    def url(self, plural: str, name: str = "") -> str:
        """Of a collection, or of one object."""
        base = f"/{GROUPS.get(plural, 'apis/apps/v1')}/namespaces/{self.namespace}/{plural}"
        return f"{base}/{name}" if name else base

    def read(self, plural: str, name: str) -> Json:
        """An object of this namespace."""
        return dict(self.bed.request("GET", self.url(plural, name)).json)

    def with_a_node(self) -> None:
        """The DaemonSet controller makes pods for nodes only."""
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
        self.bed.request("POST", "/api/v1/nodes", body)
        ready = {"type": "Ready", "status": "True", "reason": "Test", "message": "is ready"}
        room = {"cpu": "4", "memory": "8Gi", "pods": "100"}
        status = {"conditions": [ready], "capacity": room, "allocatable": room}
        self.bed.request("PATCH", "/api/v1/nodes/node-1/status", {"status": status})

    def pods(self, prefix: str = "") -> list[Json]:
        """Those whose names begin so."""
        items = self.bed.request("GET", self.url("pods")).json["items"]
        return [one for one in items if one["metadata"]["name"].startswith(prefix)]

    def made(self) -> list[Json]:
        """The requests that Daypass made here."""
        items = self.bed.request("GET", self.path()).json["items"]
        return [one for one in items if "daypass.dev/cause" in (one["metadata"].get("labels") or {})]

    def messages(self, name: str) -> list[str]:
        """What Events about an object say."""
        items = self.bed.request("GET", f"/api/v1/namespaces/{self.namespace}/events").json["items"]
        return [one["message"] for one in items if one["involvedObject"]["name"] == name]


def a_spec(account: str = "agent", **more: Any) -> Json:  # noqa: ANN401 - fields of a pod
    """A pod's spec with one harmless container."""
    return {
        "serviceAccountName": account,
        "restartPolicy": "Never",
        "containers": [{"name": "it", "image": "registry.example/it:1", "command": ["sleep", "1"]}],
        **more,
    }


def a_pod(name: str = "", spec: Json | None = None, **metadata: Any) -> Json:  # noqa: ANN401 - fields of metadata
    """A pod of the agent that mounts the node's logs."""
    named = name or f"pod-{next(_numbers)}"
    body = {"metadata": {"name": named, **metadata}, "spec": a_spec(**HOST_PATH) if spec is None else spec}
    return {"apiVersion": "v1", "kind": "Pod", **body}


def a_workload(plural: str, name: str, spec: Json | None = None, **metadata: Any) -> Json:  # noqa: ANN401 - fields of metadata
    """One of the built-in kinds that make pods, with one pod."""
    inner = a_spec(**HOST_PATH) if spec is None else spec
    labels = {"app": name}
    always = {key: value for key, value in inner.items() if key != "restartPolicy"}
    template = {"metadata": {"labels": labels}, "spec": always}
    selector = {"selector": {"matchLabels": labels}}
    job = {"template": {"spec": inner}, "backoffLimit": 1}
    kinds: Mapping[str, tuple[str, str, Json]] = {
        "deployments": ("apps/v1", "Deployment", {"replicas": 1, **selector, "template": template}),
        "replicasets": ("apps/v1", "ReplicaSet", {"replicas": 1, **selector, "template": template}),
        "statefulsets": (
            "apps/v1",
            "StatefulSet",
            {"replicas": 1, "serviceName": name, **selector, "template": template},
        ),
        "daemonsets": ("apps/v1", "DaemonSet", {**selector, "template": template}),
        "jobs": ("batch/v1", "Job", job),
        "cronjobs": ("batch/v1", "CronJob", {"schedule": "* * * * *", "jobTemplate": {"spec": job}}),
        "replicationcontrollers": (
            "v1",
            "ReplicationController",
            {"replicas": 1, "selector": labels, "template": template},
        ),
    }
    version, kind, content = kinds[plural]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": content}
