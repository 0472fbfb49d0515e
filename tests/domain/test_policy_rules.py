"""What is wrong with a policy, each with its path and all at once."""

from dataclasses import replace

import pytest

from builders import PlainExpressions, a_deny, a_policy, a_stage, account, group, user
from daypass.domain.policy import Expression, Limits, Policy, RiskLevel, Stage
from daypass.domain.policy_rules import expression_violations, unresolved, violations
from domain.rule_texts import rule


def paths(policy: Policy, *others: Policy) -> list[str]:
    return [violation.path for violation in violations(policy, others)]


@pytest.mark.parametrize(
    "policy",
    [
        a_policy(),
        a_policy(auto=True),
        a_policy("p", a_stage("a", required=2), a_stage("b", users=("x", "y"), required=2)),
        a_policy(requesters=(user("*"), group("system:authenticated"), account("*", "*")), subjects=(account("*"),)),
        a_policy(roles=(), rules=(rule("get | core | pods"),)),
        a_policy(limits=Limits(10, 1, 1, 0, 1, "^OPS")),
        a_deny(),
        a_deny(conditions=("true",)),
    ],
)
def test_nothing_is_wrong(policy: Policy) -> None:
    assert violations(policy) == ()


def stages(*given: Stage) -> Policy:
    return replace(a_policy(), stages=given)


class TestT10:
    """Approver sets that could never say yes."""

    def test_t10_somebody_listed_twice_is_one_person(self) -> None:
        assert paths(stages(a_stage(users=("a", "a"), required=2))) == ["spec.approvals"]
        assert paths(stages(a_stage(users=("a", "a"), required=2, when="true"))) == ["spec.approvals[0].approvers"]
        assert paths(stages(a_stage(users=("a",), service_accounts=(("n", "s"),), required=2))) == []

    def test_t10_a_group_may_have_any_number(self) -> None:
        assert paths(stages(a_stage(users=("a",), groups=("g",), required=3))) == []

    def test_t10_stages_that_one_person_would_have_to_fill_twice_are_refused(self) -> None:
        one = a_stage("one", users=("a",))
        assert paths(stages(one, a_stage("two", users=("a",)))) == ["spec.approvals"]
        assert paths(stages(one, a_stage("two", users=("a", "b")))) == []

    def test_t10_a_stage_that_can_never_be_filled_beside_those_that_always_apply(self) -> None:
        always = a_stage("always", users=("a",))
        high = a_stage("high", users=("a",), risk_at_least=RiskLevel.HIGH)
        low = a_stage("low", users=("a",), when="true")
        assert paths(stages(always, high)) == ["spec.approvals[1].approvers"]
        assert paths(stages(high, low)) == []  # perhaps they never apply together


class TestUnless:
    def test_a_policy_may_not_name_itself(self) -> None:
        assert paths(a_policy("a", unless=("a",))) == ["spec.match.unless"]

    def test_a_circle_is_refused(self) -> None:
        others = (a_policy("b", unless=("c",)), a_policy("c", unless=("a",)))
        assert paths(a_policy("a", unless=("b",)), *others) == ["spec.match.unless"]

    def test_the_stored_policy_of_the_name_is_replaced_not_added(self) -> None:
        others = (a_policy("a", unless=("b",)), a_policy("b", unless=("a",)))
        assert paths(a_policy("a"), *others) == []

    def test_a_chain_is_fine_and_so_is_a_circle_of_others(self) -> None:
        assert paths(a_policy("a", unless=("b",)), a_policy("b", unless=("c",)), a_policy("c")) == []
        assert paths(a_policy("a", unless=("b",)), a_policy("b", unless=("c",)), a_policy("c", unless=("b",))) == []

    def test_names_that_are_no_policy_are_told_apart(self) -> None:
        policy = a_policy("a", unless=("b", "gone"))
        assert paths(policy, a_policy("b")) == []
        assert [one.path for one in unresolved(policy, [a_policy("b")])] == ["spec.match.unless[1]"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    policy = a_policy("p", a_stage(users=("a", "a"), required=2), unless=("p",))
    assert paths(policy) == ["spec.approvals", "spec.match.unless"]


def test_t19_expressions_that_do_not_compile_are_refused_with_their_path() -> None:
    policy = a_policy(
        "p",
        a_stage("a", when="garbled"),
        a_stage("b", when="true"),
        conditions=("true", Expression("garbled", "m")),
        limits=Limits(ticket_pattern="("),
    )
    assert [violation.path for violation in expression_violations(policy, PlainExpressions())] == [
        "spec.match.conditions[1].expression",
        "spec.approvals[0].when",
        "spec.limits.ticketPattern",
    ]
    assert expression_violations(a_policy(), PlainExpressions()) == ()
