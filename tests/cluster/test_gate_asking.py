"""Requests that Daypass makes itself: what they say, how many there are, and what becomes of them (T56)."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bed import Bed
from bed.install import NAMESPACE
from cluster.errands import Json
from cluster.gated import EVERYTHING, HOST_PATH, Gated, a_pod, a_spec, a_workload
from cluster.operating import VOLUMES, Operated
from cluster.replicas import Replicas, a_creation

FLOOD = 10_000
AT_ONCE = 1_000
WEBHOOK = f"system:serviceaccount:{NAMESPACE}:daypass-webhook"
ROOM = 64 * 1024
"""Kilobytes by which a flood may make the process grow for good."""


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


@pytest.fixture
def operated(cluster: Bed, namespace: str) -> Operated:
    Gated.open(cluster, namespace)
    return Operated(cluster, namespace)


@pytest.fixture(scope="module")
def replicas(cluster: Bed) -> Iterator[Replicas]:
    with Replicas.beside(cluster) as both:
        yield both


def creations(bed: Bed, namespace: str) -> list[int]:
    """The codes of the API server's answers to the webhook's attempts to make requests in a namespace."""
    return [
        event["responseStatus"]["code"]
        for event in bed.audit_events(namespace)
        if event["verb"] == "create"
        and event["user"]["username"] == WEBHOOK
        and event["objectRef"]["resource"] == "accessrequests"
        and event["objectRef"]["namespace"] == namespace
    ]


def resident(pid: int | None) -> int:
    """Kilobytes of memory of a process."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1])


async def test_t56_a_flood_of_refused_pods_of_one_owner_makes_one_request(shop: Gated, replicas: Replicas) -> None:
    shop.gate(request=True)
    spec = {"suspend": True, "template": {"spec": a_spec(**HOST_PATH)}}
    job = shop.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "many"}, "spec": spec})
    assert job.status == 201, job.message
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": "many",
        "uid": job.json["metadata"]["uid"],
        "controller": True,
    }
    controller = "system:serviceaccount:kube-system:job-controller"
    reviews = (
        a_creation(shop.namespace, a_pod(f"many-{number}", ownerReferences=[owner]), user=controller)
        for number in range(FLOOD)
    )
    answers = await replicas.ask(*(next(reviews) for _ in range(AT_ONCE)))
    before = resident(shop.bed.webhook.pid)
    for _ in range(FLOOD // AT_ONCE - 1):
        answers += await replicas.ask(*(next(reviews) for _ in range(AT_ONCE)))
    assert not any(answer["allowed"] for answer in answers)
    (made,) = shop.made()
    asked = [answer for answer in answers if made["metadata"]["name"] in answer["status"]["message"]]
    assert len(asked) >= FLOOD * 0.99, "but for those that waited longer than a webhook may take"
    assert made["spec"]["workload"]["owner"]["name"] == "many"
    assert made["spec"]["workload"]["authors"] == ["alice"]
    codes = await asyncio.to_thread(creations, shop.bed, shop.namespace)
    assert codes.count(201) == 1
    assert len(codes) <= 2, "each replica tries once"
    assert resident(shop.bed.webhook.pid) - before < ROOM


def test_the_request_has_the_facts_first(shop: Gated) -> None:
    policy = shop.gate(request=True)
    job = a_workload("jobs", "nightly")
    job["spec"]["backoffLimit"] = 0
    answer = shop.create("jobs", job)
    assert answer.status == 201, answer.message
    (made,) = shop.bed.wait_until(shop.made, 25, what="a request for the Job's pods")
    spec = made["spec"]
    digest = spec["workload"]["podTemplateDigest"]
    assert len(digest) == 64
    assert spec == {
        "requester": {"username": "alice", "groups": []},
        "subject": {"kind": "User", "name": "alice"},
        "workload": {
            "serviceAccountName": "agent",
            "privileges": ["HostPathVolumes:/var/log"],
            "podTemplateDigest": digest,
            "maxPods": 100,
            "owner": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": "nightly",
                "uid": answer.json["metadata"]["uid"],
            },
            "authors": ["alice"],
            "findings": spec["workload"]["findings"],
        },
        "durationSeconds": 3600,
        "reason": spec["reason"],
    }
    assert spec["workload"]["findings"][0] == "HostPathVolumes:/var/log at spec.volumes[0].hostPath"
    assert any("registry.example/it:1" in line and "sleep 1" in line for line in spec["workload"]["findings"])
    assert spec["reason"].startswith(
        f"Job nightly in {shop.namespace} uses HostPathVolumes:/var/log, made by alice;"
        " it runs container it: registry.example/it:1, command: sleep 1; image registry.example/it:1 is not pinned"
    )
    label = made["metadata"]["labels"]["daypass.dev/cause"]
    assert made["metadata"]["name"] == f"daypass-{label[:10]}"
    shop.until(made["metadata"]["name"], "AwaitingApproval")
    (reference,) = shop.status(made["metadata"]["name"])["policies"]
    assert reference["name"] == policy


def test_t55_the_author_does_not_approve_what_daypass_asked_for(shop: Gated) -> None:
    shop.gate(request=True)
    shop.create("jobs", a_workload("jobs", "bobs"), user="bob")
    (made,) = shop.bed.wait_until(shop.made, 25)
    name = made["metadata"]["name"]
    assert made["spec"]["workload"]["authors"] == ["bob"]
    shop.until(name, "AwaitingApproval")
    assert shop.review(name, user="bob").status == 403
    assert shop.review(name, user="carol").status == 200


def test_t56_after_a_denial_no_other_is_made(shop: Gated) -> None:
    shop.gate(request=True)
    assert shop.create("pods", a_pod("bare")).status == 403
    (made,) = shop.made()
    name = made["metadata"]["name"]
    shop.until(name, "AwaitingApproval")
    assert shop.review(name, "Deny", comment="not on these nodes").status == 200
    shop.until(name, "Denied")

    def told() -> str:
        message = shop.create("pods", a_pod("bare")).message
        return message if "was denied by" in message else ""

    message = shop.bed.wait_until(told, 25)
    assert "bob" in message
    assert "not on these nodes" in message
    assert [one["metadata"]["name"] for one in shop.made()] == [name]
    other = a_pod("other", a_spec(**HOST_PATH, shareProcessNamespace=True))
    assert shop.create("pods", other).status == 403
    assert len(shop.made()) == 2, "what runs something else is another cause"


def test_one_that_was_released_is_asked_for_again_under_a_number(shop: Gated) -> None:
    shop.gate(request=True)
    assert shop.create("pods", a_pod("bare")).status == 403
    (made,) = shop.made()
    name = made["metadata"]["name"]
    shop.until(name, "AwaitingApproval")
    assert shop.review(name, "Release", user="alice").status == 200
    shop.until(name, "Released")

    def asked() -> bool:
        shop.create("pods", a_pod("bare"))
        return len(shop.made()) == 2

    shop.bed.wait_until(asked, 25)
    assert {one["metadata"]["name"] for one in shop.made()} == {name, f"{name}-2"}


def test_t24_nobody_takes_the_names_of_requests_that_daypass_makes(shop: Gated) -> None:
    workload = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes"], "maxPods": 500}
    body: Json = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "daypass-0123456789", "namespace": shop.namespace},
        "spec": {"workload": workload, "durationSeconds": 600, "reason": "mine"},
    }
    for user in ("alice", "admin"):
        answer = shop.bed.request("POST", shop.path(), body, user=user)
        assert answer.status in (403, 422), answer.message


def test_t24_a_request_that_only_carries_our_label_is_not_taken_for_ours(shop: Gated) -> None:
    shop.gate()
    cause = shop.create("pods", a_pod("bare")).message.partition('"name":"ask-')[2][:8]
    workload = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes:/var/log"], "maxPods": 1}
    body: Json = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "mine", "namespace": shop.namespace, "labels": {"daypass.dev/cause": cause + "0" * 32}},
        "spec": {"workload": workload, "durationSeconds": 600, "reason": "mine"},
    }
    shop.bed.request("POST", shop.path(), body, user="alice")
    shop.gate(request=True)

    def asked() -> bool:
        shop.create("pods", a_pod("bare"))
        return bool(made())

    def made() -> list[Json]:
        return [one for one in shop.made() if one["metadata"]["name"].startswith(f"daypass-{cause}")]

    shop.bed.wait_until(asked, 25)
    (one,) = made()
    assert one["spec"]["workload"]["podTemplateDigest"]


def test_what_daypass_asked_for_an_operation_ends_when_nobody_answers(operated: Operated) -> None:
    operated.gate_actions(VOLUMES, limits={"pendingTimeoutSeconds": 10})
    operated.claim()
    assert operated.delete().status == 403
    request = operated.only_request()
    operated.until(request, "TimedOut", timeout=30)

    def asked() -> bool:
        operated.delete()
        return len(operated.made()) == 2

    operated.bed.wait_until(asked, 25)


def test_t16_what_a_policy_denies_at_once_makes_no_room_for_the_next(operated: Operated) -> None:
    """Each would be one object more for a month, as fast as somebody asks."""
    creation: Json = {"verbs": ["create"], "groups": [""], "resources": ["configmaps"]}
    operated.gate_actions(creation)
    operated.policy("never", effect="Deny", match={"grants": {"actions": [creation]}})
    said = ""
    for number in range(40):
        answer = operated.bed.request(
            "POST", operated.core("configmaps"), {"metadata": {"name": f"c{number}"}}, user="alice"
        )
        assert answer.status == 403
        said = answer.message
    assert "20 requests made for alice within an hour wait, or were not approved" in said
    assert len(operated.made()) == 20


def test_whoever_uses_many_privileges_is_shown_a_request_that_works_too(shop: Gated) -> None:
    shop.gate(privileges=EVERYTHING)
    ports = [{"containerPort": port, "hostPort": port} for port in range(1_000, 1_070)]
    containers = [{"name": "it", "image": "registry.example/it:1", "ports": ports}]
    body = a_pod("many", a_spec("agent", **HOST_PATH, hostPID=True, containers=containers))
    message = shop.create("pods", body).message
    text = message.partition("To ask: echo '")[2].partition("' | kubectl create -f -")[0]
    assert text, message
    told = shop.bed.kubectl("create", "-f", "-", "-o", "name", user="alice", input=text).stdout
    made = told.strip().partition("/")[2]
    shop.until(made, "AwaitingApproval")
    shop.approve(made)
    shop.until(made, "Active")
    shop.bed.wait_until(lambda: shop.create("pods", body).status == 201, 10)


def test_a_dry_run_asks_for_nothing(shop: Gated) -> None:
    shop.gate(request=True)
    assert shop.create("pods", a_pod("bare"), dry_run=True).status == 403
    time.sleep(0.2)
    assert shop.made() == []


def test_t56_what_a_deleted_policy_denied_is_asked_for_again_once_it_is_back(shop: Gated) -> None:
    policy = shop.gate(request=True)
    assert shop.create("pods", a_pod("bare")).status == 403
    (made,) = shop.made()
    name = made["metadata"]["name"]
    shop.until(name, "AwaitingApproval")
    shop.bed.kubectl("delete", "approvalpolicy", policy)
    shop.until(name, "Denied")
    shop.gate(request=True)

    def asked_again() -> bool:
        assert shop.create("pods", a_pod("bare")).status == 403
        return len(shop.made()) == 2

    shop.bed.wait_until(asked_again, 25, what="another request")
    shop.until(f"{name}-2", "AwaitingApproval")
