"""Whether permissions are within other permissions."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daypass.domain.coverage import covers, missing, overlaps
from daypass.domain.permissions import Rule
from domain.rule_texts import RULES, rule

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "coverage.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['granted']} for {case['wanted']}")
def test_covers(case: dict[str, Any]) -> None:
    assert covers([rule(text) for text in case["granted"]], rule(case["wanted"])) is case["covers"]


@given(RULES)
def test_covers_is_reflexive(one: Rule) -> None:
    assert covers([one], one)


@given(st.lists(RULES, max_size=3), RULES, RULES)
def test_covers_is_transitive(granted: list[Rule], middle: Rule, wanted: Rule) -> None:
    if covers(granted, middle) and covers([middle], wanted):
        assert covers(granted, wanted)


@given(st.lists(RULES, max_size=3), RULES, RULES)
def test_more_rules_cover_no_less(granted: list[Rule], more: Rule, wanted: Rule) -> None:
    assert covers([more, *granted], wanted) or not covers(granted, wanted)


@given(st.lists(RULES, max_size=3), st.lists(RULES, max_size=3))
def test_nothing_is_missing_exactly_where_all_is_covered(granted: list[Rule], wanted: list[Rule]) -> None:
    gaps = missing(granted, wanted)
    assert (not gaps) == all(covers(granted, one) for one in wanted)
    assert all(any(covers([one], gap) for one in wanted) for gap in gaps)
    assert not any(covers(granted, gap) for gap in gaps)


def test_missing_names_the_resource_and_the_verbs() -> None:
    granted = [rule("get,list | core,apps | pods,deployments")]
    wanted = [rule("get,patch | apps | deployments"), rule("get | core | secrets | db")]
    assert missing(granted, wanted) == (rule("patch | apps | deployments"), rule("get | core | secrets | db"))


def test_urls_cover_what_they_begin() -> None:
    assert covers(
        [Rule(("get",), non_resource_urls=("/metrics/*",))], Rule(("get",), non_resource_urls=("/metrics/a",))
    )
    assert not covers(
        [Rule(("get",), non_resource_urls=("/metrics",))], Rule(("get",), non_resource_urls=("/metrics/a",))
    )
    assert not covers([rule("* | * | *")], Rule(("get",), non_resource_urls=("/metrics",)))


def test_t51_a_rule_of_a_million_permissions_is_judged_at_once() -> None:
    many = tuple(f"r{number}" for number in range(1000))
    assert covers([Rule(("*",), ("",), many[:500]), Rule(("*",), ("",), many[500:])], Rule(many, ("",), many, many))


@given(RULES, RULES)
def test_overlap_is_mutual(one: Rule, other: Rule) -> None:
    assert overlaps(one, other) == overlaps(other, one)


@given(RULES, RULES)
def test_what_is_covered_overlaps(one: Rule, other: Rule) -> None:
    if covers([one], other):
        assert overlaps(one, other)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("get | core | secrets", "get,list | core | pods,secrets", True),
        ("get | core | secrets", "list | core | secrets", False),
        ("get | core | secrets | a", "get | core | secrets | b", False),
        ("get | core | secrets | a", "get | core | secrets", True),
        ("get | core | */scale", "get | core | pods/scale", True),
        ("get | core | pods", "get | core | pods/exec", False),
        ("get | core | secrets", "* | * | *", True),
    ],
)
def test_overlap(one: str, other: str, *, meet: bool) -> None:
    assert overlaps(rule(one), rule(other)) is meet


def test_what_allows_nothing_overlaps_nothing() -> None:
    assert not overlaps(rule("* | * | *"), Rule((), ("",), ("pods",)))
    assert not overlaps(rule("* | * | *"), Rule(("get",), (), ("pods",)))
