"""What breaks a limit of a policy."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, PlainExpressions, RequestBuilder, a_policy, a_request
from daypass.domain.expressions import UndecidedError
from daypass.domain.limits import DAY, breaches, is_active, pending_timeout_seconds
from daypass.domain.policy import Limits
from daypass.domain.request import Request

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def broken(limits: Limits, request: RequestBuilder, *peers: RequestBuilder) -> list[str]:
    found = breaches(
        a_policy("p", limits=limits), request.build(), [peer.build() for peer in peers], NOON, PlainExpressions()
    )
    return [breach.message for breach in found]


def a_peer(uid: str = "peer", **given: object) -> RequestBuilder:
    return a_request(uid=uid, **given).governed_by("p")  # type: ignore[arg-type]


def test_duration() -> None:
    limits = Limits(max_duration_seconds=900)
    assert not broken(limits, a_request(duration=900))
    assert broken(limits, a_request(duration=901)) == [
        "policy p grants 900 seconds at most: set durationSeconds to that or less"
    ]


def test_ticket() -> None:
    limits = Limits(ticket_pattern="^OPS-[0-9]+$")
    assert not broken(limits, a_request(ticket="OPS-1"))
    assert broken(limits, a_request(ticket="OPS-x"))
    assert broken(limits, a_request()) == ["policy p wants a ticket that fits ^OPS-[0-9]+$: set ticket"]
    (told,) = broken(limits, RequestBuilder(replace(a_request().build(), name="daypass-1")))
    assert told.endswith(": ask yourself, with a ticket"), "what Daypass asks for has none, and nobody could set it"


def test_t19_a_ticket_pattern_that_is_none_decides_nothing() -> None:
    with pytest.raises(UndecidedError):
        broken(Limits(ticket_pattern="("), a_request(ticket="OPS-1"))


@pytest.mark.parametrize(
    ("peer", "counts"),
    [
        (a_peer().granted(NOON - HOUR, until=NOON + SECOND), True),
        (a_peer().granted(NOON - HOUR, until=NOON), False),  # over, though nobody wrote it down yet
        (a_peer().scheduled(), True),
        (a_peer(), False),  # still waits
        (a_peer().granted(until=NOON + HOUR).ended(), False),
        (a_peer().granted(until=NOON + HOUR).with_(deletion_time=NOON), False),
        (a_peer(namespace="another").granted(until=NOON + HOUR), True),
        (a_peer(requester="erin", subject="alice").granted(until=NOON + HOUR), True),  # the subject counts
        (a_peer(requester="alice", subject="erin").granted(until=NOON + HOUR), False),
        (a_peer().governed_by("another").granted(until=NOON + HOUR), False),
    ],
)
def test_active(peer: RequestBuilder, *, counts: bool) -> None:
    assert bool(broken(Limits(max_active_per_subject=1), a_request(), peer)) is counts


def test_active_up_to_the_limit() -> None:
    limits = Limits(max_active_per_subject=2)
    assert not broken(limits, a_request(), a_peer("1").scheduled())
    assert broken(limits, a_request(), a_peer("1").scheduled(), a_peer("2").scheduled()) == [
        "policy p lets a subject have 2 active grants at a time: release one first"
    ]


def test_a_request_does_not_count_against_itself() -> None:
    assert not broken(Limits(max_active_per_subject=1, max_per_day=1), a_request(), a_peer("request-1").scheduled())


def test_counts_are_not_judged_once_approved() -> None:
    limits = Limits(max_active_per_subject=1, max_per_day=1, cooldown_seconds=60)
    assert not broken(limits, a_request().scheduled(), a_peer().scheduled(), a_peer("2").ended(NOON - SECOND))
    assert broken(Limits(max_duration_seconds=10), a_request().scheduled())


@pytest.mark.parametrize(
    ("ended", "counts"), [(0, True), (-59, True), (-60, False), (1, False)], ids=["now", "within", "over", "later"]
)
def test_cooldown_runs_from_the_end_to_the_creation(ended: int, *, counts: bool) -> None:
    peer = a_peer().ended(NOON + ended * SECOND)
    assert bool(broken(Limits(cooldown_seconds=60), a_request(), peer)) is counts


def test_t16_a_denied_request_starts_the_cooldown_too() -> None:
    peer = a_peer().denied_by("bob").ended(NOON - 10 * SECOND)
    assert broken(Limits(cooldown_seconds=60), a_request(), peer) == [
        "policy p asks for 60 seconds between requests: ask after 2026-03-02T12:00:50Z"
    ]


@pytest.mark.parametrize(
    ("peer", "counts"),
    [
        (a_peer(created=NOON - HOUR), True),
        (a_peer(created=NOON - DAY + SECOND), True),
        (a_peer(created=NOON - DAY), False),
        (a_peer(created=NOON - HOUR).ended(), True),  # whatever became of it
        (a_peer(created=NOON + SECOND), False),  # its turn comes later
        (a_peer(created=NOON + SECOND).scheduled(), True),
        (a_peer(uid="a", created=NOON), True),  # the same second: by uid
        (a_peer(uid="z", created=NOON), False),
        (a_request(uid="peer", created=NOON - HOUR), False),  # no policy took it up
    ],
)
def test_day(peer: RequestBuilder, *, counts: bool) -> None:
    assert bool(broken(Limits(max_per_day=1), a_request(), peer)) is counts


def test_day_says_when_to_ask_again() -> None:
    peers = [a_peer(str(hours), created=NOON - hours * HOUR) for hours in (1, 2, 3)]
    assert broken(Limits(max_per_day=2), a_request(), *peers) == [
        "policy p takes 2 requests in 24 hours: ask after 2026-03-03T10:00:00Z"
    ]


@given(st.permutations(range(6)), st.integers(1, 6))
def test_t16_of_requests_made_at_once_exactly_as_many_pass_as_there_are_places(order: list[int], places: int) -> None:
    """Whatever the order in which the controller gets to them, and though each is judged while all others wait."""
    all_of_them = [a_peer(f"r{number}").build() for number in order]
    policy = a_policy("p", limits=Limits(max_per_day=places))
    passed = [one for one in all_of_them if not breaches(policy, one, all_of_them, NOON, PlainExpressions())]
    assert len(passed) == places


def test_all_broken_limits_are_told_at_once() -> None:
    limits = Limits(max_duration_seconds=60, ticket_pattern="^OPS", max_active_per_subject=1)
    assert len(broken(limits, a_request(), a_peer().scheduled())) == 3


def test_pending_timeout_is_the_least() -> None:
    policies = [a_policy(limits=Limits(pending_timeout_seconds=seconds)) for seconds in (600, 60)]
    assert pending_timeout_seconds([*policies, a_policy()]) == 60
    assert pending_timeout_seconds([a_policy()]) == 86_400


def test_a_suspended_grant_is_active() -> None:
    suspended: Request = a_peer().granted(until=NOON + HOUR).build()
    assert is_active(suspended, NOON)
