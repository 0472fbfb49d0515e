"""Gates of real policies on a cluster where all of Daypass runs: write them, wait for them, count who came."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

from bed import Bed, install
from bed.http import Response
from cluster.gatehouse import ADMISSION

Json = dict[str, Any]

POLICIES = "/apis/daypass.dev/v1alpha1/approvalpolicies"
PATHS = {
    "daypass-gates": f"{ADMISSION}/validatingwebhookconfigurations/daypass-gates",
    "daypass-holds": f"{ADMISSION}/mutatingwebhookconfigurations/daypass-holds",
}
TAKEN_UP_SECONDS = 0.5
"""An API server takes up changed webhook configurations a moment later, and shows nowhere that it has."""
OURS = ("accessrequests", "approvalpolicies")


def a_policy(name: str, *, mode: str = "Enforce", match: Json | None = None, **gate: Any) -> Json:  # noqa: ANN401 - JSON
    """A policy that has a gate, and lets nobody ask for anything else than privileges of namespace ``nowhere``."""
    spec = {
        "effect": "Allow",
        "match": {"namespaces": ["nowhere"], "grants": {"workload": {"privileges": ["Baseline"]}}, **(match or {})},
        "approvals": [{"name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}],
        "gate": {"mode": mode, **gate},
    }
    return {"apiVersion": "daypass.dev/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": name}, "spec": spec}


def workloads(*namespaces: str, **more: Any) -> Json:  # noqa: ANN401 - JSON
    """The gate of pods that use what Baseline forbids."""
    return {"namespaces": list(namespaces), "privileges": ["Baseline"], **more}


def a_pod(account: str = "default", **spec: Any) -> Json:  # noqa: ANN401 - JSON
    """A pod without any privilege unless the rest says otherwise."""
    container = {"name": "it", "image": "registry.example/it:1"}
    return {
        "metadata": {"generateName": "it-"},
        "spec": {"serviceAccountName": account, "containers": [container], **spec},
    }


def a_privileged(account: str = "default") -> Json:
    """A pod that Baseline forbids."""
    return a_pod(account, hostNetwork=True)


@dataclass(frozen=True)
class Guarded:
    """A bed on which Daypass runs."""

    bed: Bed

    def forget_all(self) -> None:
        """No policy, and so no gate."""
        self.bed.kubectl("delete", "approvalpolicies", "--all")
        self.bed.wait_until(lambda: self.webhooks() == [], 25, what="no gate")
        time.sleep(TAKEN_UP_SECONDS)

    def write(self, *policies: Json) -> None:
        """Apply them, and wait until each gate is in force: Ready, and taken up by the API server."""
        for policy in policies:
            self.bed.apply(policy)
        for policy in policies:
            name = policy["metadata"]["name"]
            self.bed.kubectl("wait", f"approvalpolicy/{name}", "--for=condition=Ready", "--timeout=25s")
        time.sleep(TAKEN_UP_SECONDS)

    def ready(self, name: str) -> Json:
        """The condition Ready of a policy, once it speaks of the policy as it is."""

        def told() -> Json:
            body = self.bed.request("GET", f"{POLICIES}/{name}").json
            conditions = (body.get("status") or {}).get("conditions") or []
            found = [one for one in conditions if one["type"] == "Ready"]
            current = [one for one in found if one["observedGeneration"] == body["metadata"]["generation"]]
            return dict(current[0]) if current and current[0]["reason"] != "GatePending" else {}

        return self.bed.wait_until(told, 25, what=f"{name} is reported on")

    def urls(self) -> set[str]:
        """Where the API server is to call for the gates."""
        found = self.bed.request("GET", PATHS["daypass-gates"]).json["webhooks"]
        return {one["clientConfig"]["url"] for one in found}

    def webhooks(self) -> list[str]:
        """Names of all that is gated."""
        found = [self.bed.request("GET", path).json.get("webhooks") or [] for path in PATHS.values()]
        return sorted(one["name"] for webhooks in found for one in webhooks)

    def pod(self, namespace: str, user: str = "admin", body: Json | None = None) -> Response:
        """Try to create one, by a dry run."""
        return self.bed.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", body or a_pod(), user=user)

    def reviews(self) -> int:
        """How many calls about anything but Daypass's own objects the webhook has answered so far."""
        text = _metrics(self.bed._webhook_addresses[1])
        lines = re.findall(r'^daypass_admission_reviews_total\{.*resource="([^"]*)".*\} (\S+)$', text, re.MULTILINE)
        return round(sum(float(value) for name, value in lines if not name.startswith(OURS)))

    def restored(self, name: str) -> int:
        """How often that configuration was restored."""
        text = _metrics(f"127.0.0.1:{self.bed.controller_health}")
        found = re.search(rf'^daypass_gates_restored_total\{{configuration="{name}"\}} (\S+)$', text, re.MULTILINE)
        return round(float(found[1])) if found else 0

    @contextmanager
    def hammering(self, call: Callable[[], Response]) -> Iterator[list[Response]]:
        """The call again and again, all the while; the answers."""
        answers: list[Response] = []
        stop = threading.Event()

        def hammer() -> None:
            while not stop.is_set():
                answers.append(call())

        threads = [threading.Thread(target=hammer) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _metrics(address: str) -> str:
    with urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def rotate_paths(bed: Bed, *more: str) -> None:
    """``daypass setup --rotate-paths`` under its own ServiceAccount, and the Secrets as a kubelet would bring them.

    Returns once the webhook has taken over the new paths, and what else of its folders is said to change.
    """
    folders = ("paths", *more)
    before = [_taken(bed, folder) for folder in folders]
    folder = bed.endpoint.mount_service_account(install.NAMESPACE, "daypass-setup")
    command = [
        *(sys.executable, "-m", "daypass", "setup", "--namespace", install.NAMESPACE, "--url", bed.webhook_url),
        *("--server", bed.endpoint.server, "--service-account-dir", str(folder), "--rotate-paths"),
    ]
    subprocess.run(command, env=install.environment(), check=True, capture_output=True)
    install.mount_secrets(bed.endpoint)
    bed.wait_until(
        lambda: all(_taken(bed, folder) > count for folder, count in zip(folders, before, strict=True)),
        25,
        what="the webhook has the new files",
    )


def _taken(bed: Bed, folder: str) -> int:
    """How often the webhook took over what is in a folder."""
    return sum("files taken" in line and f"/{folder}" in line for line in bed.webhook.log.splitlines())
