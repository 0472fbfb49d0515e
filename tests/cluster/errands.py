"""An errand on a real cluster: write a policy, ask, answer, look."""

import time
from dataclasses import dataclass
from typing import Any

from bed import Bed
from bed.http import Response

Json = dict[str, Any]

VIEW = {"kind": "ClusterRole", "name": "view"}
TEAM = {"name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}
FINAL = {"Denied", "TimedOut", "Failed", "Expired", "Revoked", "Released"}
MERGE = {"Content-Type": "application/merge-patch+json"}
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Errand:
    """One namespace of one bed."""

    bed: Bed
    namespace: str

    def policy(
        self, name: str = "shop", *, roles: list[Json] | None = None, match: Json | None = None, **spec: object
    ) -> str:
        """An Allow policy of this namespace alone, with one approver, unless the rest says otherwise (None: nothing)."""
        own = {
            "namespaces": [self.namespace],
            "requesters": [
                {"kind": "Group", "name": "developers"},
                {"kind": "ServiceAccount", "namespace": self.namespace, "name": "*"},
            ],
            **({"grants": {"roles": roles or [VIEW]}} if spec.get("effect") != "Deny" else {}),
        }
        answers = {} if "autoApprove" in spec or spec.get("effect") == "Deny" else {"approvals": [TEAM]}
        full = f"{name}-{self.namespace}"
        body = {
            "apiVersion": "daypass.dev/v1alpha1",
            "kind": "ApprovalPolicy",
            "metadata": {"name": full},
            "spec": {
                "effect": "Allow",
                "match": {key: value for key, value in (own | (match or {})).items() if value is not None},
                **answers,
                **spec,
            },
        }
        self.bed.apply(body)
        return full

    def ask(self, name: str, user: str = "alice", seconds: int = 60, role: Json | None = None, **spec: Any) -> str:  # noqa: ANN401 - fields of spec
        """Make a request; its uid."""
        what = {} if {"rules", "workload"}.intersection(spec) else {"role": role or VIEW}
        body = {
            "apiVersion": "daypass.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {**what, "durationSeconds": seconds, "reason": "To see it work", **spec},
        }
        answer = self.bed.request("POST", self.path(), body, user=user)
        assert answer.status == 201, answer.message
        return str(answer.json["metadata"]["uid"])

    def review(self, name: str, decision: str = "Approve", user: str = "bob", comment: str = "") -> Response:
        """Answer it, as kubectl patch would."""
        patch = {"status": {"review": {"decision": decision, "comment": comment}}}
        return self.bed.request("PATCH", f"{self.path(name)}/status", patch, user=user, headers=MERGE)

    def approve(self, name: str, *people: str) -> None:
        """Each of them approves (bob if nobody is named)."""
        for person in people or ("bob",):
            answer = self.review(name, user=person)
            for _ in range(20):
                if "has changed since the request was evaluated" not in answer.message:
                    break
                time.sleep(0.1)  # the webhook has not heard of the policy yet, and says: retry
                answer = self.review(name, user=person)
            assert answer.status == 200, answer.message

    def grant(self, name: str, user: str = "alice", seconds: int = 60, **spec: Any) -> str:  # noqa: ANN401 - fields of spec
        """Ask, be approved, and wait until the access is there; the uid."""
        uid = self.ask(name, user, seconds, **spec)
        self.until(name, "AwaitingApproval")
        self.approve(name)
        self.until(name, "Active")
        return uid

    def get(self, name: str) -> Json:
        """The request as it is."""
        return dict(self.bed.request("GET", self.path(name)).json)

    def status(self, name: str) -> Json:
        """Its status."""
        return dict(self.get(name).get("status") or {})

    def state(self, name: str) -> str:
        """The reason of Ready."""
        return str(self.condition(name, "Ready").get("reason", ""))

    def condition(self, name: str, kind: str) -> Json:
        """One condition."""
        found = self.status(name).get("conditions") or []
        return next((dict(one) for one in found if one["type"] == kind), {})

    def until(self, name: str, *states: str, timeout: float = 60) -> Json:
        """Wait for a state; the status then. Another final state fails at once."""

        def there() -> bool:
            state = self.state(name)
            assert state in states or state not in FINAL, self.condition(name, "Ready")
            return state in states

        self.bed.wait_until(there, timeout, what=f"{name} is {states}, and not {self.state(name)}")
        return self.status(name)

    def binding(self, uid: str) -> Json | None:
        """The RoleBinding of a grant."""
        return self.object("rolebindings", uid)

    def job(self, uid: str) -> Json | None:
        """The dead-man Job of a grant."""
        return self.object("jobs", uid)

    def object(self, plural: str, uid: str) -> Json | None:
        """One object of a grant."""
        answer = self.bed.request("GET", self.object_path(plural, uid))
        return dict(answer.json) if answer.status == 200 else None

    def object_path(self, plural: str, uid: str = "") -> str:
        """Where it is."""
        group = "apis/batch/v1" if plural == "jobs" else f"apis/{RBAC}/v1"
        return f"/{group}/namespaces/{self.namespace}/{plural}" + (f"/daypass-{uid}" if uid else "")

    def gone(self, uid: str, timeout: float = 60) -> None:
        """Wait until nothing of a grant is left."""
        for plural in ("rolebindings", "jobs", "roles"):
            self.bed.wait_until(lambda p=plural: self.object(p, uid) is None, timeout, what=f"{plural} gone")  # type: ignore[misc]

    def may(self, user: str = "alice", verb: str = "list", resource: str = "pods") -> bool:
        """Whether the user may do it here, as the API server judges it."""
        attributes = {"namespace": self.namespace, "verb": verb, "resource": resource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.bed.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, user=user)
        return bool(answer.json["status"]["allowed"])

    def events(self, name: str) -> list[str]:
        """Reasons of the Events about a request."""
        return [event["reason"] for event in self._events(name)]

    def _events(self, name: str) -> list[Json]:
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        return [one for one in self.bed.request("GET", path).json["items"] if one["regarding"]["name"] == name]

    def path(self, name: str = "") -> str:
        """Of the requests, or of one."""
        base = f"/apis/daypass.dev/v1alpha1/namespaces/{self.namespace}/accessrequests"
        return f"{base}/{name}" if name else base
