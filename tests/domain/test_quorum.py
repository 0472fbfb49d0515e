"""Whether enough people agreed, and whether one of them said no."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import GROUPS, NOON, RequestBuilder, a_person, a_request, a_review, a_stage, an_applied
from daypass.domain.places import fill
from daypass.domain.policy import AppliedStage, Stage
from daypass.domain.quorum import Tally, tally
from daypass.domain.review import ReviewDecision


def count(request: RequestBuilder, *stages: Stage | AppliedStage) -> Tally:
    made = request.build()
    given = tuple(one if isinstance(one, AppliedStage) else AppliedStage("p", one) for one in stages)
    return tally(made, given, made.reviews)


def approved(request: RequestBuilder, *stages: Stage) -> bool:
    return count(request, *stages).complete


def test_one_of_the_group_is_enough() -> None:
    found = count(a_request().approved_by("bob"), a_stage())
    assert found.complete
    assert [(one.policy, one.stage.name, one.approved_by, one.satisfied) for one in found.progress] == [
        ("p", "team", ("bob",), True)
    ]


def test_nobody_is_not_enough_but_where_nobody_is_asked() -> None:
    assert not approved(a_request(), a_stage())
    assert approved(a_request())


def test_who_is_not_listed_does_not_count() -> None:
    assert not approved(a_request().approved_by("erin"), a_stage())


def test_a_user_is_listed_by_name() -> None:
    assert approved(a_request().approved_by("erin"), a_stage(users=("erin",)))
    assert not approved(a_request().approved_by("erina"), a_stage(users=("erin",)))


def test_names_of_approvers_are_no_globs() -> None:
    assert not approved(a_request().approved_by("erin"), a_stage(users=("*",)))


class TestT07:
    """No self-approval, no agent approval, no exception."""

    def test_t07_requester_in_the_approver_group_does_not_count(self) -> None:
        assert not approved(a_request(requester="bob").approved_by("bob"), a_stage())

    def test_t07_requester_with_other_groups_does_not_count(self) -> None:
        again = a_person("bob", groups=("approvers", "system:masters"), uid="another")
        assert not approved(a_request(requester="bob").approved_by(again), a_stage())

    def test_t07_requester_under_another_name_is_known_by_uid(self) -> None:
        requester = a_person("bob@old", uid="7")
        renamed = a_person("bob@new", groups=("approvers",), uid="7")
        assert not approved(a_request(requester=requester).approved_by(renamed), a_stage())

    def test_t07_uids_are_compared_only_where_both_have_one(self) -> None:
        assert approved(a_request(requester=a_person("alice")).approved_by(a_person("bob")), a_stage())

    def test_t07_subject_does_not_count(self) -> None:
        assert not approved(a_request(requester="alice", subject="bob").approved_by("bob"), a_stage())

    def test_t07_subject_that_is_a_service_account_does_not_count_though_listed(self) -> None:
        stage = a_stage(service_accounts=(("shop", "agent"),))
        assert not approved(a_request(subject="shop/agent").approved_by("shop/agent"), stage)

    def test_t07_an_alias_of_the_requester_takes_its_friend_along(self) -> None:
        """One person under two names, one of which is the requester's: neither counts."""
        votes = (a_person("bob", uid="7"), a_person("bob2", groups=("approvers",), uid="7"))
        assert not approved(a_request(requester="bob").approved_by(*votes), a_stage())

    def test_t07_a_service_account_does_not_count_through_a_group(self) -> None:
        bot = a_person("shop/bot", groups=("approvers", "system:serviceaccounts:shop"))
        assert not approved(a_request().approved_by(bot), a_stage())

    def test_t07_a_service_account_does_not_count_as_a_user(self) -> None:
        stage = a_stage(users=("system:serviceaccount:shop:bot",))
        assert not approved(a_request().approved_by("shop/bot"), stage)

    def test_t07_a_service_account_counts_where_it_is_listed(self) -> None:
        stage = a_stage(service_accounts=(("shop", "bot"),))
        assert approved(a_request().approved_by("shop/bot"), stage)
        assert not approved(a_request().approved_by("shop2/bot"), stage)

    @pytest.mark.parametrize("group", ["system:authenticated", "system:masters", "system:serviceaccounts"])
    def test_t07_system_groups_are_no_approvers(self, group: str) -> None:
        admin = a_person("admin", groups=(group,))
        assert not approved(a_request().approved_by(admin), a_stage(groups=(group,)))

    @pytest.mark.parametrize("name", ["system:admin", "system:anonymous", ""])
    def test_t07_system_users_and_nobody_are_no_approvers(self, name: str) -> None:
        who = a_person(name, groups=("approvers",))
        assert not approved(a_request().approved_by(who), a_stage(users=(name,), groups=("approvers",)))


class TestT08:
    """Distinct people; one person fills one place in each policy; as many or more."""

    def test_t08_two_approvals_of_one_person_are_one(self) -> None:
        assert not approved(a_request().approved_by("bob", "bob"), a_stage(required=2))

    def test_t08_two_names_with_one_uid_are_one_person(self) -> None:
        votes = [a_person(name, groups=("approvers",), uid="7") for name in ("bob", "robert")]
        assert not approved(a_request().approved_by(*votes), a_stage(required=2))

    def test_t08_one_name_with_two_uids_is_one_person(self) -> None:
        votes = [a_person("bob", groups=("approvers",), uid=uid) for uid in ("7", "8")]
        assert not approved(a_request().approved_by(*votes), a_stage(required=2))

    def test_t08_names_and_uids_chain_into_one_person(self) -> None:
        votes = [a_person(name, groups=("approvers",), uid=uid) for name, uid in (("a", "1"), ("b", "2"), ("b", "1"))]
        assert not approved(a_request().approved_by(*votes), a_stage(required=2))

    def test_t08_one_person_in_two_groups_fills_one_place(self) -> None:
        stages = (a_stage("team", groups=("approvers",)), a_stage("security", groups=("security",)))
        assert GROUPS["dave"] == ("approvers", "security")
        found = count(a_request().approved_by("dave"), *stages)
        assert not found.complete
        assert sum(one.satisfied for one in found.progress) == 1
        assert approved(a_request().approved_by("dave", "bob"), *stages)

    def test_t08_one_person_counts_once_in_each_policy(self) -> None:
        stages = (*an_applied(a_stage(), policy="a"), *an_applied(a_stage(), policy="b"))
        assert count(a_request().approved_by("bob"), *stages).complete

    def test_t08_people_are_assigned_so_that_they_suffice(self) -> None:
        """Dave could sit in both stages: he takes the one that bob can't, whoever came first."""
        stages = (a_stage("team", groups=("approvers",)), a_stage("security", groups=("security",)))
        for order in (("dave", "bob"), ("bob", "dave")):
            found = count(a_request().approved_by(*order), *stages)
            assert [one.approved_by for one in found.progress] == [("bob",), ("dave",)]

    def test_t08_more_than_required_is_enough_too(self) -> None:
        assert approved(a_request().approved_by("bob", "carol", "dave"), a_stage(required=2))

    def test_t08_one_is_not_two(self) -> None:
        found = count(a_request().approved_by("bob"), a_stage(required=2))
        assert (found.complete, found.progress[0].approved_by, found.progress[0].satisfied) == (False, ("bob",), False)


def test_t10_a_stage_that_requires_nobody_requires_somebody() -> None:
    assert not approved(a_request(), replace(a_stage(), required=0))
    assert approved(a_request().approved_by("bob"), replace(a_stage(), required=0))


def test_t12_a_review_of_another_request_counts_nothing() -> None:
    made = a_request().build()
    votes = [a_review("bob", decision, uid="another") for decision in ReviewDecision]
    found = tally(made, an_applied(a_stage()), votes)
    assert (found.complete, found.denial, found.revocation, found.release) == (False, None, None, None)


def test_a_stage_may_demand_that_the_digest_was_named() -> None:
    stage = a_stage(require_digest=True)
    assert not approved(a_request().approved_by("bob"), stage)
    assert approved(a_request().approved_by("bob", digest_confirmed=True), stage)
    assert approved(a_request().approved_by("bob").approved_by("bob", digest_confirmed=True), stage)


def test_a_denial_by_anybody_who_is_asked_is_final() -> None:
    found = count(a_request().approved_by("bob").denied_by("carol").approved_by("dave"), a_stage(require_digest=True))
    assert found.denial is not None
    assert found.denial.reviewer.username == "carol"


@pytest.mark.parametrize("who", ["erin", "alice", "shop/bot"])
def test_a_denial_by_others_is_none(who: str) -> None:
    assert count(a_request().denied_by(who), a_stage()).denial is None


def test_the_earliest_denial_is_named() -> None:
    early, late = a_review("dave", ReviewDecision.DENY, time=NOON), a_review("bob", ReviewDecision.DENY, time=NOON)
    later = replace(late, time=NOON.replace(hour=13))
    assert tally(a_request().build(), an_applied(a_stage()), [later, early]).denial == early


def test_a_revocation_counts_from_approval_on() -> None:
    assert count(a_request().revoked_by("bob"), a_stage()).revocation is None
    assert count(a_request().scheduled().revoked_by("bob"), a_stage()).revocation is not None
    assert count(a_request().granted().revoked_by("bob"), a_stage()).revocation is not None
    assert count(a_request().granted().revoked_by("erin"), a_stage()).revocation is None
    assert count(a_request().granted().revoked_by("alice"), a_stage()).revocation is None


@pytest.mark.parametrize(("who", "counts"), [("alice", True), ("shop/agent", True), ("bob", False)])
def test_requester_and_subject_release(who: str, *, counts: bool) -> None:
    assert (count(a_request(subject="shop/agent").released_by(who), a_stage()).release is not None) is counts


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=6))
def test_places_are_filled_by_those_who_can_and_as_many_as_possible(able: list[list[int]]) -> None:
    seats = fill(able)
    taken = [person for person in seats if person is not None]
    assert len(taken) == len(set(taken))
    assert all(person in able[place] for place, person in enumerate(seats) if person is not None)
    assert len(taken) == _most(able, frozenset())


def _most(able: list[list[int]], used: frozenset[int]) -> int:
    """The same by trying everything."""
    if not able:
        return 0
    first, *rest = able
    return max([_most(rest, used), *(1 + _most(rest, used | {one}) for one in set(first) - used)])
