"""Which approved request covers which pod and which operation."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from builders import DIGEST, NOON, a_request, a_review, a_stage, a_workload, an_action, an_applied
from daypass.domain import permits
from daypass.domain.conditions import State
from daypass.domain.permits import ActionCall
from daypass.domain.pod_facts import PodFacts
from daypass.domain.request import Request
from daypass.domain.review import ReviewDecision
from permitting import LATER, RUNS, a_call, a_permit, a_pod

NEEDED = ("HostNamespaces:hostPID",)
TWO = an_applied(a_stage(required=2))


def refusal(permit: Request, pod: PodFacts | None = None, *needed: str) -> str:
    return permits.refusal(permit, pod or a_pod(), needed or NEEDED, LATER)


def test_a_request_covers_pods_of_its_namespace_account_and_privileges() -> None:
    assert refusal(a_permit()) == ""


@pytest.mark.parametrize(
    ("permit", "pod", "why"),
    [
        (a_permit(), a_pod(namespace="other"), permits.ELSE),
        (a_permit(an_action()), a_pod(), permits.ELSE),
        (a_permit(), a_pod(account="default"), "is for pods of ServiceAccount agent"),
        (a_permit(a_workload(digest=RUNS)), a_pod(digest="ef" * 32), "podTemplateDigest differs"),
        (a_permit(a_workload("HostPorts")), a_pod(), "does not name HostNamespaces:hostPID"),
        (a_permit(used=["another"]), a_pod(), "has no pod left of 1"),
        (a_permit(state=State.AWAITING_APPROVAL), a_pod(), "is AwaitingApproval"),
        (a_permit(state=State.SUSPENDED), a_pod(), "is Suspended"),
        (a_permit(state=State.REVOKED), a_pod(), "is Revoked"),
        (a_permit(until=LATER), a_pod(), "ended at 2026-03-02T12:10:00Z"),
    ],
)
def test_what_differs_is_told(permit: Request, pod: PodFacts, why: str) -> None:
    assert why in refusal(permit, pod)
    assert refusal(permit, pod)


def test_a_permit_ends_on_time_whatever_status_says() -> None:
    permit = a_permit(until=LATER + timedelta(seconds=1))
    assert permits.is_open(permit, LATER)
    assert not permits.is_open(permit, LATER + timedelta(seconds=1))
    assert not permits.is_open(replace(permit, deletion_time=NOON), LATER)
    assert not permits.is_open(replace(permit, record=replace(permit.record, expiration_time=None)), LATER)
    assert not permits.is_open(replace(permit, record=replace(permit.record, start_time=LATER)), NOON)


def test_every_privilege_that_is_needed_must_be_in_one_request() -> None:
    permit = a_permit(a_workload("HostNamespaces", "HostPathVolumes:/var/log"))
    assert refusal(permit, None, "HostNamespaces:hostPID", "HostPathVolumes:/var/log") == ""
    assert "HostPathVolumes:/etc" in refusal(permit, None, "HostNamespaces:hostPID", "HostPathVolumes:/etc")


def test_a_pod_that_was_let_in_before_needs_no_other_use() -> None:
    assert refusal(a_permit(used=["uid-of-nightly-x7x2k"])) == ""


def test_t01_an_approval_in_status_without_a_genuine_review_is_none() -> None:
    unsigned = replace(a_permit(), reviews=())
    assert refusal(unsigned) == "was not approved by anybody whose review can be verified"


@pytest.mark.parametrize("change", [{"digest": "ef" * 32}, {"request_uid": "another"}, {"time": NOON + timedelta(2)}])
def test_t12_t14_reviews_of_something_else_or_too_late_do_not_count(change: dict[str, object]) -> None:
    permit = a_permit()
    review = replace(permit.reviews[0], **change)  # type: ignore[arg-type]
    assert refusal(replace(permit, reviews=(review,)))


def test_t55_the_author_of_a_pod_does_not_approve_it() -> None:
    permit = a_permit(None, "bob")
    assert refusal(permit, a_pod(authors=("alice", "bob"))).startswith("was approved by bob, who had a hand in this")
    assert refusal(permit, a_pod(authors=("alice",))) == ""


def test_t55_others_may_approve_beside_an_author() -> None:
    assert refusal(a_permit(None, "bob", "carol"), a_pod(authors=("bob",))) == ""
    assert refusal(a_permit(None, "bob", "carol", stages=TWO), a_pod(authors=("bob",)))


def test_t69_where_an_author_is_unknown_two_people_must_approve() -> None:
    somebody = a_pod(authors=(), unknown=True)
    assert refusal(a_permit(None, "bob"), somebody).startswith("was approved by one person alone")
    assert refusal(a_permit(None, "bob", "carol"), somebody) == ""
    assert refusal(a_permit(None, "bob", "carol"), a_pod(authors=("carol",), unknown=True))


def test_what_policy_approved_by_itself_asks_nobody() -> None:
    by_policy = replace(a_permit(stages=()), reviews=())
    assert refusal(by_policy, a_pod(authors=(), unknown=True)) == ""


@pytest.mark.parametrize(
    ("decision", "who"),
    [(ReviewDecision.REVOKE, "carol"), (ReviewDecision.RELEASE, "shop/agent"), (ReviewDecision.DENY, "carol")],
)
def test_a_request_that_was_taken_back_covers_nothing_before_the_controller_says_so(
    decision: ReviewDecision, who: str
) -> None:
    permit = a_permit()
    taken = replace(permit, reviews=(*permit.reviews, a_review(who, decision, digest=DIGEST)))
    assert refusal(taken) == "was taken back"


def test_a_stranger_takes_nothing_back() -> None:
    permit = a_permit()
    assert refusal(replace(permit, reviews=(*permit.reviews, a_review("erin", ReviewDecision.REVOKE)))) == ""


ACTION = an_action()


def action_refusal(permit: Request, call: ActionCall, now: datetime) -> str:
    return permits.action_mismatch(permit, call, now) or permits.disapproval(permit, call.hands)


@pytest.mark.parametrize(
    ("permit", "call", "why"),
    [
        (a_permit(ACTION), a_call("delete persistentvolumeclaims other"), permits.ELSE),
        (a_permit(ACTION), a_call("update persistentvolumeclaims data"), permits.ELSE),
        (a_permit(ACTION), a_call("delete persistentvolumeclaims/status data"), permits.ELSE),
        (a_permit(ACTION), a_call(namespace="other"), permits.ELSE),
        (a_permit(), a_call(), permits.ELSE),
        (a_permit(ACTION), a_call(caller="shop/robot"), "is for system:serviceaccount:shop:agent"),
        (a_permit(ACTION, used=["uid-of-what-was"]), a_call(), "has no use left of 1"),
        (a_permit(ACTION, state=State.EXPIRED), a_call(), "is Expired"),
        (
            a_permit(replace(ACTION, object_digest=RUNS)),
            a_call(digest="ef" * 32),
            "is for another object of that name: its objectDigest differs",
        ),
    ],
)
def test_an_action_is_covered_as_it_was_asked_for_and_no_other(permit: Request, call: ActionCall, why: str) -> None:
    assert why in action_refusal(permit, call, LATER)
    assert action_refusal(permit, call, LATER)


def test_a_request_without_a_digest_is_for_any_content() -> None:
    assert action_refusal(a_permit(ACTION), a_call(digest=RUNS), LATER) == ""


def test_t47_a_retried_call_is_covered_by_the_use_that_it_has() -> None:
    spent = a_permit(ACTION, used=["uid-of-data"])
    assert action_refusal(spent, a_call(), LATER) == ""
    assert permits.is_spent(spent)


def test_t07_the_caller_of_an_action_does_not_approve_it() -> None:
    permit = a_permit(ACTION, "bob", requester="bob")
    assert action_refusal(permit, a_call(caller="bob"), LATER)


@pytest.mark.parametrize(
    ("users", "groups", "counts"), [(("bob",), (), False), ((), ("approvers",), False), (("eve",), ("ops",), True)]
)
def test_t44_whom_a_binding_gives_a_role_does_not_count_whoever_wrote_the_request(
    users: tuple[str, ...], groups: tuple[str, ...], *, counts: bool
) -> None:
    permit = a_permit(an_action("create rolebindings wider"), "bob")
    call = replace(a_call("create rolebindings wider"), parties=users, party_groups=groups)
    said = action_refusal(permit, call, LATER)
    assert said == ("" if counts else "was approved by bob, who had a hand in this and so does not count")


def test_an_action_is_covered_with_the_content_that_was_approved() -> None:
    permit = a_permit(replace(an_action("create configmaps data"), object_digest=RUNS))
    assert action_refusal(permit, a_call("create configmaps data", digest=RUNS), LATER) == ""


def test_only_permits_have_uses() -> None:
    assert permits.most_uses(a_request().build()) == 0
    assert permits.most_uses(a_permit(a_workload(pods=7))) == 7
    assert permits.most_uses(a_permit(an_action(uses=3))) == 3
