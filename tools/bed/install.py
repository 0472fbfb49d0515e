"""Installs Daypass with its own chart, in out-of-cluster mode, and does for the processes what a kubelet would."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from bed.endpoint import Endpoint
from bed.folders import REPOSITORY

NAMESPACE: Final = "daypass-system"
CHART: Final = REPOSITORY / "helm" / "daypass"
_POLICY_SECONDS: Final = 120.0
_REFRESH_SECONDS: Final = 2.0
"""An API server takes up changed admission policies once a second, and shows nowhere that it has."""
_REFUSALS: Final = (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)


class InstallError(Exception):
    """The chart or ``daypass setup`` failed; the text is their own."""


@dataclass(frozen=True, slots=True)
class Mounts:
    """Folders with files as a kubelet would mount them."""

    serving: Path
    signing: Path
    paths: Path


def environment() -> dict[str, str]:
    """For our own processes: the source tree first, so that tests run what is in the clone."""
    source = str(REPOSITORY / "operator")
    inherited = os.environ.get("PYTHONPATH")
    return os.environ | {
        "PYTHONPATH": f"{source}{os.pathsep}{inherited}" if inherited else source,
        "PYTHONUNBUFFERED": "1",
    }


def install_chart(endpoint: Endpoint, webhook_url: str, values: Mapping[str, object] | None = None) -> None:
    """``helm upgrade --install`` as an admin would run it; returns when the API server enforces what it brought."""
    given = {"outOfCluster": {"enabled": True, "webhookURL": webhook_url}, **(values or {})}
    file = endpoint.folder / "values.json"
    file.write_text(json.dumps(given))
    helm_home = endpoint.folder / "helm"
    command = [
        *(str(endpoint.binaries.helm), "upgrade", "--install", "daypass", str(CHART)),
        *("--namespace", NAMESPACE, "--create-namespace", "--values", str(file)),
        *("--kubeconfig", str(endpoint.admin_kubeconfig)),
    ]
    homes = {f"HELM_{kind}_HOME": str(helm_home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    upgrade = endpoint.request("GET", f"{policies}/daypass-operator-bounds").status == HTTPStatus.OK
    _run(command, os.environ | homes)
    _wait_until_enforced(endpoint)
    if upgrade:
        time.sleep(_REFRESH_SECONDS)


def run_setup(endpoint: Endpoint, webhook_url: str) -> None:
    """``daypass setup`` under its own ServiceAccount, as the chart's hook runs it in a cluster."""
    folder = endpoint.mount_service_account(NAMESPACE, "daypass-setup")
    command = [
        *(sys.executable, "-m", "daypass", "setup", "--namespace", NAMESPACE, "--url", webhook_url),
        *("--server", endpoint.server, "--service-account-dir", str(folder)),
    ]
    _run(command, environment())


def mount_secrets(endpoint: Endpoint) -> Mounts:
    """Copy the Secrets' entries to files; call again to see what a kubelet would bring after a change."""
    mounts = endpoint.folder / "mounts"
    kinds = {"serving": "daypass-serving", "signing": "daypass-signing", "paths": "daypass-webhook-paths"}
    for folder, secret in kinds.items():
        endpoint.mount_secret(NAMESPACE, secret, mounts / folder)
    return Mounts(**{folder: mounts / folder for folder in kinds})


def _wait_until_enforced(endpoint: Endpoint) -> None:
    """Wait for the CRDs to be served and the admission policies to be in force (a second or so after their creation).

    The probe is a dry run of something that only our policy refuses: a Job that carries the label of a grant.
    """
    labels = {"daypass.dev/request-uid": "probe"}
    containers = [{"name": "probe", "image": "probe"}]
    template = {"spec": {"restartPolicy": "Never", "containers": containers}}
    job = {"metadata": {"generateName": "probe-", "labels": labels}, "spec": {"template": template}}
    deadline = time.monotonic() + _POLICY_SECONDS
    while time.monotonic() < deadline:
        resources = endpoint.request("GET", "/apis/daypass.dev/v1alpha1").json or {}
        served = {resource["name"] for resource in resources.get("resources", [])}
        probe = endpoint.request("POST", "/apis/batch/v1/namespaces/default/jobs?dryRun=All", job)
        if {"accessrequests", "approvalpolicies"} <= served and probe.status in _REFUSALS:
            return
        time.sleep(0.1)
    message = (
        f"{_POLICY_SECONDS:.0f} s after the installation the API server serves {sorted(served)} and answers "
        f"{probe.status} to a labelled Job from an admin: {probe.message or 'accepted'}"
    )
    raise InstallError(message)


def _run(command: list[str], variables: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shown = " ".join(Path(part).name if part.startswith("/") else part for part in command[:5])
        message = f"{shown} … failed with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        raise InstallError(message)
