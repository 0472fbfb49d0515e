"""Which reviews count."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import DIGEST, NOON, a_request, a_review
from daypass.app.grants.votes import Ballots, counted, voided
from daypass.app.ports import ApiError, Resource
from daypass.domain.review import Review, ReviewDecision

REQUEST = a_request().approved_by("bob", "carol").build()
KEY = REQUEST.reviews[0].key_id


class Published:
    """A ConfigMap of public keys, and how often it was read."""

    def __init__(self, *keys: str) -> None:
        self.keys, self.reads, self.broken = list(keys), 0, False

    async def get(self, _resource: Resource, _name: str, _namespace: str = "") -> Mapping[str, Any]:
        self.reads += 1
        if self.broken:
            raise ApiError("forbidden", 403)
        return {"data": dict.fromkeys(self.keys, "PEM")}


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = NOON

    def now(self) -> datetime:
        return self.moment


class Knowing:
    """Takes every signature by a key that is published for genuine."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self.keys = keys

    def genuine(self, review: Review) -> bool:
        return review.key_id in self.keys


def ballots(published: Published, clock: Hand | None = None) -> Ballots:
    return Ballots(published, clock or Hand(), "daypass-system", Knowing)  # type: ignore[arg-type]


async def test_t61_unknown_key_is_looked_up_and_void_if_it_is_not_published() -> None:
    published, clock = Published(), Hand()
    box = ballots(published, clock)
    assert await box.genuine(REQUEST) == []
    assert box.unknown(REQUEST) == (KEY,)
    await box.genuine(REQUEST)
    assert published.reads == 1, "not again at once"
    published.keys.append(KEY)
    clock.moment += timedelta(seconds=11)
    assert await box.genuine(REQUEST) == list(REQUEST.reviews)
    assert box.unknown(REQUEST) == ()
    await box.genuine(REQUEST)
    assert published.reads == 2


async def test_t61_key_that_is_taken_back_counts_for_a_minute_at_most_and_not_when_access_is_given() -> None:
    published, clock = Published(KEY), Hand()
    box = ballots(published, clock)
    assert await box.genuine(REQUEST) == list(REQUEST.reviews)
    published.keys.clear()
    clock.moment += timedelta(seconds=59)
    assert await box.genuine(REQUEST) == list(REQUEST.reviews)
    clock.moment += timedelta(seconds=1)
    assert await box.genuine(REQUEST) == []
    assert box.unknown(REQUEST) == (KEY,)
    published.keys.append(KEY)
    await box.renew(REQUEST)
    assert await box.genuine(REQUEST) == list(REQUEST.reviews)
    published.keys.clear()
    await box.renew(REQUEST)
    assert await box.genuine(REQUEST) == []


async def test_t61_old_keys_that_cannot_be_read_again_count_no_more() -> None:
    published, clock = Published(KEY), Hand()
    box = ballots(published, clock)
    assert await box.genuine(REQUEST)
    published.broken = True
    clock.moment += timedelta(seconds=60)
    with pytest.raises(ApiError):
        await box.genuine(REQUEST)
    with pytest.raises(ApiError):
        await box.renew(REQUEST)


async def test_t01_what_was_verified_is_taken_for_genuine_only_as_long_as_reviews_and_keys_are_the_same() -> None:
    verified: list[Review] = []

    class Counting(Knowing):
        def genuine(self, review: Review) -> bool:
            verified.append(review)
            return super().genuine(review)

    published = Published(KEY)
    box = Ballots(published, Hand(), "daypass-system", Counting)  # type: ignore[arg-type]
    for _ in range(3):
        await box.renew(REQUEST)
        assert await box.genuine(REQUEST) == list(REQUEST.reviews)
    assert len(verified) == 2
    forged = replace(REQUEST, reviews=(replace(REQUEST.reviews[0], key_id="another"), REQUEST.reviews[1]))
    assert await box.genuine(forged) == [REQUEST.reviews[1]]
    published.keys.append("one more")
    await box.renew(REQUEST)
    del verified[:]
    await box.genuine(REQUEST)
    assert len(verified) == 2


async def test_t61_key_of_anothers_review_is_not_called_unknown() -> None:
    request = a_request(uid="request-2").with_(reviews=REQUEST.reviews).build()
    assert ballots(Published()).unknown(request) == ()


async def test_t12_review_of_another_request_is_none() -> None:
    request = a_request(uid="request-2").with_(reviews=REQUEST.reviews).build()
    assert await ballots(Published(KEY)).genuine(request) == []


async def test_t11_keys_that_cannot_be_read_are_not_taken_for_no_keys() -> None:
    published = Published(KEY)
    published.broken = True
    with pytest.raises(ApiError):
        await ballots(published).genuine(REQUEST)


def test_t14_only_reviews_of_todays_digest_count_but_giving_up_always_does() -> None:
    old = [a_review("bob", decision, digest="cd" * 32) for decision in ReviewDecision]
    assert [vote.decision for vote in counted(old, DIGEST)] == [ReviewDecision.RELEASE]
    assert counted([a_review("bob")], "") == []
    assert counted([a_review("bob")], DIGEST) == [a_review("bob")]


def test_t12_approval_after_the_deadline_is_none_and_a_denial_is_one() -> None:
    late = NOON + timedelta(seconds=1)
    votes = [a_review("bob", ReviewDecision.APPROVE, time=late), a_review("carol", ReviewDecision.DENY, time=late)]
    assert [vote.decision for vote in counted(votes, DIGEST, NOON)] == [ReviewDecision.DENY]


def test_t14_approvals_of_what_was_recorded_are_void_once_it_changes() -> None:
    votes = [a_review("bob"), a_review("carol", ReviewDecision.DENY)]
    assert voided(votes, DIGEST, "cd" * 32) == votes[:1]
    assert voided(votes, DIGEST, DIGEST) == []
    assert voided(votes, "", DIGEST) == []
