"""Fixtures of the tests on a real API server."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from bed import Bed
from cluster.admission import Desk
from cluster.chains import a_request
from cluster.leases import free_lease
from cluster.proxy import Proxy

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
CONFIGURATIONS = (
    f"{ADMISSION}/mutatingwebhookconfigurations/daypass-requests",
    f"{ADMISSION}/validatingwebhookconfigurations/daypass-validation",
)


@pytest.fixture(scope="module")
def without_webhooks(bare_cluster: Bed) -> Bed:
    """An admin has deleted our webhook configurations: what is left is what the API server enforces by itself."""
    for path in CONFIGURATIONS:
        bare_cluster.request("DELETE", path)

    def gone() -> bool:
        probe = a_request("default", username="nobody")
        path = "/apis/daypass.dev/v1alpha1/namespaces/default/accessrequests?dryRun=All"
        return "failed calling webhook" not in bare_cluster.request("POST", path, probe).message

    bare_cluster.wait_until(gone, what="the API server forgets our webhooks")
    return bare_cluster


@pytest.fixture(scope="module")
def with_webhooks(bare_cluster: Bed) -> Bed:
    """As it was installed, whatever module ran before."""
    if any(bare_cluster.request("GET", path).status != HTTPStatus.OK for path in CONFIGURATIONS):
        bare_cluster.install()
    return bare_cluster


@pytest.fixture(scope="module")
def answering(with_webhooks: Bed) -> Iterator[Bed]:
    """The webhook runs and the controller does not, so that tests say what status is."""
    with_webhooks.webhook.start()
    with_webhooks.webhook.wait_ready()
    yield with_webhooks
    with_webhooks.webhook.kill()


@pytest.fixture
def proxy(cluster: Bed, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Instead of the bed's controller one that comes by a proxy; the test starts it."""
    cluster.controller.terminate()
    made = Proxy(cluster, tmp_path_factory.mktemp(f"proxy-{namespace}"))
    own, cluster._controller = cluster._controller, made.controller
    yield made
    cluster._controller = own
    made.stop()
    free_lease(cluster)
    cluster.controller.start()
    cluster.controller.wait_ready()


@pytest.fixture
def desk(answering: Bed, namespace: str) -> Desk:
    """A namespace with a policy that wants two approvers."""
    made = Desk(answering, namespace)
    answering.apply(made.policy())
    return made
