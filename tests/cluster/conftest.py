"""Fixtures of the tests on a real API server."""

from collections.abc import Iterator

import pytest

from bed import Bed
from cluster.admission import Desk
from cluster.chains import a_request
from cluster.leases import free_lease
from cluster.proxy import Proxy

CONFIGURATIONS = ("mutatingwebhookconfiguration/daypass-requests", "validatingwebhookconfiguration/daypass-validation")


@pytest.fixture(scope="module")
def without_webhooks(bare_cluster: Bed) -> Iterator[Bed]:
    """An admin has deleted our webhook configurations: what is left is what the API server enforces by itself."""
    bare_cluster.kubectl("delete", *CONFIGURATIONS)

    def gone() -> bool:
        probe = a_request("default", username="nobody")
        path = "/apis/daypass.dev/v1alpha1/namespaces/default/accessrequests?dryRun=All"
        return "failed calling webhook" not in bare_cluster.request("POST", path, probe).message

    bare_cluster.wait_until(gone, what="the API server forgets our webhooks")
    yield bare_cluster
    bare_cluster.install()


@pytest.fixture(scope="module")
def answering(bare_cluster: Bed) -> Iterator[Bed]:
    """The webhook runs and the controller does not, so that tests say what status is."""
    bare_cluster.install()
    bare_cluster.webhook.start()
    bare_cluster.webhook.wait_ready()
    yield bare_cluster
    bare_cluster.webhook.kill()


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
