"""What the webhook keeps of requests is enough for its questions, found by index, and small."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from builders import a_request, a_workload
from daypass.domain.request import Condition, Request, WorkloadGrant
from daypass.domain.review import ReviewDecision
from daypass.kube.client import Client
from daypass.kube.connection import Connection
from daypass.webhook import process
from daypass.webhook.files import Mounts
from daypass.webhook.known import EXPECTED_SECONDS, Known, slim_request
from daypass.webhook.listener import Listener
from gate_builders import a_gate, workloads


def _known(*requests: Request) -> Known:
    known = Known(Client(Connection("https://127.0.0.1:1", None)), "daypass-system")
    for request in requests:
        known.request_changed(f"{request.namespace}/{request.name}", None, request)
    return known


FIRST = replace(a_request().build(), name="first", uid="1")
SECOND = replace(FIRST, name="second", uid="2")


def test_t16_an_equal_pending_request_is_found() -> None:
    assert _known(FIRST).equal_pending(SECOND) == "first"


def test_t16_a_request_is_not_equal_to_itself() -> None:
    assert _known(FIRST).equal_pending(FIRST) == ""


def test_t16_what_was_decided_is_not_pending() -> None:
    decided = replace(FIRST, record=replace(FIRST.record, approved_time=FIRST.creation_time))
    known = _known(FIRST)
    known.request_changed("shop/first", FIRST, decided)
    assert known.equal_pending(SECOND) == ""


def test_t16_a_request_that_was_let_in_just_now_counts_until_it_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _known()
    known.expect(FIRST)
    assert known.equal_pending(FIRST) == ""
    assert known.equal_pending(SECOND) == "first"
    ended = replace(FIRST, record=replace(FIRST.record, end_time=FIRST.creation_time))
    known.request_changed("shop/first", None, ended)
    assert known.equal_pending(SECOND) == ""
    known.expect(SECOND)
    later = time.monotonic() + EXPECTED_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert known.equal_pending(FIRST) == ""


def test_t16_what_is_gone_is_forgotten() -> None:
    known = _known(FIRST)
    known.request_changed(f"{FIRST.namespace}/first", FIRST, None)
    assert known.equal_pending(SECOND) == ""
    assert known.peers(SECOND) == ()


def test_t16_of_two_equal_ones_either_is_enough() -> None:
    known = _known(FIRST, SECOND)
    known.request_changed(f"{FIRST.namespace}/first", FIRST, None)
    assert known.equal_pending(replace(FIRST, name="third", uid="3")) == "second"


def test_peers_are_those_of_one_subject_in_every_namespace() -> None:
    elsewhere = replace(FIRST, namespace="bank", uid="4")
    of_another = replace(a_request().build(), subject=replace(FIRST.subject, name="erin"), name="x", uid="5")
    assert _known(FIRST, elsewhere, of_another).peers(SECOND) == (FIRST, elsewhere)


def _permit(name: str, cause: str = "c", **changes: object) -> Request:
    made = a_request(grant=a_workload(), namespace="shop", uid=f"uid-{name}").build()
    return replace(made, name=name, cause=cause, **changes)  # type: ignore[arg-type]


def _ended(request: Request, state: str) -> Request:
    ready = Condition("Ready", "False", state, "why", 1)
    return replace(request, record=replace(request.record, conditions=(ready,)))


def test_permits_are_found_by_namespace_until_they_end() -> None:
    first, elsewhere = _permit("a"), replace(_permit("b"), namespace="bank")
    known = _known(FIRST, first, elsewhere)
    assert known.permits("shop") == (first,)
    ended = _ended(first, "Expired")
    known.request_changed("shop/a", first, ended)
    assert known.permits("shop") == ()
    known.request_changed("shop/a", ended, None)
    assert known.made("c") == (elsewhere,)


def test_denied_permits_are_found_by_namespace() -> None:
    first = _permit("a")
    known, denied = _known(first), _ended(first, "Denied")
    assert known.denied("shop") == ()
    known.request_changed("shop/a", first, denied)
    assert known.denied("shop") == (denied,)
    known.request_changed("shop/a", denied, None)
    assert known.denied("shop") == ()


def test_t56_made_requests_are_found_by_cause_after_their_end_too() -> None:
    known = _known(_permit("a"), _permit("b", "other"), _permit("d", ""))
    denied = _ended(_permit("a"), "Denied")
    known.request_changed("shop/a", _permit("a"), denied)
    assert known.made("c") == (denied,)
    assert known.made("") == ()
    asker = denied.requester.username
    assert known.asked("shop", asker) == (_permit("b", "other"), denied), "and by who asked"
    assert known.asked("shop", "nobody") == known.asked("bank", asker) == ()
    known.request_changed("shop/a", denied, None)
    assert (known.made("c"), known.asked("shop", asker)) == ((), (_permit("b", "other"),))


def test_p8_of_a_permit_is_kept_what_it_is_judged_by_and_no_more_once_it_has_ended() -> None:
    body = _a_permit_body()
    slim = slim_request(body)
    assert (slim.cause, slim.version) == ("abc", "7")
    assert (len(slim.reviews), len(slim.record.uses)) == (0, 1)
    assert slim.spec == {}
    assert isinstance(slim.grant, WorkloadGrant)
    assert slim.grant.findings == (), "they are for its readers"
    body["status"]["conditions"][0]["reason"] = "Expired"
    ended = slim_request(body)
    assert (ended.record.uses, ended.reviews) == ((), ())
    assert ended.record.conditions


def test_who_denied_a_permit_is_kept() -> None:
    body = _a_permit_body()
    body["status"]["conditions"][0]["reason"] = "Denied"
    body["status"]["reviews"] = [_a_review_body("Approve"), _a_review_body("Deny")]
    (denial,) = slim_request(body).reviews
    assert denial.decision is ReviewDecision.DENY


def _a_review_body(decision: str) -> dict[str, Any]:
    return {
        "version": 1,
        "requestUID": "u",
        "digest": "ab" * 32,
        "decision": decision,
        "reviewer": {"username": "bob"},
        "time": "2026-03-02T12:00:00Z",
        "keyID": "0123456789abcdef",
        "signature": "c2lnbmVk",
    }


def test_t63_a_policy_whose_gate_can_not_be_read_is_known_as_one() -> None:
    known = _known()
    metadata = {"name": "newer", "uid": "1", "resourceVersion": "1", "generation": 1}
    known._policies._take({"metadata": metadata, "spec": {"effect": "Newer", "gate": {}}})
    assert known.unreadable_gates() == ["newer"]
    known._policies._take({"metadata": {**metadata, "name": "plain"}, "spec": {"effect": "Newer"}})
    assert known.unreadable_gates() == ["newer"]
    known._policies._drop("newer")
    assert known.unreadable_gates() == []


def test_gates_are_indexed_anew_when_a_policy_changes() -> None:
    known = _known()
    assert known.pod_gates().of("shop") is None
    assert not known._power.wanted
    policy = a_gate("gate", workloads("shop"))
    known._policies._put("gate", policy)
    assert known.gates() == (policy,)
    assert known.pod_gates().of("shop") is not None
    assert known.pod_gates() is known.pod_gates()
    known._policies._put("gate", None)
    assert known.pod_gates().of("shop") is None


def test_rbac_is_watched_only_once_a_gate_asks_what_accounts_may_do() -> None:
    known = _known()
    known._policies._put("gate", a_gate("gate", workloads("shop")))
    assert not known._power.wanted
    assert {known.silent_seconds(cache) for cache in known._power.caches} == {0.0}
    assert "roles" not in known.unsynced().split(", ")
    known._policies._put("other", a_gate("other", workloads("shop", privileges=("ServiceAccountPower",))))
    assert known._power.wanted
    assert {known.silent_seconds(cache) for cache in known.caches} == {float("inf")}
    assert "roles" in known.unsynced().split(", ")


def test_a_webhook_that_was_ready_stays_so_when_a_gate_asks_for_more() -> None:
    known = _known()
    for cache in known._always:
        cache.synced.set()
    assert known.unsynced() == ""
    known._policies._put("other", a_gate("other", workloads("shop", privileges=("ServiceAccountPower",))))
    assert known.account_power("shop", "agent") is None
    assert known.unsynced() == ""


def test_t34_a_webhook_that_hears_nothing_any_more_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would let through what gates name that were made since."""
    known = _known()
    now = time.monotonic()
    for cache in known._always:
        cache.synced.set()
        cache._heard_at = now
    listener, mounts = Listener(), cast("Mounts", SimpleNamespace(loaded=True))
    listener.serving = True
    monkeypatch.setattr(time, "monotonic", lambda: now + 100)
    assert process._readiness(mounts, known, listener) is True
    known._namespaces._heard_at = now - 100
    assert process._readiness(mounts, known, listener) == "nothing heard of namespaces for 180 s"


def _a_permit_body() -> dict[str, Any]:
    use = {"key": "k", "kind": "Pod", "name": "p", "uid": "u", "time": "2026-03-02T12:00:00Z", "confirmed": True}
    ready = {"type": "Ready", "status": "True", "reason": "Active", "message": "", "observedGeneration": 1}
    ready["lastTransitionTime"] = "2026-03-02T12:00:00Z"
    workload = {
        "serviceAccountName": "agent",
        "privileges": ["HostPorts"],
        "findings": ["runs it"],
        "authors": ["alice"],
    }
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {
            "name": "daypass-1",
            "namespace": "shop",
            "uid": "1",
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": "2026-03-02T12:00:00Z",
            "labels": {"daypass.dev/cause": "abc"},
        },
        "spec": {
            "requester": {"username": "alice"},
            "workload": workload,
            "durationSeconds": 60,
            "reason": "a test",
        },
        "status": {"conditions": [ready], "uses": [use]},
    }
