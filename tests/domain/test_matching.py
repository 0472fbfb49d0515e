"""Which requests a policy speaks of."""

import pytest

from builders import (
    NOON,
    PlainExpressions,
    RequestBuilder,
    a_deny,
    a_person,
    a_policy,
    a_request,
    a_workload,
    account,
    group,
    user,
)
from daypass.domain.facts import facts
from daypass.domain.identity import Identity
from daypass.domain.matching import Fit, Fitting, Question, could_match, fitting
from daypass.domain.policy import IdentityPattern, LabelRequirement, Policy, RiskLevel
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import Request
from daypass.domain.risk import Risk
from domain.rule_texts import rule

GET_PODS = rule("get | core | pods")
PODS = rule("get,list | core | pods")


def fit(policy: Policy, request: RequestBuilder, *others: Policy, labels: dict[str, str] | None = None) -> Fitting:
    made = request.build()
    known = {} if labels is None else labels
    low = Risk(RiskLevel.LOW)
    question = Question(made, low, known, facts(made, known, low, NOON), PlainExpressions())
    return fitting(policy, question, PolicySet([policy, *others]))


def matches(policy: Policy, request: RequestBuilder) -> bool:
    return could_match(policy, request.build())


@pytest.mark.parametrize(
    ("globs", "namespace", "fits"),
    [
        (("shop",), "shop", True),
        (("shop",), "shop-1", False),
        (("a", "shop-*"), "shop-1", True),
        (None, "x", True),
        ((), "x", False),
    ],
)
def test_namespaces(globs: tuple[str, ...] | None, namespace: str, *, fits: bool) -> None:
    assert matches(a_policy(namespaces=globs), a_request(namespace=namespace)) is fits


@pytest.mark.parametrize(
    ("pattern", "requester", "fits"),
    [
        (user("alice"), "alice", True),
        (user("al*"), "alice", True),
        (user("*"), "shop/agent", False),  # no star crosses a colon
        (user("system:serviceaccount:shop:agent"), "shop/agent", True),
        (group("developers"), "alice", True),
        (group("dev*"), "alice", True),
        (group("developers"), "bob", False),
        (account("agent", "shop"), "shop/agent", True),
        (account("*", "sh*"), "shop/agent", True),
        (account("agent"), "shop/agent", True),  # no namespace: the request's own
        (account("agent"), "other/agent", False),
        (account("agent", "*"), "other/agent", True),
        (account("alice"), "alice", False),
        (IdentityPattern("Robot", "alice"), "alice", False),
    ],
)
def test_requesters(pattern: IdentityPattern, requester: str, *, fits: bool) -> None:
    assert matches(a_policy(requesters=(pattern,)), a_request(requester=requester)) is fits


def test_any_requester_is_enough_and_none_is_none() -> None:
    assert matches(a_policy(requesters=(user("erin"), group("developers"))), a_request())
    assert not matches(a_policy(requesters=()), a_request())


def test_t18_without_subjects_the_subject_must_be_the_requester() -> None:
    assert matches(a_policy(), a_request(requester="alice", subject="alice"))
    assert matches(a_policy(), a_request(requester="shop/agent", subject="shop/agent"))
    assert not matches(a_policy(), a_request(requester="alice", subject="mallory"))
    assert not matches(a_policy(), a_request(requester="alice", subject="shop/alice"))


def test_t18_with_subjects_the_subject_must_be_listed() -> None:
    policy = a_policy(requesters=(user("alice"),), subjects=(account("agent"),))
    assert matches(policy, a_request(requester="alice", subject="shop/agent"))
    assert not matches(policy, a_request(requester="alice", subject="mallory"))
    assert not matches(policy, a_request(requester="alice", subject="other/agent"))
    assert not matches(policy, a_request(requester="alice"))  # not even herself


def test_t18_a_subject_is_never_matched_by_group() -> None:
    assert not matches(a_policy(subjects=(group("developers"),)), a_request())


@pytest.mark.parametrize(("role", "fits"), [("edit", True), ("edi", False), ("Role/edit", False), ("admin", False)])
def test_t21_only_listed_roles_by_kind_and_name(role: str, *, fits: bool) -> None:
    assert matches(a_policy(roles=("view", "edit")), a_request(role=role)) is fits


def test_t21_an_allow_policy_without_grants_gives_nothing() -> None:
    assert not matches(a_policy(roles=None), a_request())


def test_t09_rules_may_be_less_than_the_bound_and_never_more() -> None:
    policy = a_policy(roles=(), rules=(PODS,))
    assert matches(policy, a_request(rules=[GET_PODS]))
    assert not matches(policy, a_request(rules=[GET_PODS, rule("get | core | secrets")]))
    assert not matches(policy, a_request(role="view"))
    assert not matches(a_policy(roles=("view",)), a_request(rules=[GET_PODS]))


def test_t09_a_deny_policy_is_not_evaded_by_a_rule_more() -> None:
    deny = a_deny(rules=(rule("* | core | secrets"),), roles=())
    assert matches(deny, a_request(rules=[rule("get | core | secrets")]))
    assert matches(deny, a_request(rules=[rule("get | core | pods,secrets"), GET_PODS]))
    assert not matches(deny, a_request(rules=[GET_PODS]))


def test_a_deny_policy_with_an_empty_match_speaks_of_everything() -> None:
    assert matches(a_deny(), a_request(role="admin", requester="shop/agent", subject="mallory"))
    assert matches(a_deny(), a_request(rules=[GET_PODS]))


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        (LabelRequirement("env", "In", ("prod", "test")), True),
        (LabelRequirement("env", "In", ("test",)), False),
        (LabelRequirement("env", "NotIn", ("test",)), True),
        (LabelRequirement("none", "NotIn", ("test",)), True),
        (LabelRequirement("none", "In", ("test",)), False),
        (LabelRequirement("env", "Exists"), True),
        (LabelRequirement("none", "Exists"), False),
        (LabelRequirement("none", "DoesNotExist"), True),
        (LabelRequirement("env", "DoesNotExist"), False),
    ],
)
def test_namespace_selector(requirement: LabelRequirement, *, fits: bool) -> None:
    found = fit(a_policy(selector=(requirement,)), a_request(), labels={"env": "prod"})
    assert found.fit is (Fit.MATCHES if fits else Fit.DIFFERS)


def test_t63_an_unknown_operator_is_undecided() -> None:
    assert fit(a_policy(selector=(LabelRequirement("env", "Like", ("p",)),)), a_request()).fit is Fit.UNDECIDED


def question(request: Request) -> Question:
    return Question(request, Risk(RiskLevel.LOW), None, None, PlainExpressions())


def test_t11_labels_that_could_not_be_read_are_undecided() -> None:
    asked = question(a_request().build())
    for policy in (a_policy(selector=(LabelRequirement("env", "DoesNotExist"),)), a_policy(conditions=("true",))):
        assert fitting(policy, asked, PolicySet([policy])).fit is Fit.UNDECIDED
    assert fitting(a_policy(), asked, PolicySet()).fit is Fit.MATCHES


def test_conditions_give_their_messages() -> None:
    assert fit(a_policy(conditions=("true",)), a_request()) == Fitting(Fit.MATCHES, ("says true",))
    assert fit(a_policy(conditions=("true", "false")), a_request()) == Fitting(Fit.CONDITIONS_FAIL, ("says false",))


def test_conditions_are_not_looked_at_where_the_rest_differs() -> None:
    assert fit(a_policy(conditions=("broken",)), a_request(role="admin")).fit is Fit.DIFFERS


@pytest.mark.parametrize("condition", ["broken", "garbled", "object"])
def test_t19_only_a_true_bool_counts(condition: str) -> None:
    found = fit(a_policy(conditions=("true", condition, "false")), a_request())
    assert found.fit is Fit.UNDECIDED
    assert found.messages[0].startswith("condition 2 can't be evaluated")


class TestUnless:
    def test_a_policy_steps_aside_for_one_that_it_names(self) -> None:
        policy = a_policy(unless=("other",))
        assert fit(policy, a_request(), a_policy("other")).fit is Fit.DIFFERS
        assert fit(policy, a_request(), a_policy("other", namespaces=("elsewhere",))).fit is Fit.MATCHES
        assert fit(policy, a_request(), a_policy("other", conditions=("false",))).fit is Fit.MATCHES

    def test_only_the_named_policys_own_match_is_looked_at(self) -> None:
        named = a_policy("other", unless=("third",))
        assert fit(a_policy(unless=("other",)), a_request(), named, a_policy("third")).fit is Fit.DIFFERS

    def test_t10_a_policy_that_does_not_exist_is_undecided(self) -> None:
        found = fit(a_policy(unless=("gone",)), a_request())
        assert found == Fitting(Fit.UNDECIDED, ("unless names policy gone, which does not exist",))

    def test_t11_a_named_policy_that_cant_be_evaluated_is_undecided(self) -> None:
        found = fit(a_policy(unless=("other",)), a_request(), a_policy("other", conditions=("broken",)))
        assert found.fit is Fit.UNDECIDED
        assert "unless names policy other" in found.messages[0]

    def test_a_circle_is_undecided_and_not_no_policy_at_all(self) -> None:
        one, other = a_deny("a", unless=("b",)), a_deny("b", unless=("a",))
        assert fit(one, a_request(), other).fit is Fit.UNDECIDED
        assert fit(a_policy("self", unless=("self",)), a_request()).fit is Fit.UNDECIDED

    def test_it_is_not_looked_at_where_the_policy_does_not_match(self) -> None:
        assert fit(a_policy(unless=("gone",)), a_request(role="admin")).fit is Fit.DIFFERS

    def test_a_policy_that_stepped_aside_gives_no_hint(self) -> None:
        policy = a_policy(conditions=("false",), unless=("other",))
        assert fit(policy, a_request(), a_policy("other")).fit is Fit.DIFFERS


def test_t07_a_requester_is_one_identity_whatever_its_groups() -> None:
    agent = a_person("shop/agent", groups=("developers",))
    assert matches(a_policy(requesters=(group("developers"),)), a_request(requester=agent))
    assert not matches(a_policy(requesters=(user("agent"),)), a_request(requester=agent))


AGENT = "system:serviceaccount:shop:agent"
PRIVILEGES = ("HostNamespaces",)


def made_for(requester: str | Identity, *authors: str, unknown: bool = False) -> RequestBuilder:
    """A request that Daypass made for pods of a workload with these authors."""
    return a_request(requester=requester, grant=a_workload(authors=authors, unknown=unknown))


def allow_for(*requesters: IdentityPattern) -> Policy:
    return a_policy(roles=(), privileges=PRIVILEGES, requesters=requesters)


def deny_for(*requesters: IdentityPattern) -> Policy:
    return a_deny(roles=(), privileges=PRIVILEGES, requesters=requesters)


class TestAuthors:
    def test_t69_an_allow_policy_must_name_every_author(self) -> None:
        hers = allow_for(user("alice"))
        assert matches(hers, made_for("alice", "alice"))
        assert not matches(hers, made_for("alice", AGENT, "alice"))
        assert not matches(hers, made_for("shop/agent", "alice", AGENT))
        assert matches(allow_for(user("alice"), account("agent")), made_for("shop/agent", "alice", AGENT))
        assert matches(a_policy(roles=(), privileges=PRIVILEGES), made_for("shop/agent", "alice", AGENT))

    def test_t69_groups_are_known_of_the_requester_alone(self) -> None:
        developers = allow_for(group("*"))
        assert matches(developers, made_for("alice", "alice"))
        assert not matches(developers, made_for("alice", "erin", "alice"))

    def test_t69_a_deny_policy_names_one_author(self) -> None:
        deny = deny_for(account("agent"))
        assert matches(deny, made_for("alice", AGENT, "alice"))
        assert matches(deny, made_for("shop/agent", "alice", AGENT))
        assert not matches(deny, made_for("alice", "erin", "alice"))

    def test_t69_an_allow_policy_that_names_people_does_not_speak_of_what_strangers_made(self) -> None:
        strange = made_for("alice", "alice", unknown=True)
        assert not matches(allow_for(user("*"), account("*", "*")), strange)
        assert matches(a_policy(roles=(), privileges=PRIVILEGES), strange)
        assert matches(deny_for(user("alice")), strange)

    def test_t69_subjects_are_no_way_around_it(self) -> None:
        hers = a_policy(roles=(), privileges=PRIVILEGES, subjects=(user("alice"),))
        assert matches(hers, made_for("alice", "alice"))
        assert not matches(hers, made_for("alice", AGENT, "alice"))
        assert not matches(hers, made_for("alice", "alice", unknown=True))
        deny = a_deny(roles=(), privileges=PRIVILEGES, subjects=(account("agent"),))
        assert matches(deny, made_for("alice", AGENT, "alice"))

    def test_t69_a_policy_for_an_author_is_a_candidate(self) -> None:
        deny = deny_for(account("agent"))
        assert deny in PolicySet([deny]).candidates(made_for("alice", AGENT, "alice").build())
