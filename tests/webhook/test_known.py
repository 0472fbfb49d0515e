"""What the webhook keeps of requests is enough for its questions, found by index, and small."""

import time
from dataclasses import replace

import pytest

from builders import a_request
from daypass.domain.request import Request
from daypass.kube.client import Client
from daypass.kube.connection import Connection
from daypass.webhook.known import EXPECTED_SECONDS, Known


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
