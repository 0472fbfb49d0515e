"""How much a grant could do."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daypass.domain.permissions import Rule
from daypass.domain.policy import RiskLevel
from daypass.domain.risk import MAX_FINDINGS, Risk, assess
from daypass.domain.wording import permission
from domain.rule_texts import RULES, rule

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "risk.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_risk_of_a_rule(case: dict[str, str]) -> None:
    risk = assess([rule(case["rule"])])
    assert risk.level.label == case["level"]
    if "says" in case:
        assert case["says"] in risk.findings[0] or any(case["says"] in finding for finding in risk.findings)
    else:
        assert risk.findings == ()


def test_no_rules_no_risk() -> None:
    assert assess([]) == Risk(RiskLevel.LOW)


def test_t27_the_built_in_edit_is_critical_by_its_rules() -> None:
    """As in 1.36: it reads Secrets, runs commands, impersonates ServiceAccounts and makes CronJobs."""
    edit = [
        rule("get,list,watch | core | pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy"),
        rule("impersonate | core | serviceaccounts"),
        rule("create,delete,deletecollection,patch,update | core | pods,pods/attach,pods/exec,pods/portforward"),
        rule("create,delete,deletecollection,patch,update | core | configmaps,secrets,serviceaccounts,services"),
        rule("create | core | serviceaccounts/token"),
        rule("create,delete,deletecollection,patch,update | apps | deployments,daemonsets,deployments/scale"),
        rule("create,delete,deletecollection,patch,update | batch | cronjobs,jobs"),
        rule("get,list,watch | core | configmaps,endpoints,pods,services"),
    ]
    risk = assess(edit)
    assert risk.level is RiskLevel.CRITICAL
    for power in ("impersonate", "mint tokens", "token Secrets", "CronJobs", "read Secrets", "run commands"):
        assert any(power in finding for finding in risk.findings), power


def test_t28_persistence_is_named_before_anything_less_grave() -> None:
    risk = assess([rule("get | core | secrets"), rule("create | rbac.authorization.k8s.io | rolebindings")])
    assert risk.level is RiskLevel.CRITICAL
    assert risk.findings == (
        "may bind roles, which outlives the grant: create rolebindings.rbac.authorization.k8s.io",
        "may read Secrets: get secrets",
    )


def test_a_finding_counts_the_other_rules_that_give_the_same() -> None:
    risk = assess([rule("get | core | secrets | a"), rule("list | core | secrets | b")])
    assert risk.findings == ("may read Secrets: get secrets named a (and 1 more)",)


def test_a_rule_is_told_in_a_few_words_however_long_it_is() -> None:
    many = Rule(("get",), ("",), tuple(f"resource-{number}" for number in range(1000)))
    assert len(permission(many)) <= 200


@given(st.lists(RULES, max_size=4), RULES)
def test_more_rules_are_never_less_risky(rules: list[Rule], more: Rule) -> None:
    assert assess([*rules, more]).level >= assess(rules).level


@given(st.lists(RULES, max_size=4))
def test_what_is_not_low_says_why(rules: list[Rule]) -> None:
    risk = assess(rules)
    assert bool(risk.findings) == (risk.level > RiskLevel.LOW)
    assert len(risk.findings) <= MAX_FINDINGS


@given(st.permutations([rule(case["rule"]) for case in CASES[:12]]))
def test_the_order_of_rules_does_not_change_the_level(rules: list[Rule]) -> None:
    assert assess(rules).level is RiskLevel.HIGH
