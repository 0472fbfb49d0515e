"""The chart as it is installed in a cluster: accepted by a real API server, closed until set up, kept by upgrades.

There is no node here, so the processes do not run; ``daypass setup`` runs on this host under its ServiceAccount.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bed import Bed
from chart.rendering import CHART, Json, helm
from cluster.chains import a_request, path_of
from daypass.app.installation.configurations import Endpoint
from daypass.app.installation.setup import Setup
from daypass.kube.client import Client
from daypass.kube.connection import in_cluster
from daypass.signing.certificates import OwnCertificates
from daypass.signing.keys import Ed25519Keys

NAMESPACE = "daypass-system"
CONFIGURATIONS = {
    "mutatingwebhookconfiguration": "daypass-requests",
    "validatingwebhookconfiguration": "daypass-validation",
}


@pytest.fixture(scope="module")
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """A control plane of its own: what is installed here is the other mode of the chart."""
    if request.config.getoption("--cluster") != "bed":
        pytest.skip("installs and uninstalls Daypass; only on a cluster of its own")
    launched = Bed.launch()
    yield launched
    launched.stop()


def run_helm(bed: Bed, home: Path, *arguments: str, values: Json | None = None) -> str:
    where = ("--namespace", NAMESPACE, "--kubeconfig", str(bed.endpoint.admin_kubeconfig))
    done = helm(*arguments, *where, values=values, home=home)
    assert done.returncode == 0, done.stderr
    return done.stdout


def upgrade(bed: Bed, home: Path, values: Json | None = None) -> None:
    run_helm(bed, home, "upgrade", "--install", "daypass", str(CHART), "--create-namespace", values=values)


def webhook(bed: Bed, kind: str) -> Any:  # noqa: ANN401 - JSON
    body = bed.get(kind, CONFIGURATIONS[kind])
    assert body is not None
    return body["webhooks"][0]


async def set_up(bed: Bed) -> list[str]:
    folder = bed.endpoint.mount_service_account(NAMESPACE, "daypass-setup")
    async with Client(in_cluster(folder, bed.endpoint.server)) as client:
        endpoint = Endpoint(service="daypass-webhook")
        setup = Setup(client, OwnCertificates(), Ed25519Keys(), client.clock, NAMESPACE, endpoint)
        return await setup.run()


async def test_install_set_up_upgrade_uninstall(bed: Bed, tmp_path: Path) -> None:
    upgrade(bed, tmp_path)
    for kind, name in (
        ("deployment", "daypass-controller"),
        ("deployment", "daypass-webhook"),
        ("service", "daypass-webhook"),
    ):
        assert bed.get(kind, name, NAMESPACE) is not None
    assert bed.get("job", "daypass-setup-1", NAMESPACE) is not None

    # Closed until set up, and while no webhook answers.
    def asked() -> str:
        return bed.request("POST", path_of("accessrequests", "default"), a_request("default", "admin")).message

    bed.wait_until(lambda: "failed calling webhook" in asked(), what="our webhooks in force")

    assert await set_up(bed)
    filled = {kind: webhook(bed, kind)["clientConfig"] for kind in CONFIGURATIONS}
    for config in filled.values():
        assert config["service"]["name"] == "daypass-webhook"
        assert len(config["service"]["path"]) == 65
        assert base64.b64decode(config["caBundle"]).startswith(b"-----BEGIN CERTIFICATE-----")
    assert "failed calling webhook" in asked()
    published = bed.get("configmap", "daypass-gates-endpoint", NAMESPACE)
    assert published is not None
    for entry in published["data"].values():
        config = json.loads(entry)
        assert (config["service"]["name"], config["service"]["port"]) == ("daypass-webhook", 443)
        assert config["caBundle"] == next(iter(filled.values()))["caBundle"]
    assert await set_up(bed) == []

    # Helm applies server-side: what setup owns stays.
    upgrade(bed, tmp_path, {"webhook": {"timeoutSeconds": 3}})
    for kind, config in filled.items():
        assert webhook(bed, kind)["timeoutSeconds"] == 3
        assert webhook(bed, kind)["clientConfig"] == config
    assert bed.get("job", "daypass-setup-1", NAMESPACE) is None
    assert bed.get("job", "daypass-setup-2", NAMESPACE) is not None

    # T64: the cluster is not locked, requests and keys stay.
    run_helm(bed, tmp_path, "uninstall", "daypass")
    for kind, name in CONFIGURATIONS.items():
        assert bed.get(kind, name) is None
    bed.wait_until(lambda: "failed calling webhook" not in asked(), what="our webhooks forgotten")
    assert bed.get("crd", "accessrequests.daypass.dev") is not None
    assert bed.get("secret", "daypass-signing", NAMESPACE) is not None
    assert bed.kubectl("get", "validatingadmissionpolicies", "-o", "name").stdout == ""
