"""Finding the approved request that covers something: by signatures and policies, never by status alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOON, a_deny, a_policy, a_stage, a_workload, an_action, an_applied
from daypass.app.admission.gates.earlier_requests import Earlier
from daypass.app.admission.gates.permits import Permits
from daypass.domain.conditions import State
from daypass.domain.policy import Policy
from daypass.domain.request import Condition, PolicyReference, Record, Request
from permitting import RUNS, VOLUMES, Known, a_call, a_permit, a_pod

NEEDED = ("HostNamespaces:hostPID",)
AUTO = a_policy(roles=(), privileges=("Baseline",), actions=(VOLUMES,), auto=True)


def finds(*requests: Request, policies: list[Policy] | None = None) -> bool:
    known = Known(*requests, policies=policies)
    return Permits(known, known).for_pod(a_pod(), NEEDED) is not None


def forged(permit: Request) -> Request:
    return replace(permit, reviews=tuple(replace(one, signature="forged") for one in permit.reviews))


def test_a_request_that_people_approved_covers() -> None:
    known = Known(a_permit())
    permits = Permits(known, known)
    assert permits.for_pod(a_pod(), NEEDED) == a_permit()
    assert permits.for_pod(a_pod(namespace="other"), NEEDED) is None
    known = Known(a_permit(an_action()))
    assert Permits(known, known).all_for_action(a_call()) == [a_permit(an_action())]


def test_t01_a_forged_status_with_unsigned_reviews_covers_nothing() -> None:
    assert finds(a_permit())
    assert not finds(forged(a_permit()))
    assert not finds(replace(a_permit(), reviews=()))


def test_t01_operations_need_approvals_that_can_be_verified_too() -> None:
    for permit in (forged(a_permit(an_action())), a_permit(an_action(), stages=an_applied(a_stage(), policy="q"))):
        known = Known(permit)
        assert Permits(known, known).all_for_action(a_call()) == []


def test_t01_a_review_of_another_request_covers_nothing() -> None:
    stolen = a_permit().reviews
    assert not finds(replace(a_permit(uid="request-2"), reviews=stolen))


@pytest.mark.parametrize(
    "stage",
    [
        a_stage(groups=("mallory-and-friends",)),
        a_stage(users=("mallory",), groups=("approvers",)),
        a_stage("another"),
        a_stage(required=0),
    ],
)
def test_t01_recorded_stages_are_those_of_the_policy(stage: object) -> None:
    assert not finds(a_permit(stages=an_applied(stage)))  # type: ignore[arg-type]


def test_a_stage_that_asks_for_more_than_its_policy_is_one_of_it() -> None:
    policies = [a_policy("p", a_stage(required=1), roles=())]
    assert finds(a_permit(None, "bob", "carol", stages=an_applied(a_stage(required=2))), policies=policies)


def test_t01_no_stage_is_left_out() -> None:
    both = (PolicyReference("p", "uid-p", 1), PolicyReference("q", "uid-q", 1))
    permit = a_permit()
    permit = replace(permit, record=replace(permit.record, policies=both))
    assert not finds(permit, policies=[a_policy("p", roles=()), a_policy("q", roles=())])
    assert finds(permit, policies=[a_policy("p", roles=()), replace(AUTO, name="q", uid="uid-q")])


def test_a_policy_that_was_edited_since_does_not_touch_what_is_active() -> None:
    edited = a_policy("p", a_stage("new", groups=("others",)), roles=(), generation=2)
    assert finds(a_permit(), policies=[edited])
    assert finds(a_permit(), policies=[])


def test_t63_a_policy_that_is_ahead_of_what_is_known_is_waited_for() -> None:
    permit = a_permit()
    ahead = replace(permit, record=replace(permit.record, policies=(PolicyReference("p", "uid-p", 2),)))
    assert not finds(ahead)


def test_a_stage_of_a_policy_that_does_not_govern_is_none() -> None:
    assert not finds(a_permit(stages=an_applied(a_stage(), policy="q")))


@pytest.mark.parametrize(
    ("policies", "covers"),
    [
        ([AUTO], True),
        ([replace(AUTO, generation=2)], True),
        ([], False),
        ([a_policy("p", roles=(), privileges=("Baseline",))], False),
        ([replace(AUTO, uid="made-anew")], False),
        ([a_policy(roles=(), privileges=("HostPorts",), auto=True)], False),
        ([a_policy(roles=(), privileges=("Baseline",), namespaces=("other",), auto=True)], False),
        ([a_deny("p", roles=(), privileges=("Baseline",))], False),
    ],
)
def test_t01_approved_by_nobody_is_approved_only_if_a_policy_that_is_known_says_so(
    policies: list[Policy], *, covers: bool
) -> None:
    by_policy = replace(a_permit(stages=()), reviews=())
    assert finds(by_policy, policies=policies) is covers


def test_the_one_that_ends_first_is_taken_first() -> None:
    late, soon = a_permit(uid="late", until=NOON + timedelta(hours=2)), a_permit(uid="soon")
    known = Known(late, soon)
    assert [one.uid for one in Permits(known, known).all_for_pod(a_pod(), NEEDED)] == ["soon", "late"]


def test_reviews_are_verified_once_for_each_change_of_them_or_of_the_keys() -> None:
    known = Known(a_permit())
    permits = Permits(known, known)
    for _ in range(3):
        assert permits.for_pod(a_pod(), NEEDED)
    assert len(known.verified) == 1
    known.requests = [a_permit(None, "carol")]
    assert permits.for_pod(a_pod(), NEEDED)
    assert len(known.verified) == 2


def test_t61_what_a_key_signed_that_is_published_no_more_is_not_believed_any_longer() -> None:
    known = Known(a_permit())
    permits = Permits(known, known)
    assert permits.for_pod(a_pod(), NEEDED)
    known.published = "other keys"
    known.withdrawn = True
    assert permits.for_pod(a_pod(), NEEDED) is None


def test_what_is_about_something_else_is_not_even_verified() -> None:
    known = Known(a_permit(a_workload("HostPorts")), a_permit(an_action()))
    assert Permits(known, known).for_pod(a_pod(), NEEDED) is None
    assert known.verified == []


def test_why_a_request_in_force_does_not_cover_is_told() -> None:
    known = Known(a_permit(an_action()), a_permit(used=["another"]))
    permits = Permits(known, known)
    assert permits.near_pod(a_pod(), NEEDED) == "request name-of-request-1 has no pod left of 1"
    assert permits.near_action(a_call()) == ""
    assert permits.near_action(a_call(caller="alice")) == (
        "request name-of-request-1 is for system:serviceaccount:shop:agent"
    )


def test_memory_is_bounded() -> None:
    requests = [a_permit(uid=f"r-{number}", used=["x"]) for number in range(5000)]
    known = Known(*requests)
    permits = Permits(known, known)
    for one in requests:
        permits.verified(one)
    assert len(permits._verified) == 4096


@pytest.mark.parametrize("state", [State.AWAITING_APPROVAL, State.UNDECIDED, State.SCHEDULED])
def test_what_people_asked_for_is_known_until_it_is_answered(state: State) -> None:
    pod = a_permit(a_workload("HostNamespaces", digest=RUNS), state=state)
    known = Known(pod, a_permit(an_action(), state=state))
    permits = Permits(known, known)
    told = Earlier(f"request {pod.name} is {state.value}: Ready says so", waits=True)
    assert permits.earlier_for_pod(a_pod(), NEEDED) == told
    assert permits.earlier_for_action(a_call()) == told
    for other in (a_pod(account="other"), a_pod(digest="00" * 32), a_pod(namespace="bank")):
        assert permits.earlier_for_pod(other, NEEDED) == Earlier()
    assert permits.earlier_for_pod(a_pod(), ("HostPorts",)) == Earlier()
    assert permits.earlier_for_action(a_call(caller="alice")) == Earlier()


def test_whom_it_waits_for_is_told_as_a_sentence() -> None:
    waiting = a_permit(state=State.AWAITING_APPROVAL)
    message = "Waiting for policy p, stage leads (0 of 1): group leads; until 2026-11-22T15:55:37Z."
    ready = Condition("Ready", "False", "AwaitingApproval", message, 1)
    known = Known(replace(waiting, record=replace(waiting.record, conditions=(ready,))))
    assert Permits(known, known).earlier_for_pod(a_pod(), NEEDED).told == (
        f"request {waiting.name} waits for policy p, stage leads (0 of 1): group leads; until 2026-11-22T15:55:37Z"
    )


def test_the_latest_denial_is_told() -> None:
    denied = [
        replace(
            a_permit(state=State.DENIED),
            name=f"ask-{minute}",
            record=Record((Condition("Ready", "False", "Denied", f"Denied by bob: {minute}", 1),), end_time=at),
        )
        for minute in (3, 5, 4)
        for at in (NOON + timedelta(minutes=minute),)
    ]
    known = Known(*denied)
    assert Permits(known, known).earlier_for_pod(a_pod(), NEEDED) == Earlier("request ask-5 was denied by bob: 5")
