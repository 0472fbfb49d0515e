"""What a person is told whose review would count nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DIGEST, NOON, RequestBuilder, a_person, a_request, a_stage, an_applied
from daypass.domain.identity import Identity
from daypass.domain.objections import objection
from daypass.domain.policy import Approvers, Stage
from daypass.domain.quorum import tally
from daypass.domain.review import ReviewDecision
from daypass.domain.wording import people

APPROVE, DENY, REVOKE, RELEASE = ReviewDecision


def objects(
    request: RequestBuilder,
    who: str | Identity,
    decision: ReviewDecision = APPROVE,
    *stages: Stage,
    digest_confirmed: bool = False,
) -> str:
    made = request.build()
    reviewer = a_person(who) if isinstance(who, str) else who
    given_stages = an_applied(*stages or (a_stage(),))
    return objection(made, given_stages, reviewer, decision, made.reviews, digest_confirmed=digest_confirmed)


def test_who_is_asked_may_approve_and_deny() -> None:
    assert objects(a_request(), "bob") == ""
    assert objects(a_request(), "bob", DENY) == ""


def test_t07_requester_is_told_that_somebody_else_must() -> None:
    for decision in (APPROVE, DENY):
        assert "you made this request" in objects(a_request(requester="bob"), "bob", decision)
    assert "your own access" in objects(a_request(subject="bob"), "bob")


def test_who_is_not_asked_is_told_who_is() -> None:
    said = objects(a_request(), "erin", APPROVE, a_stage(groups=("leads",)), a_stage("s", users=("zoe",)))
    assert said == (
        "no stage of this request asks you; stage team of policy p asks group leads; stage s of policy p asks user zoe"
    )


def test_t07_a_service_account_is_told_that_it_must_be_listed() -> None:
    assert "unless a stage lists them" in objects(a_request(), a_person("shop/bot", groups=("approvers",)))


def test_t08_a_second_approval_is_refused() -> None:
    assert "already" in objects(a_request().approved_by("bob"), "bob")
    assert objects(a_request().approved_by("carol"), "bob") == ""


def test_t08_a_second_approval_under_another_name_is_refused() -> None:
    first = a_person("bob", uid="7")
    assert "already" in objects(a_request().approved_by(first), a_person("robert", groups=("approvers",), uid="7"))


def test_one_may_deny_what_one_approved_before() -> None:
    assert objects(a_request().approved_by("bob"), "bob", DENY) == ""


def test_a_stage_that_demands_the_digest_gets_it() -> None:
    stage = a_stage(require_digest=True)
    assert f'"digest":"{DIGEST}"' in objects(a_request(), "bob", APPROVE, stage)
    assert objects(a_request(), "bob", APPROVE, stage, digest_confirmed=True) == ""
    assert objects(a_request(), "bob", DENY, stage) == ""


def test_an_approval_that_fills_no_place_for_want_of_the_digest_is_asked_for_it() -> None:
    stages = (a_stage(), a_stage("careful", users=("carol", "dave"), require_digest=True))
    one = a_request().approved_by("dave")
    assert f'"digest":"{DIGEST}"' in objects(one, "carol", APPROVE, *stages)
    assert objects(one, "carol", APPROVE, *stages, digest_confirmed=True) == ""
    assert objects(a_request(), "carol", APPROVE, *stages) == "", "it fills the place of the team"


def test_an_approval_may_be_repeated_with_the_digest_that_a_stage_still_lacks() -> None:
    stages = (a_stage(), a_stage("careful", require_digest=True))
    once = a_request().approved_by("bob")
    assert "already" in objects(once, "bob", APPROVE, *stages)
    assert objects(once, "bob", APPROVE, *stages, digest_confirmed=True) == ""
    twice = once.approved_by("bob", digest_confirmed=True)
    assert "already" in objects(twice, "bob", APPROVE, *stages, digest_confirmed=True)
    assert "already" in objects(once, "bob", APPROVE, a_stage(), digest_confirmed=True)


def test_revoke_is_for_what_is_approved_and_deny_for_what_is_not() -> None:
    assert "use Deny" in objects(a_request(), "bob", REVOKE)
    assert objects(a_request().granted(), "bob", REVOKE) == ""
    assert "use Revoke" in objects(a_request().granted(), "bob", DENY)
    assert "approved already" in objects(a_request().granted(), "bob", APPROVE)
    assert "asks you" in objects(a_request().granted(), "erin", REVOKE)


def test_release_is_for_requester_and_subject_at_any_time() -> None:
    for request in (a_request(subject="shop/agent"), a_request(subject="shop/agent").granted()):
        assert objects(request, "alice", RELEASE) == ""
        assert objects(request, "shop/agent", RELEASE) == ""
        assert "use Deny" in objects(request, "bob", RELEASE)


@pytest.mark.parametrize("decision", ReviewDecision)
def test_nothing_counts_on_what_has_ended(decision: ReviewDecision) -> None:
    for request in (a_request().ended(), a_request().with_(deletion_time=NOON)):
        assert "has ended" in objects(request, "bob", decision)
        assert "has ended" in objects(request, "alice", decision)


def test_what_was_left_to_policy_asks_nobody() -> None:
    made = a_request().granted().build()
    assert "asks nobody" in objection(made, (), a_person("bob"), REVOKE, (), digest_confirmed=False)


def test_nobody_listed_is_said_so() -> None:
    assert people(Approvers()) == "nobody"
    assert people(Approvers(("a",), ("g",), (("n", "s"),))) == "group g or user a or ServiceAccount n/s"


@given(
    who=st.sampled_from(["alice", "bob", "dave", "erin", "shop/bot"]),
    confirmed=st.booleans(),
    required=st.booleans(),
    earlier=st.lists(st.sampled_from(["bob", "carol", "dave"]), max_size=2),
)
def test_without_objection_an_approval_fills_a_place_of_an_empty_request(
    who: str, *, confirmed: bool, required: bool, earlier: list[str]
) -> None:
    stage = a_stage(require_digest=required)
    request = a_request().approved_by(*earlier)
    said = objects(request, who, APPROVE, stage, digest_confirmed=confirmed)
    alone = a_request().approved_by(who, digest_confirmed=confirmed).build()
    counts = tally(alone, an_applied(stage), alone.reviews).complete
    assert counts or said
    if not said:
        assert counts
