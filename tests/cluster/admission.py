"""Admission alone on a real API server: the webhook runs, and what the controller would write, the tests write as it."""

import json
from dataclasses import dataclass
from typing import Any

from bed import Bed

CONTROLLER = "daypass-system/daypass-controller"
DIGEST = "ab" * 32
EDIT = {"kind": "ClusterRole", "name": "edit"}
LATE = "2036-01-01T00:00:00Z"


@dataclass(frozen=True)
class Said:
    """What a person reads of what they tried."""

    done: bool
    out: str
    error: str

    @property
    def reason(self) -> str:
        """The reason alone, without the words of the API server around it."""
        text = self.error.strip()
        for mark in ("denied the request: ", "denied request: "):
            text = text.rpartition(mark)[2]
        return text


@dataclass(frozen=True)
class Desk:
    """A namespace in which requests are made and reviewed, under a policy of its own."""

    bed: Bed
    namespace: str

    def run(self, *args: str, user: str, text: str | None = None) -> Said:
        done = self.bed.kubectl(*args, "-n", self.namespace, user=user, input=text, check=False)
        return Said(done.returncode == 0, done.stdout, done.stderr)

    def manifest(self, name: str = "fix", *, metadata: dict[str, Any] | None = None, **spec: object) -> dict[str, Any]:
        ordinary = {"role": EDIT, "durationSeconds": 900, "reason": "Restart checkout"}
        return {
            "apiVersion": "daypass.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": name, "namespace": self.namespace, **(metadata or {})},
            "spec": {key: value for key, value in {**ordinary, **spec}.items() if value is not None},
        }

    def ask(
        self, name: str = "fix", user: str = "alice", *args: str, metadata: dict[str, Any] | None = None, **spec: object
    ) -> Said:
        text = json.dumps(self.manifest(name, metadata=metadata, **spec))
        return self.run("apply", "-f", "-", *args, user=user, text=text)

    def policy(self, name: str | None = None, **spec: object) -> dict[str, Any]:
        ordinary = {
            "effect": "Allow",
            "match": {"namespaces": [self.namespace], "grants": {"roles": [EDIT]}},
            "approvals": [{"name": "team", "required": 2, "approvers": {"groups": ["approvers"]}}],
        }
        return {
            "apiVersion": "daypass.dev/v1alpha1",
            "kind": "ApprovalPolicy",
            "metadata": {"name": name or self.namespace},
            "spec": {key: value for key, value in {**ordinary, **spec}.items() if value is not None},
        }

    def write_policy(self, body: dict[str, Any]) -> Said:
        return self.run("apply", "-f", "-", user="admin", text=json.dumps(body))

    def get(self, name: str = "fix") -> dict[str, Any]:
        body = self.bed.get("accessrequest", name, self.namespace)
        assert body is not None
        return body

    def write_status(self, name: str = "fix", **status: object) -> None:
        """As the controller does: a merge patch under its identity."""
        path = f"/apis/daypass.dev/v1alpha1/namespaces/{self.namespace}/accessrequests/{name}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self.bed.request("PATCH", path, {"status": status}, CONTROLLER, headers)
        assert answer.status == 200, answer

    def evaluate(self, name: str = "fix", **status: object) -> None:
        """Write what the controller writes when people have to be asked."""
        policy = self.bed.get("approvalpolicy", self.namespace)
        policies = [] if policy is None else [_reference(policy)]
        stage = {"policy": self.namespace, "name": "team", "required": 2, "approvers": {"groups": ["approvers"]}}
        condition = {
            "type": "Ready",
            "status": "False",
            "reason": "AwaitingApproval",
            "message": "waits for group approvers",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        ordinary = {
            "conditions": [condition],
            "policies": policies,
            "stages": [stage],
            "digest": DIGEST,
            "pendingDeadlineTime": LATE,
        }
        self.write_status(name, **{**ordinary, **status})

    def waiting(self, name: str = "fix", user: str = "alice", **status: object) -> dict[str, Any]:
        """A request that was made and evaluated."""
        said = self.ask(name, user)
        assert said.done, said
        self.evaluate(name, **status)
        return self.get(name)

    def review(
        self, decision: str = "Approve", user: str = "bob", *args: str, name: str = "fix", **more: object
    ) -> Said:
        patch = json.dumps({"status": {"review": {"decision": decision, **more}}})
        return self.patch(patch, user, *args, name=name)

    def patch(self, patch: str, user: str, *args: str, name: str = "fix", kind: str = "merge") -> Said:
        return self.run(
            "patch", "accessrequest", name, "--subresource=status", f"--type={kind}", "-p", patch, *args, user=user
        )

    def reviews(self, name: str = "fix") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(name).get("status", {}).get("reviews", [])
        return found


def _reference(policy: dict[str, Any]) -> dict[str, Any]:
    metadata = policy["metadata"]
    return {"name": metadata["name"], "uid": metadata["uid"], "generation": metadata["generation"]}
