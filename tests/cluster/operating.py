"""Gates for operations on a real cluster: write one, try what it names, ask, be approved, try again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bed.http import Response
from cluster.errands import RBAC, Json
from cluster.gated import ADMISSION, TAKEN_UP_SECONDS, Gated

VOLUMES: Json = {"verbs": ["delete"], "groups": [""], "resources": ["persistentvolumeclaims"]}
BINDINGS: Json = {"verbs": ["create", "update"], "groups": [RBAC], "resources": ["rolebindings", "clusterrolebindings"]}
EVERYBODY = [{"kind": "User", "name": "*"}, {"kind": "ServiceAccount", "namespace": "*", "name": "*"}]


@dataclass(frozen=True)
class Operated(Gated):
    """One namespace with gates for operations."""

    def gate_actions(
        self,
        *actions: Json,
        name: str = "operations",
        mode: str = "Enforce",
        request: bool = True,
        namespaces: Sequence[str] = (),
        **spec: Any,  # noqa: ANN401 - fields of spec
    ) -> str:
        """A policy that lets these operations be asked for and gates them; Daypass makes the request itself.

        Returns once the API server calls us for it.
        """
        asked = [{key: one[key] for key in ("verbs", "groups", "resources", "names") if key in one} for one in actions]
        full = self.policy(
            name,
            match={
                "namespaces": [self.namespace, *namespaces],
                "requesters": EVERYBODY,
                "grants": {"actions": asked},
            },
            gate={"mode": mode, "actions": [{"request": request, **one} for one in actions]},
            **spec,
        )
        self.called(full)
        return full

    def called(self, policy: str) -> None:
        """Wait until the API server calls us for the gates of a policy."""
        path = f"{ADMISSION}/validatingwebhookconfigurations/daypass-gates"

        def there() -> bool:
            found = self.bed.request("GET", path).json.get("webhooks") or ()
            return any(one["name"].startswith(f"{policy}.") for one in found)

        self.bed.wait_until(there, 25, what=f"webhooks of {policy}")
        time.sleep(TAKEN_UP_SECONDS)

    def claim(self, name: str = "data", **metadata: Any) -> str:  # noqa: ANN401 - fields of metadata
        """A PersistentVolumeClaim of the agent's; its uid."""
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        metadata = {"name": name, **metadata}
        answer = self.bed.request("POST", self.core("persistentvolumeclaims"), {"metadata": metadata, "spec": spec})
        assert answer.status == 201, answer.message
        return str(answer.json["metadata"]["uid"])

    def delete(self, name: str = "data", user: str = "", *, dry_run: bool = False) -> Response:
        """Delete a PersistentVolumeClaim, as the agent if nobody else is said."""
        path = self.core("persistentvolumeclaims", name) + ("?dryRun=All" if dry_run else "")
        return self.bed.request("DELETE", path, user=user or self.agent)

    def vanished(self, name: str = "data") -> None:
        """Wait until a PersistentVolumeClaim is gone: a controller takes its finalizer off."""
        path = self.core("persistentvolumeclaims", name)
        self.bed.wait_until(lambda: self.bed.request("GET", path).status == 404, 25, what=f"{name} is gone")

    def core(self, plural: str, name: str = "", subresource: str = "") -> str:
        """The path of something of the core group."""
        parts = ("/api/v1/namespaces", self.namespace, plural, name, subresource)
        return "/".join(part for part in parts if part)

    def approved(self, name: str) -> Json:
        """Have bob approve a request that was made; its status once it is active."""
        self.until(name, "AwaitingApproval")
        self.approve(name)
        return self.until(name, "Active")

    def only_request(self) -> str:
        """The name of the one request that Daypass made here."""
        (made,) = self.made()
        return str(made["metadata"]["name"])

    def uses(self, name: str) -> list[Json]:
        """What was let through under a request."""
        return list(self.status(name).get("uses") or ())

    def passes(self, name: str, attempt: Any, *ok: int) -> Response:  # noqa: ANN401 - a function without arguments
        """Try until the webhook has heard that a request is active; the answer."""
        for _ in range(500):
            answer: Response = attempt()
            if answer.status in (ok or (200, 201)) or "is Active" not in answer.message:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{name} is active and covers nothing: {answer.message}")


def a_binding(name: str, *subjects: Json, cluster: bool = False, role: str = "view") -> Json:
    """A RoleBinding or ClusterRoleBinding of a ClusterRole."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding" if cluster else "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": list(subjects),
    }
