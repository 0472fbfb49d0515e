"""Uses of approved requests, with two replicas of the webhook and the real API server between them (T47)."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bed import Bed
from bed.install import NAMESPACE
from cluster.errands import MERGE, Json
from cluster.gated import TAKEN_UP_SECONDS, Gated, a_pod
from cluster.operating import VOLUMES, Operated
from cluster.replicas import Replicas, a_creation, once_more

ROUNDS = 5
AT_ONCE = 12


@pytest.fixture(scope="module")
def replicas(cluster: Bed) -> Iterator[Replicas]:
    """A second replica for the tests of this file."""
    with Replicas.beside(cluster) as both:
        yield both


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def permit(shop: Gated, pods: int, name: str = "leave") -> None:
    """An approved request for so many pods, of which both replicas have heard."""
    ask(shop, pods, name)
    shop.approve(name)
    shop.until(name, "Active")
    time.sleep(TAKEN_UP_SECONDS)


def ask(shop: Gated, pods: int, name: str) -> None:
    workload = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes"], "maxPods": pods}
    body = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": shop.namespace},
        "spec": {"workload": workload, "durationSeconds": 600, "reason": "to see it work"},
    }
    answer = shop.bed.request("POST", shop.path(), body, user="alice")
    assert answer.status == 201, answer.message
    shop.until(name, "AwaitingApproval")


def uses(shop: Gated, name: str = "leave") -> list[Json]:
    return list(shop.status(name).get("uses") or ())


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_t47_of_two_replicas_that_race_for_the_last_use_one_wins(
    shop: Gated, replicas: Replicas, number: int
) -> None:
    shop.gate()
    permit(shop, 1)
    pods = (a_pod(f"pod-{number}-{each}") for each in range(AT_ONCE))
    answers = await replicas.ask(*(a_creation(shop.namespace, pod) for pod in pods))
    assert sum(answer["allowed"] for answer in answers) == 1, answers
    assert len(uses(shop)) == 1
    refused = next(answer for answer in answers if not answer["allowed"])
    assert "left of 1" in refused["status"]["message"]


async def test_t47_two_replicas_let_in_as_many_as_were_approved(shop: Gated, replicas: Replicas) -> None:
    shop.gate()
    permit(shop, 20)
    answers = await replicas.ask(*(a_creation(shop.namespace, a_pod(f"pod-{each}")) for each in range(50)))
    assert sum(answer["allowed"] for answer in answers) == 20
    keys = [use["key"] for use in uses(shop)]
    assert len(keys) == len(set(keys)) == 20


async def test_t47_the_same_call_through_both_replicas_is_one_use(shop: Gated, replicas: Replicas) -> None:
    shop.gate()
    permit(shop, 1)
    review = a_creation(shop.namespace, a_pod("pod"))
    answers = await replicas.ask(review, once_more(review), once_more(review))
    assert [answer["allowed"] for answer in answers] == [True, True, True]
    assert [use["key"] for use in uses(shop)] == [review["request"]["object"]["metadata"]["uid"]]


async def test_t47_a_dry_run_spends_nothing(shop: Gated, replicas: Replicas) -> None:
    shop.gate()
    permit(shop, 1)
    dry = a_creation(shop.namespace, a_pod("pod"), dry_run=True)
    assert all(answer["allowed"] for answer in await replicas.ask(dry, once_more(dry), once_more(dry)))
    done = shop.create("pods", a_pod("pod"), dry_run=True)
    assert done.status == 201, done.message
    assert uses(shop) == []


def test_t47_the_api_server_asks_both_replicas_about_one_deletion(
    cluster: Bed, namespace: str, replicas: Replicas
) -> None:
    Gated.open(cluster, namespace)
    shop = Operated(cluster, namespace)
    shop.gate_actions(VOLUMES)
    name = f"second-replica-{namespace}"
    cluster.apply(a_configuration(name, namespace, replicas))
    try:
        time.sleep(TAKEN_UP_SECONDS)
        uid = shop.claim()
        assert shop.delete().status == 403
        request = shop.only_request()
        shop.approved(request)
        time.sleep(TAKEN_UP_SECONDS)
        assert shop.delete().status == 200
        assert [use["key"] for use in shop.uses(request)] == [uid]
    finally:
        cluster.kubectl("delete", "validatingwebhookconfiguration", name)
    assert replicas.second.log


def a_configuration(name: str, namespace: str, replicas: Replicas) -> Json:
    """As an admin would have the second replica asked too."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["persistentvolumeclaims"]}
    webhook = {
        "name": "second.replica.example.com",
        "clientConfig": {"url": replicas.urls[1], "caBundle": replicas.bundle},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }


def _seen_through(shop: Gated) -> bool:
    refused = shop.create("pods", a_pod("evil"))
    assert refused.status == 403
    return "request forged was not approved" in refused.message or "request forged names" in refused.message


def test_t01_a_status_that_claims_an_approval_lets_nothing_in(shop: Gated) -> None:
    """Whoever has stolen the controller's token writes what they like, and has no review to show for it."""
    shop.gate()
    ask(shop, 5, "forged")
    shop.bed.controller.terminate()  # it leaves the Lease free for the next
    try:
        status = shop.status("forged")
        one = {**status["conditions"][0], "status": "True", "reason": "Active"}
        conditions = [{**one, "type": kind} for kind in ("Approved", "Granted", "Ready")]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        times = {"approvedTime": now, "startTime": now, "expirationTime": "2036-01-01T00:00:00Z"}
        others: list[dict[str, Any]] = [{**status["stages"][0], "approvers": {"users": ["alice"]}}]
        for stages in (status["stages"], others, None):
            patch = {"status": {"conditions": conditions, **times, "stages": stages}}
            path = f"{shop.path('forged')}/status"
            answer = shop.bed.request("PATCH", path, patch, user=f"{NAMESPACE}/daypass-controller", headers=MERGE)
            assert answer.status == 200, answer.message
            shop.bed.wait_until(lambda: _seen_through(shop), what="the webhook has heard of the claim")
    finally:
        shop.bed.controller.start()
        shop.bed.controller.wait_ready()
