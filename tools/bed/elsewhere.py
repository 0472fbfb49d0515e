"""The same suite on a cluster that is not ours: kind, or whatever the current kubeconfig context names.

Thin, and its people are real there too: certificates signed by the cluster itself. Our processes run on this host, so
the API server must reach it (``DAYPASS_WEBHOOK_HOST``; on kind it is the gateway of its network). Tests that restart the
control plane or read its audit log are skipped.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_kind.cluster import KindCluster

from bed import binaries
from bed.cluster import Bed
from bed.endpoint import Endpoint, RefusedError
from bed.install import NAMESPACE
from bed.pki import KeyPair, signing_request
from bed.users import PEOPLE, Credentials

_CSRS: Final = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_SIGNING_SECONDS: Final = 30.0
_taken: list[str] = []


class ExistingCluster(Endpoint):
    """A cluster that was there before; the admin is the one of the kubeconfig, which must hold a certificate or token."""

    def __init__(self, folder: Path, tools: binaries.Binaries, kubeconfig: Path | None = None) -> None:
        command = [str(tools.kubectl), "config", "view", "--raw", "--flatten", "--minify", "-o", "json"]
        if kubeconfig is not None:
            command += ["--kubeconfig", str(kubeconfig)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        config: dict[str, Any] = json.loads(text)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = _written(folder / "ca.crt", cluster.get("certificate-authority-data", ""))
        super().__init__(folder, tools, cluster["server"], authority)
        self.admin_kubeconfig.write_text(text)
        self.people = {"admin": _admin(folder, user)}
        for name, groups in PEOPLE.items():
            if name != "admin":
                self.people[name] = Credentials(self._signed(name, groups))

    def stop(self) -> None:
        """Uninstall, with the CRDs and the namespaces of the tests, and forget the keys."""
        self.connections.close()
        kubectl = [str(self.binaries.kubectl), "--kubeconfig", str(self.admin_kubeconfig)]
        helm = [str(self.binaries.helm), "--kubeconfig", str(self.admin_kubeconfig), "uninstall", "daypass"]
        subprocess.run([*helm, "--namespace", NAMESPACE, "--ignore-not-found"], check=False)
        crds = ["accessrequests.daypass.dev", "approvalpolicies.daypass.dev"]
        subprocess.run([*kubectl, "delete", "crd", *crds, "--ignore-not-found"], check=False)
        names = subprocess.run(
            [*kubectl, "get", "namespace", "-o", "name"], check=False, capture_output=True, text=True
        )
        ours = [name for name in names.stdout.split() if name.startswith("namespace/test-")]
        mine = [*ours, f"namespace/{NAMESPACE}"]
        subprocess.run([*kubectl, "delete", "--wait=false", "--ignore-not-found", *mine], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signed(self, name: str, groups: tuple[str, ...]) -> KeyPair:
        """A client certificate by the cluster's own signer, approved by the admin."""
        key, request = signing_request(self.folder, name, groups)
        spec = {
            "request": base64.b64encode(request).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        }
        kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
        made = self.request("POST", _CSRS, {**kind, "metadata": {"generateName": f"{name}-"}, "spec": spec})
        if made.status != HTTPStatus.CREATED:
            raise RefusedError(made.message)
        body = made.json
        path = f"{_CSRS}/{body['metadata']['name']}"
        condition = {"type": "Approved", "status": "True", "reason": "Tests", "message": "a person of the test suite"}
        self.request("PUT", f"{path}/approval", {**body, "status": {"conditions": [condition]}})
        deadline = time.monotonic() + _SIGNING_SECONDS
        while time.monotonic() < deadline:
            certificate = self.request("GET", path).json.get("status", {}).get("certificate")
            if certificate:
                return KeyPair(_written(self.folder / f"{name}.crt", certificate), key)
            time.sleep(0.2)
        raise RefusedError(f"no certificate for {name} within {_SIGNING_SECONDS:.0f} s")


def launch_elsewhere(where: str, name: str) -> Bed:
    """A Bed on a kind cluster of its own, or on the current context (one Bed alone: the others' tests are skipped)."""
    folder = Path(tempfile.mkdtemp(prefix="daypass-elsewhere-"))
    tools = binaries.locate()
    if where == "kind":
        return _on_kind(folder, tools, f"daypass-{name.replace('_', '-')}")
    if _taken:
        pytest.skip(f"the existing cluster is in use as {_taken[0]}: run these tests in a run of their own")
    _taken.append(name)
    return Bed(ExistingCluster(folder, tools), os.environ.get("DAYPASS_WEBHOOK_HOST", "127.0.0.1"))


def _on_kind(folder: Path, tools: binaries.Binaries, name: str) -> Bed:
    kind = shutil.which("kind")
    if kind is None:
        pytest.skip("--cluster=kind needs kind and docker on PATH")
    image = os.environ.get("KIND_IMAGE")
    cluster = KindCluster(
        name, kubeconfig=folder / "kind", image=image, kind_path=Path(kind), kubectl_path=tools.kubectl
    )
    cluster.create()
    inspect = ["docker", "network", "inspect", "kind", "-f", "{{range .IPAM.Config}}{{.Gateway}} {{end}}"]
    gateways = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.split()
    endpoint = _KindEndpoint(folder, tools, folder / "kind")
    endpoint.cluster = cluster
    return Bed(endpoint, os.environ.get("DAYPASS_WEBHOOK_HOST") or next(one for one in gateways if ":" not in one))


class _KindEndpoint(ExistingCluster):
    cluster: KindCluster

    def stop(self) -> None:
        self.cluster.delete()
        shutil.rmtree(self.folder, ignore_errors=True)


def _admin(folder: Path, user: dict[str, str]) -> Credentials:
    if "client-certificate-data" in user:
        certificate = _written(folder / "admin.crt", user["client-certificate-data"])
        return Credentials(KeyPair(certificate, _written(folder / "admin.key", user["client-key-data"])))
    if "token" in user:
        return Credentials(token=user["token"])
    raise RefusedError("--cluster=existing needs a context whose user has a client certificate or a token")


def _written(path: Path, base64_text: str) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(base64_text))
    return path
