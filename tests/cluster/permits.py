"""Permits on a real cluster: held pods made by hand, requests for them, uses as the webhook reserves them."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cluster.chains import WEBHOOK
from cluster.errands import MERGE, Errand, Json
from daypass.app.digests import pod_template_digest
from daypass.domain import names
from daypass.domain.hold_marks import hold_mark
from daypass.domain.request import WorkloadGrant
from daypass.signing.canonical import canonical_json

PRIVILEGE = "HostPathVolumes:/var/log"
ALLOWED = ["Baseline", "Restricted", "ServiceAccountPower"]
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@dataclass(frozen=True)
class Permits(Errand):
    """One namespace of one bed, and what may be asked of admission in it."""

    def allow(self, name: str = "permits", **spec: Any) -> str:  # noqa: ANN401 - fields of spec
        """A policy that lets privileged workloads and a few operations be asked for."""
        actions = [
            {"verbs": ["create", "update", "delete"], "groups": [""], "resources": ["persistentvolumeclaims"]},
            {"verbs": ["delete"], "groups": [""], "resources": ["secrets"]},
        ]
        grants = {"workload": {"privileges": ALLOWED}, "actions": actions}
        return self.policy(name, match={"grants": grants, **spec.pop("match", {})}, **spec)

    def pod(self, name: str, *, image: str = "registry.invalid/one", held: bool = True, author: str = "alice") -> Json:
        """A pod that mounts /var/log of its node: held, as our webhook would hold it."""
        metadata: Json = {"name": name, "namespace": self.namespace}
        spec = _spec(image)
        if held:
            metadata |= _hold(author)
            spec["schedulingGates"] = [{"name": names.SCHEDULING_GATE}]
        return self.made("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def may_edit(self, *people: str) -> None:
        """Let people make workloads here."""
        users = [f"--user={person}" for person in people]
        self.bed.kubectl("create", "rolebinding", "edit", "-n", self.namespace, "--clusterrole=edit", *users)

    def replicas(self, name: str, count: int = 1, author: str = "alice") -> tuple[Json, list[Json]]:
        """A ReplicaSet, stamped with its author, who may edit here, and its pods, which its template holds."""
        metadata = {"name": name, "namespace": self.namespace, "annotations": {names.ANNOTATION_AUTHORS: author}}
        body = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": metadata,
            "spec": {
                "replicas": count,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": _hold("alice", app=name),
                    "spec": {**_spec("registry.invalid/one"), "schedulingGates": [{"name": names.SCHEDULING_GATE}]},
                },
            },
        }
        path = f"/apis/apps/v1/namespaces/{self.namespace}/replicasets"
        answer = self.bed.request("POST", path, body, user=author)
        assert answer.status == 201, answer.message
        selected = f"{self.core('pods')}?labelSelector=app%3D{name}"

        def there() -> list[Json]:
            items = self.bed.request("GET", selected).json["items"]
            return items if len(items) == count else []

        return dict(answer.json), self.bed.wait_until(there, 240, what=f"{count} pods")

    def workload(
        self,
        name: str,
        pod: Json,
        *,
        seconds: int = 60,
        pods: int = 1,
        owner: Json | None = None,
        **spec: Any,  # noqa: ANN401 - fields of spec
    ) -> str:
        """Ask to run pods like this one; as Daypass itself where the name says so."""
        workload: Json = {
            "serviceAccountName": "agent",
            "privileges": [PRIVILEGE],
            "podTemplateDigest": pod_template_digest(pod, canonical_json),
            "maxPods": pods,
        }
        more: Json = {}
        user = "alice"
        metadata: Json = {"name": name, "namespace": self.namespace}
        if name.startswith(names.MADE_PREFIX):
            user, metadata["labels"] = WEBHOOK, {names.LABEL_CAUSE: uuid.uuid4().hex + "0" * 8}
            more = {
                "requester": {"username": "alice", "groups": ["developers"]},
                "subject": {"kind": "User", "name": "alice"},
            }
            workload |= {"authors": ["alice"]} | ({"owner": reference(owner)} if owner is not None else {})
        return self._ask(metadata, user, {"workload": workload, "durationSeconds": seconds, **more, **spec})

    def action(
        self, name: str, target: str, *, verb: str = "delete", resource: str = "persistentvolumeclaims", uses: int = 1
    ) -> str:
        """Ask to do one operation."""
        action = {"verb": verb, "group": "", "resource": resource, "name": target, "maxUses": uses}
        metadata = {"name": name, "namespace": self.namespace}
        return self._ask(metadata, "alice", {"action": action, "durationSeconds": 120})

    def reserve(self, name: str, uid: str, target: str, kind: str, key: str = "") -> None:
        """Reserve a use as the webhook does."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        use = {"key": key or uid, "kind": kind, "name": target, "uid": uid, "time": now, "confirmed": False}
        uses = [*self.uses(name), use]
        patch = {"status": {"uses": uses}}
        answer = self.bed.request("PATCH", f"{self.path(name)}/status", patch, user=WEBHOOK, headers=MERGE)
        assert answer.status == 200, answer.message

    def uses(self, name: str) -> list[Json]:
        return [dict(one) for one in self.status(name).get("uses") or []]

    def claim(self, name: str) -> Json:
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": CLAIM}
        return self.made("persistentvolumeclaims", body)

    def found(self, name: str, plural: str = "pods") -> Json | None:
        answer = self.bed.request("GET", f"{self.core(plural)}/{name}")
        return dict(answer.json) if answer.status == 200 else None

    def held(self, name: str) -> bool:
        """Whether our gate or our label is on the pod."""
        pod = self.found(name)
        assert pod is not None, f"pod {name} is gone"
        return bool(pod["spec"].get("schedulingGates")) or names.LABEL_HELD in pod["metadata"].get("labels", {})

    def free(self, name: str, timeout: float = 25) -> None:
        self.bed.wait_until(lambda: not self.held(name), timeout, what=f"pod {name} is let go")

    def notes(self, name: str) -> dict[str, str]:
        """Events about an object: the last note of each reason."""
        return {event["reason"]: event["note"] for event in self._events(name)}

    def noted(self, name: str, reason: str, timeout: float = 25) -> str:
        """Wait for an Event; its note."""
        self.bed.wait_until(
            lambda: reason in self.notes(name), timeout, what=f"{reason} on {name}, not {self.notes(name)}"
        )
        return self.notes(name)[reason]

    def made(self, plural: str, body: Json) -> Json:
        answer = self.bed.request("POST", self.core(plural), body)
        assert answer.status == 201, answer.message
        return dict(answer.json)

    def removed(self, plural: str, name: str) -> None:
        answer = self.bed.request("DELETE", f"{self.core(plural)}/{name}?gracePeriodSeconds=0")
        assert answer.status in (200, 202), answer.message

    def core(self, plural: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{plural}"

    def _ask(self, metadata: Json, user: str, spec: Json) -> str:
        body = {
            "apiVersion": "daypass.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": metadata,
            "spec": {"reason": "To see it work", **spec},
        }
        answer = self.bed.request("POST", self.path(), body, user=user)
        assert answer.status == 201, answer.message
        return str(answer.json["metadata"]["uid"])


def _hold(author: str, **labels: str) -> Json:
    """The metadata of a pod that was held for a request of ``workload``."""
    mark = hold_mark(WorkloadGrant("agent", (PRIVILEGE,), authors=(author,)))
    return {"labels": {names.LABEL_HELD: "true", **labels}, "annotations": {names.ANNOTATION_HELD_FOR: mark}}


def _spec(image: str) -> Json:
    return {
        "serviceAccountName": "agent",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": image}],
        "volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}],
    }


def reference(owner: Json) -> Json:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
