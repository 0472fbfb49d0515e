"""Which request asks again for what is already asked (T16)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOON, RequestBuilder, a_person, a_request
from daypass.domain.duplicates import equal_pending
from domain.rule_texts import rule

FIRST = a_request(role="edit", uid="first").build()
RULES = [rule("get,list | core | pods"), rule("get | apps | deployments")]


def test_t16_the_same_again_is_found() -> None:
    assert equal_pending(a_request(role="edit").build(), [FIRST]) is FIRST


@pytest.mark.parametrize(
    "again",
    [
        a_request(role="edit", duration=901),
        a_request(role="edit", ticket="OPS-2"),
        a_request(role="edit").with_(reason="please"),
        a_request(role="edit", start=NOON - timedelta(hours=1)),
        a_request(role="edit", start=NOON),
        a_request(role="edit", requester=a_person("alice", groups=("others",), uid="7")),
    ],
)
def test_t16_small_changes_make_no_other_request(again: RequestBuilder) -> None:
    assert equal_pending(again.build(), [FIRST]) is FIRST


@pytest.mark.parametrize(
    "other",
    [
        a_request(role="view"),
        a_request(role="Role/edit"),
        a_request(role="edit", namespace="shop-2"),
        a_request(role="edit", requester="erin"),
        a_request(role="edit", subject="bob"),
        a_request(role="edit", start=NOON + timedelta(hours=1)),
        a_request(rules=RULES),
    ],
)
def test_another_wish_is_another_request(other: RequestBuilder) -> None:
    assert equal_pending(other.build(), [FIRST]) is None


@pytest.mark.parametrize("first", [a_request(role="edit").granted(), a_request(role="edit").ended()])
def test_what_is_decided_may_be_asked_again(first: RequestBuilder) -> None:
    assert equal_pending(a_request(role="edit").build(), [replace(first.build(), uid="first")]) is None


def test_what_is_being_deleted_may_be_asked_again() -> None:
    assert equal_pending(a_request(role="edit").build(), [replace(FIRST, deletion_time=NOON)]) is None


def test_a_request_does_not_repeat_itself() -> None:
    assert equal_pending(FIRST, [FIRST]) is None


def test_t16_the_same_rules_in_another_order_are_the_same() -> None:
    first = a_request(rules=RULES, uid="first").build()
    again = a_request(rules=[rule("get | apps | deployments"), rule("list,get | core | pods")]).build()
    assert equal_pending(again, [first]) is first
    assert equal_pending(a_request(rules=RULES[:1]).build(), [first]) is None


def test_t16_the_same_rules_cut_up_otherwise_are_the_same() -> None:
    first = a_request(rules=[rule("get,list | core | pods,services")], uid="first").build()
    cut = [rule("get | core | pods,services"), rule("list | core | services"), rule("list | core | pods")]
    assert equal_pending(a_request(rules=cut).build(), [first]) is first
    assert equal_pending(a_request(rules=cut[:2]).build(), [first]) is None
