"""Fixtures of the tests on a real API server."""

from collections.abc import Iterator

import pytest

from bed import Bed
from cluster.admission import Desk
from cluster.chains import a_request

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
def desk(answering: Bed, namespace: str) -> Desk:
    """A namespace with a policy that wants two approvers."""
    made = Desk(answering, namespace)
    assert made.write_policy(made.policy()).done
    return made
