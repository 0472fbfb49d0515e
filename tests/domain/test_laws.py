"""Laws of the decisions, tried on generated policies and reviews."""

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import (
    DIGEST,
    NOON,
    PlainExpressions,
    a_deny,
    a_person,
    a_policy,
    a_request,
    a_resolved,
    a_review,
    a_stage,
    an_applied,
    group,
    user,
)
from daypass.domain.evaluation import Evaluation, Verdict, World, evaluate, refusal_at_admission
from daypass.domain.matching import could_match
from daypass.domain.policy import AppliedStage, Limits, Policy, RiskLevel, Stage
from daypass.domain.policy_set import PolicySet
from daypass.domain.quorum import tally
from daypass.domain.request import Request
from daypass.domain.review import Review, ReviewDecision
from domain.rule_texts import rule

WORLD = World(NOON, {}, (rule("get | core | secrets"),), a_resolved())
NAMESPACES = ["shop", "shop-1", "other"]
GLOBS = ["shop", "shop-*", "*", "other", "s*p*", "oth*"]
ROLES = ["view", "edit", "Role/edit", "admin"]

_names = st.sampled_from([f"policy-{number}" for number in range(8)])
_seconds = st.none() | st.sampled_from([60, 900, 3600])
_stages = st.lists(
    st.builds(
        a_stage,
        st.sampled_from(["one", "two", "three"]),
        required=st.integers(1, 2),
        groups=st.sampled_from([("approvers",), ("security",)]),
        risk_at_least=st.sampled_from([None, *RiskLevel]),
        when=st.sampled_from([None, "true", "false", "broken"]),
        require_digest=st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    fields: dict[str, Any] = {
        "namespaces": draw(st.none() | st.lists(st.sampled_from(GLOBS), max_size=2).map(tuple)),
        "roles": draw(st.none() | st.lists(st.sampled_from(ROLES), max_size=2).map(tuple)),
        "requesters": draw(st.sampled_from([None, (user("alice"),), (group("developers"),), (user("erin"),)])),
        "conditions": draw(st.lists(st.sampled_from(["true", "true", "false", "broken"]), max_size=2).map(tuple)),
    }
    if draw(st.integers(0, 4)) == 0:
        return a_deny(draw(_names), **fields)
    limits = Limits(max_duration_seconds=draw(_seconds), pending_timeout_seconds=draw(_seconds))
    stages = draw(_stages)
    return a_policy(draw(_names), *stages, auto=draw(st.booleans()), limits=limits, **fields)


REQUESTS = st.builds(
    lambda namespace, role, duration: a_request(namespace=namespace, role=role, duration=duration).build(),
    st.sampled_from(NAMESPACES),
    st.sampled_from(ROLES),
    st.sampled_from([60, 61, 900, 3600, 7200]),
)
POLICIES = st.lists(policies(), max_size=6, unique_by=lambda policy: policy.name)
STRICTNESS = {Verdict.GOVERNED: 0, Verdict.UNDECIDED: 1, Verdict.DENIED: 1}


def judge(request: Request, some: list[Policy]) -> Evaluation:
    return evaluate(request, some, WORLD, PlainExpressions())


@given(REQUESTS, POLICIES)
def test_a_grant_never_outlives_the_least_maximum(request: Request, some: list[Policy]) -> None:
    found = judge(request, some)
    if found.verdict is Verdict.GOVERNED:
        most = [one.limits.max_duration_seconds for one in found.policies]
        assert request.duration_seconds <= min((each for each in most if each is not None), default=10**9)


@given(REQUESTS, POLICIES, policies())
def test_t09_adding_an_allow_policy_that_nobody_names_never_loosens(
    request: Request, some: list[Policy], more: Policy
) -> None:
    """What was governed is governed by all of that and perhaps more, or no longer; what was denied by a Deny stays so."""
    before, after = judge(request, some), judge(request, [*some, replace(more, name="more")])
    if before.verdict is Verdict.GOVERNED and after.verdict is Verdict.GOVERNED:
        assert set(before.stages) <= set(after.stages)
        assert set(before.policies) <= set(after.policies)
        assert after.pending_timeout_seconds <= before.pending_timeout_seconds or not any(
            one.limits.pending_timeout_seconds for one in before.policies
        )
    if before.reason == "DeniedByPolicy":
        assert after.verdict is Verdict.DENIED
    if before.reason in {"PolicyUndecided", "NoStageApplies", "LimitExceeded"}:
        assert after.verdict is not Verdict.GOVERNED


@given(REQUESTS, POLICIES, st.randoms())
def test_the_order_of_policies_does_not_matter(request: Request, some: list[Policy], chance: Random) -> None:
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert judge(request, shuffled) == judge(request, some)


@given(REQUESTS, POLICIES)
def test_what_is_governed_is_allowed_by_all_and_denied_by_none(request: Request, some: list[Policy]) -> None:
    found = judge(request, some)
    assert bool(found.faults) == (found.verdict is Verdict.UNDECIDED)
    assert found.verdict is Verdict.GOVERNED or not found.stages


@given(REQUESTS, POLICIES)
def test_the_index_leaves_out_no_policy_that_could_match(request: Request, some: list[Policy]) -> None:
    found = {one.name for one in PolicySet(some).candidates(request)}
    assert {one.name for one in some if could_match(one, request)} <= found


@given(REQUESTS, POLICIES)
def test_admission_refuses_nothing_that_would_be_governed(request: Request, some: list[Policy]) -> None:
    if refusal_at_admission(request, some, WORLD, PlainExpressions()):
        assert judge(request, some).verdict is not Verdict.GOVERNED


# Reviews.

REQUEST = a_request().build()
PEOPLE = ["alice", "bob", "carol", "dave", "frank"]
MEMBERS = {"frank": ("security",), "bob": ("approvers", "security"), "alice": ("approvers",)}
_APPROVALS = st.lists(
    st.builds(
        lambda name, confirmed: a_review(
            a_person(name, groups=MEMBERS.get(name, ("approvers",))), digest_confirmed=confirmed
        ),
        st.sampled_from(PEOPLE),
        st.booleans(),
    ),
    max_size=6,
)


def applied(stages: list[Stage]) -> tuple[AppliedStage, ...]:
    return (*an_applied(*stages[:2], policy="a"), *an_applied(*stages[2:], policy="b"))


@given(_stages, _APPROVALS, st.randoms())
def test_t08_the_order_of_reviews_does_not_matter(stages: list[Stage], votes: list[Review], chance: Random) -> None:
    shuffled = list(votes)
    chance.shuffle(shuffled)
    assert tally(REQUEST, applied(stages), shuffled) == tally(REQUEST, applied(stages), votes)


@given(_stages, _APPROVALS, _APPROVALS)
def test_t08_more_approvals_never_unfill_a_stage(stages: list[Stage], votes: list[Review], more: list[Review]) -> None:
    before = tally(REQUEST, applied(stages), votes)
    after = tally(REQUEST, applied(stages), [*votes, *more])
    for one, other in zip(before.progress, after.progress, strict=True):
        assert other.satisfied or not one.satisfied
        assert len(other.approved_by) >= len(one.approved_by)


@given(_stages, _APPROVALS)
def test_t08_a_satisfied_policy_has_as_many_distinct_people_as_places(stages: list[Stage], votes: list[Review]) -> None:
    found = tally(REQUEST, applied(stages), votes)
    for policy in ("a", "b"):
        people = [name for one in found.progress if one.policy == policy for name in one.approved_by]
        assert len(people) == len(set(people))
        assert "alice" not in people
    assert found.complete == all(len(one.approved_by) >= one.stage.required for one in found.progress)


@given(_stages, _APPROVALS, st.sampled_from(PEOPLE))
def test_t08_the_same_approval_again_changes_nothing(stages: list[Stage], votes: list[Review], who: str) -> None:
    again = [*votes, *(vote for vote in votes if vote.reviewer.username == who)]
    assert tally(REQUEST, applied(stages), again) == tally(REQUEST, applied(stages), votes)


@given(_stages, _APPROVALS, st.sampled_from(["bob", "carol", "dave"]))
def test_a_denial_stays_whatever_is_approved(stages: list[Stage], votes: list[Review], who: str) -> None:
    denial = a_review(a_person(who, groups=("approvers", "security")), ReviewDecision.DENY, digest=DIGEST)
    assert tally(REQUEST, applied(stages), [denial, *votes]).denial == denial
