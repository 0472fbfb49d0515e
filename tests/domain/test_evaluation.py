"""How policies combine. Deny wins; no Allow is denied; all that allow must be satisfied; in doubt, undecided."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import (
    NOON,
    PlainExpressions,
    RequestBuilder,
    a_deny,
    a_policy,
    a_request,
    a_resolved,
    a_stage,
    an_applied,
    user,
)
from daypass.domain.evaluation import Evaluation, Verdict, World, evaluate, refusal_at_admission
from daypass.domain.expressions import Facts
from daypass.domain.permissions import Rule
from daypass.domain.policy import Limits, Policy, RiskLevel
from daypass.domain.policy_set import PolicySet
from domain.rule_texts import rule

SECRETS = rule("get | core | secrets")
PODS = rule("get | core | pods")


def a_world(*rules: Rule, peers: tuple[RequestBuilder, ...] = (), readable: bool = True) -> World:
    given = rules or (PODS,)
    labels: dict[str, str] | None = {} if readable else None
    return World(NOON, labels, given, a_resolved(*given), peers=[peer.build() for peer in peers])


def judge(*policies: Policy, request: RequestBuilder | None = None, world: World | None = None) -> Evaluation:
    asked = request or a_request()
    return evaluate(asked.build(), policies, world or a_world(), PlainExpressions())


def names(evaluation: Evaluation) -> list[str]:
    return [policy.name for policy in evaluation.policies]


def test_one_policy_governs() -> None:
    found = judge(a_policy("team"))
    assert (found.verdict, found.reason, names(found)) == (Verdict.GOVERNED, "Governed", ["team"])
    assert found.stages == an_applied(a_stage(), policy="team")
    assert found.message == "governed by team"


def test_stages_add_up_and_the_strictest_limit_holds() -> None:
    slow = a_policy("slow", a_stage("s"), limits=Limits(max_duration_seconds=3600, pending_timeout_seconds=60))
    quick = a_policy("quick", a_stage("q"), limits=Limits(max_duration_seconds=900))
    found = judge(slow, quick, a_policy("auto", auto=True))
    assert names(found) == ["auto", "quick", "slow"]
    assert [(one.policy, one.stage.name) for one in found.stages] == [("quick", "q"), ("slow", "s")]
    assert found.pending_timeout_seconds == 60
    too_long = judge(slow, quick, request=a_request(duration=901))
    assert (too_long.verdict, too_long.reason) == (Verdict.DENIED, "LimitExceeded")
    assert too_long.message == "policy quick grants 900 seconds at most: set durationSeconds to that or less"
    assert too_long.policies == ()


def test_a_policy_may_leave_it_to_nobody() -> None:
    found = judge(a_policy(auto=True))
    assert (found.verdict, found.stages) == (Verdict.GOVERNED, ())


def test_deny_wins_with_the_messages_of_its_conditions() -> None:
    found = judge(a_policy(), a_deny("no-friday", conditions=("true",)), a_deny("freeze"))
    assert (found.verdict, found.reason, names(found)) == (Verdict.DENIED, "DeniedByPolicy", ["freeze", "no-friday"])
    assert found.message == "policy freeze denies requests like this one; says true (policy no-friday)"


def test_a_deny_policy_whose_condition_is_false_says_nothing() -> None:
    assert judge(a_policy(), a_deny(conditions=("true", "false"))).verdict is Verdict.GOVERNED


def test_no_policy_is_denied_and_says_what_was_asked() -> None:
    found = judge(request=a_request(role="admin", subject="bob"))
    assert (found.verdict, found.reason) == (Verdict.DENIED, "NoPolicyMatches")
    assert found.message == "no policy lets alice be granted ClusterRole admin to bob in namespace shop"


def test_failed_conditions_are_told_where_nothing_else_allows() -> None:
    policies = (a_policy("a", conditions=("false",)), a_policy("b", conditions=("false",), namespaces=("other",)))
    found = judge(*policies)
    assert (found.verdict, found.reason) == (Verdict.DENIED, "ConditionsNotMet")
    assert found.message == "says false (policy a)"
    assert judge(*policies, a_policy("c")).verdict is Verdict.GOVERNED


def test_t09_the_request_does_not_choose_its_policy() -> None:
    """A looser policy that matches too loosens nothing: both must be satisfied."""
    strict, loose = a_policy("strict", a_stage(required=2)), a_policy("loose", auto=True)
    assert [one.stage.required for one in judge(strict, loose).stages] == [2]


def test_t10_a_policy_with_neither_stages_nor_auto_approve_grants_nothing() -> None:
    found = judge(replace(a_policy(), stages=()))
    assert (found.verdict, found.reason) == (Verdict.UNDECIDED, "NoStageApplies")


def test_t10_stages_are_asked_though_auto_approve_is_said_too() -> None:
    assert judge(replace(a_policy(), auto_approve=True)).stages == an_applied(a_stage())


@pytest.mark.parametrize("condition", ["broken", "garbled", "object"])
def test_t11_t19_a_condition_that_cant_be_evaluated_is_undecided(condition: str) -> None:
    for policy in (a_policy("sick", conditions=(condition,)), a_deny("sick", conditions=(condition,))):
        found = judge(a_policy("well"), policy)
        assert (found.verdict, found.reason) == (Verdict.UNDECIDED, "PolicyUndecided")
        assert [fault.policy for fault in found.faults] == ["sick"]
        assert found.policies == ()
        assert found.stages == ()


def test_a_deny_that_is_certain_wins_over_a_doubt() -> None:
    assert judge(a_policy("sick", conditions=("broken",)), a_deny()).verdict is Verdict.DENIED


def test_t11_a_doubt_is_not_a_denial() -> None:
    assert judge(a_policy("sick", conditions=("broken",))).verdict is Verdict.UNDECIDED


def test_t11_labels_that_could_not_be_read_leave_an_expression_undecided() -> None:
    found = judge(a_policy(conditions=("true",)), world=a_world(readable=False))
    assert found.verdict is Verdict.UNDECIDED
    assert "labels of namespace shop could not be read" in found.message
    assert judge(a_policy(), world=a_world(readable=False)).verdict is Verdict.GOVERNED


def test_t22_a_role_that_is_not_resolved_is_undecided() -> None:
    found = judge(a_policy(), world=World(NOON, {}))
    assert (found.verdict, found.reason) == (Verdict.UNDECIDED, "RoleUnresolved")
    request = a_request(rules=[PODS])
    assert judge(a_policy(rules=(PODS,)), request=request, world=World(NOON, {}, (PODS,))).verdict is Verdict.GOVERNED


def test_t19_a_ticket_pattern_that_is_none_is_undecided() -> None:
    found = judge(a_policy("sick", limits=Limits(ticket_pattern="(")))
    assert (found.verdict, found.faults[0].policy) == (Verdict.UNDECIDED, "sick")


class TestStages:
    policy = a_policy("p", a_stage("team"), a_stage("security", risk_at_least=RiskLevel.HIGH))

    def applied(self, *rules: Rule) -> list[str]:
        return [one.stage.name for one in judge(self.policy, world=a_world(*rules)).stages]

    def test_risk_at_least(self) -> None:
        assert self.applied(PODS) == ["team"]
        assert self.applied(SECRETS) == ["team", "security"]
        assert self.applied(rule("* | * | *")) == ["team", "security"]

    def test_when(self) -> None:
        policy = a_policy("p", a_stage("a", when="true"), a_stage("b", when="false"))
        assert [one.stage.name for one in judge(policy).stages] == ["a"]

    def test_both_must_hold(self) -> None:
        policy = a_policy("p", a_stage("a"), a_stage("b", when="true", risk_at_least=RiskLevel.HIGH))
        assert [one.stage.name for one in judge(policy).stages] == ["a"]

    @pytest.mark.parametrize("when", ["broken", "garbled", "object"])
    def test_t19_when_that_cant_be_evaluated_is_undecided(self, when: str) -> None:
        found = judge(a_policy("sick", a_stage("a"), a_stage("b", when=when)), a_policy("well"))
        assert (found.verdict, found.faults[0].policy) == (Verdict.UNDECIDED, "sick")

    def test_t19_no_stage_applies_is_undecided_though_another_policy_is_fine(self) -> None:
        idle = a_policy("idle", a_stage(risk_at_least=RiskLevel.CRITICAL))
        found = judge(idle, a_policy("auto", auto=True))
        assert (found.verdict, found.reason) == (Verdict.UNDECIDED, "NoStageApplies")
        assert found.message == "policy idle: none of its stages applies at risk Low"


def test_expressions_see_the_risk_and_the_rules_of_the_role() -> None:
    seen: list[Facts] = []

    def look(facts: Facts) -> bool:
        seen.append(facts)
        return True

    evaluate(a_request().build(), [a_policy(conditions=("look",))], a_world(SECRETS), PlainExpressions(look=look))
    assert seen[0]["risk.level"] == RiskLevel.HIGH
    assert seen[0]["request.resources"] == ("secrets",)


def test_the_risk_is_told_whatever_the_verdict() -> None:
    for policies in ((), (a_policy(),), (a_deny(),), (a_policy(conditions=("broken",)),)):
        assert judge(*policies, world=a_world(SECRETS)).risk.level is RiskLevel.HIGH


def test_unless_lets_a_policy_give_way_to_a_stricter_one() -> None:
    general = a_policy("general", auto=True, unless=("strict",))
    strict = a_policy("strict", requesters=(user("alice"),))
    assert names(judge(general, strict)) == ["strict"]
    assert names(judge(general, strict, request=a_request(requester="erin"))) == ["general"]


class TestRefusalAtAdmission:
    short = a_policy("short", limits=Limits(max_duration_seconds=60))
    shorter = a_policy("shorter", limits=Limits(max_duration_seconds=30), conditions=("broken",))

    def refused(self, *policies: Policy, request: RequestBuilder | None = None) -> tuple[str, ...]:
        asked = request or a_request(duration=90)
        return refusal_at_admission(asked.build(), PolicySet(policies), World(NOON, None), PlainExpressions())

    def test_what_breaks_a_limit_of_every_policy_that_could_match(self) -> None:
        assert self.refused(self.short, self.shorter) == (
            "policy short grants 60 seconds at most: set durationSeconds to that or less",
            "policy shorter grants 30 seconds at most: set durationSeconds to that or less",
        )

    def test_one_policy_that_could_match_is_enough_to_create_it(self) -> None:
        assert self.refused(self.short, a_policy("wide", conditions=("false",))) == ()

    def test_policies_of_others_save_nobody(self) -> None:
        assert self.refused(self.short, a_policy("other", requesters=(user("erin"),)), a_deny()) != ()

    def test_without_any_policy_the_controller_says_so(self) -> None:
        assert self.refused() == ()
        assert self.refused(self.short, request=a_request(role="admin", duration=90)) == ()

    def test_t11_a_limit_that_cant_be_evaluated_is_left_to_the_controller(self) -> None:
        assert self.refused(self.short, a_policy("sick", limits=Limits(ticket_pattern="("))) == ()

    def test_t16_counts_are_judged(self) -> None:
        peer = a_request(uid="peer", created=NOON - timedelta(hours=1)).governed_by("p").build()
        world = World(NOON, None, peers=[peer])
        policy = a_policy("p", limits=Limits(max_per_day=1))
        assert refusal_at_admission(a_request().build(), [policy], world, PlainExpressions()) != ()


def test_of_very_many_messages_the_first_are_told() -> None:
    found = judge(*(a_policy(f"p{number:03}", conditions=("false",)) for number in range(100)))
    assert found.message.startswith("says false (policy p000); says false (policy p001)")
    assert found.message.endswith("says false (policy p015); and 84 more")
