"""What is kept of requests says the same, packed or not."""

from typing import Any

import pytest

from daypass.app.grants import requests
from daypass.app.grants.requests import Requests
from daypass.domain.conditions import State


def _body(name: str = "a", version: int = 1, *, reason: str = "why", ready: str = "") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "False", "reason": ready}] if ready else []
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {
            "namespace": "shop",
            "name": name,
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-03-02T12:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {
            "requester": {"username": "alice"},
            "role": {"kind": "ClusterRole", "name": "view"},
            "durationSeconds": 900,
            "reason": reason,
        },
        "status": {"conditions": conditions},
    }


def test_a_request_that_was_packed_says_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "WARM", 1)
    known = Requests()
    first = known.take(_body())
    assert first is not None
    before = first.opened()
    known.take(_body("b"))
    assert first.whole is None
    assert first.opened() == before
    assert first.body["metadata"].keys().isdisjoint({"managedFields"})


def test_what_is_not_newer_is_no_news() -> None:
    known = Requests()
    assert known.take(_body(version=10)) is not None
    assert known.take(_body(version=10)) is None
    assert known.take(_body(version=9)) is None
    assert known.take(_body(version=11)) is not None


@pytest.mark.parametrize("warm", [1024, 0], ids=["at hand", "packed"])
def test_a_newer_version_is_read_whole(monkeypatch: pytest.MonkeyPatch, warm: int) -> None:
    monkeypatch.setattr(requests, "WARM", warm)
    known = Requests()
    known.take(_body(version=1))
    entry = known.take(_body(version=2, ready="AwaitingApproval"))
    assert entry is not None
    assert entry.state is State.AWAITING_APPROVAL
    assert entry.opened()[0].reason == "why"


def test_a_spec_that_is_another_after_all_is_read_again() -> None:
    known = Requests()
    known.take(_body(version=1))
    entry = known.take(_body(version=2, reason="something else"))
    assert entry is not None
    assert entry.opened()[0].reason == "something else"
    broken = known.take(_body(version=3) | {"spec": {"reason": "no more"}})
    assert broken is not None
    assert broken.slim is None
    assert "spec" in broken.fault


def test_a_request_made_anew_under_the_name_takes_nothing_over() -> None:
    known = Requests()
    known.take(_body(version=1))
    other = _body(version=2)
    other["metadata"]["uid"] = "uid-another"
    entry = known.take(other)
    assert entry is not None
    assert entry.opened()[0].uid == "uid-another"
    known.drop("shop/a", "uid-a")
    assert known.get("shop/a") is entry
