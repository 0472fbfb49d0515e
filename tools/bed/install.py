"""Installs Daypass with its own chart, in out-of-cluster mode, and does for the processes what a kubelet would."""

import base64
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

from bed.control_plane import ControlPlane
from bed.folders import REPOSITORY
from bed.users import TOKEN_SECONDS

NAMESPACE: Final = "daypass-system"
CHART: Final = REPOSITORY / "helm" / "daypass"
_POLICY_SECONDS: Final = 30.0
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


def mint_token(control_plane: ControlPlane, namespace: str, name: str) -> str:
    """A token of a ServiceAccount for 30 days, by the TokenRequest API."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    spec = {"expirationSeconds": TOKEN_SECONDS}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = control_plane.request("POST", path, body)
    if answer.status != HTTPStatus.CREATED:
        message = f"no token for ServiceAccount {namespace}/{name}: {answer.message}"
        raise InstallError(message)
    return str(answer.json["status"]["token"])


def mount_service_account(control_plane: ControlPlane, name: str) -> Path:
    """The folder that a pod would have in /var/run/secrets/kubernetes.io/serviceaccount."""
    folder = control_plane.folder / "mounts" / name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "token").write_text(mint_token(control_plane, NAMESPACE, name))
    (folder / "ca.crt").write_bytes(control_plane.authority_file.read_bytes())
    (folder / "namespace").write_text(NAMESPACE)
    return folder


def install_chart(control_plane: ControlPlane, webhook_url: str, values: Mapping[str, object] | None = None) -> None:
    """``helm upgrade --install`` as an admin would run it; returns when the API server enforces what it brought."""
    given = {"outOfCluster": {"enabled": True, "webhookURL": webhook_url}, **(values or {})}
    file = control_plane.folder / "values.json"
    file.write_text(json.dumps(given))
    helm_home = control_plane.folder / "helm"
    command = [
        *(str(control_plane.binaries.helm), "upgrade", "--install", "daypass", str(CHART)),
        *("--namespace", NAMESPACE, "--create-namespace", "--values", str(file)),
        *("--kubeconfig", str(control_plane.admin_kubeconfig)),
    ]
    homes = {f"HELM_{kind}_HOME": str(helm_home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    _run(command, os.environ | homes)
    _wait_until_enforced(control_plane)


def run_setup(control_plane: ControlPlane, webhook_url: str) -> None:
    """``daypass setup`` under its own ServiceAccount, as the chart's hook runs it in a cluster."""
    folder = mount_service_account(control_plane, "daypass-setup")
    command = [
        *(sys.executable, "-m", "daypass", "setup", "--namespace", NAMESPACE, "--url", webhook_url),
        *("--server", control_plane.server, "--service-account-dir", str(folder)),
    ]
    _run(command, environment())


def mount_secrets(control_plane: ControlPlane) -> Mounts:
    """Copy the Secrets' entries to files; call again to see what a kubelet would bring after a change."""
    mounts = control_plane.folder / "mounts"
    kinds = {"serving": "daypass-serving", "signing": "daypass-signing", "paths": "daypass-webhook-paths"}
    for folder, secret in kinds.items():
        _mount_secret(control_plane, secret, mounts / folder)
    return Mounts(**{folder: mounts / folder for folder in kinds})


def _mount_secret(control_plane: ControlPlane, secret: str, folder: Path) -> None:
    answer = control_plane.request("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/{secret}")
    if answer.status != HTTPStatus.OK:
        message = f"Secret {secret} can't be mounted: {answer.message}"
        raise InstallError(message)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, value in answer.json.get("data", {}).items():
        partial = folder / f"..{name}"
        partial.write_bytes(base64.b64decode(value))
        partial.rename(folder / name)


def _wait_until_enforced(control_plane: ControlPlane) -> None:
    """Wait for the CRDs to be served and the admission policies to be in force (a second or so after their creation).

    The probe is a dry run of something that only our policy refuses: a Job that carries the label of a grant.
    """
    labels = {"daypass.dev/request-uid": "probe"}
    containers = [{"name": "probe", "image": "probe"}]
    template = {"spec": {"restartPolicy": "Never", "containers": containers}}
    job = {"metadata": {"generateName": "probe-", "labels": labels}, "spec": {"template": template}}
    deadline = time.monotonic() + _POLICY_SECONDS
    while time.monotonic() < deadline:
        resources = control_plane.request("GET", "/apis/daypass.dev/v1alpha1").json or {}
        served = {resource["name"] for resource in resources.get("resources", [])}
        probe = control_plane.request("POST", "/apis/batch/v1/namespaces/default/jobs?dryRun=All", job)
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
