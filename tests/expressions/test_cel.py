"""Expressions in CEL: what compiles, what decides, and what must never be taken for a yes."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.domain.expressions import Fact, Facts, InvalidExpressionError, UndecidedError
from daypass.expressions.cel import CelExpressions
from daypass.expressions.source import MAX_SOURCE, pattern_literals
from daypass.expressions.variables import LISTS, VARIABLES

EXPRESSIONS = CelExpressions()
CONTRACT: dict[str, Any] = {
    "request.namespace": "shop",
    "request.namespaceLabels": {"team": "shop"},
    "request.kind": "Role",
    "request.roleKind": "ClusterRole",
    "request.roleName": "edit",
    "request.scope": "Namespace",
    "request.verbs": ("get", "list"),
    "request.resources": ("pods",),
    "request.apiGroups": ("",),
    "request.privileges": (),
    "request.durationSeconds": 900,
    "request.reason": "why",
    "request.ticket": "OPS-123",
    "request.dataClassification": "internal",
    "requester.username": "system:serviceaccount:shop:agent",
    "requester.kind": "ServiceAccount",
    "requester.groups": ("system:authenticated",),
    "subject.kind": "ServiceAccount",
    "subject.name": "agent",
    "subject.namespace": "shop",
    "agent.name": "releaser",
    "agent.model": "m-1",
    "agent.tool": "kubectl",
    "risk.level": 2,
    "risk.findings": ("reads Secrets",),
    "now": datetime(2026, 1, 31, 12, tzinfo=UTC),
}


def some_facts(**changes: Fact) -> Facts:
    return {**CONTRACT, **{name.replace("_", "."): value for name, value in changes.items()}}


def test_the_variables_are_those_of_the_contract() -> None:
    assert set(VARIABLES) == set(CONTRACT)
    assert set(LISTS) == {name for name, value in CONTRACT.items() if isinstance(value, tuple)}


@pytest.mark.parametrize("name", CONTRACT)
def test_every_variable_has_its_value_in_an_expression(name: str) -> None:
    value = CONTRACT[name]
    literal = "timestamp('2026-01-31T12:00:00Z')" if isinstance(value, datetime) else repr(value)
    if isinstance(value, tuple):
        literal = repr(list(value))
    assert EXPRESSIONS.compile(f"{name} == {literal}")(CONTRACT)


@pytest.mark.parametrize(
    "source",
    [
        "request.ticket.matches('^OPS-[0-9]+$')",
        r"request.ticket.matches(r'^\w+-\d+$')",
        "now.getDayOfWeek('Europe/Berlin') == 6 && now.getHours('Europe/Berlin') == 13",
        "request.verbs.all(verb, verb in ['get', 'list', 'watch'])",
        "request.namespaceLabels[?'tier'].orValue('none') == 'none'",
        "cel.bind(team, request.namespaceLabels['team'], team == request.namespace)",
        "request.ticket.lowerAscii().startsWith('ops')",
        "risk.level >= 2 && risk.findings.exists(one, one.contains('Secrets'))",
        "!('production' in request.namespaceLabels)",
    ],
)
def test_what_policies_write_holds(source: str) -> None:
    assert EXPRESSIONS.compile(source)(CONTRACT) is True
    assert EXPRESSIONS.compile(f"!({source})")(CONTRACT) is False


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (
            "request.tikcet == ''",
            "line 1, column 8: undeclared reference to 'request.tikcet' (did you mean request.ticket?)",
        ),
        ("spec.ticket == ''", "undeclared reference to 'spec.ticket'"),
        ("request.ticket == 1", "found no matching overload for '_==_' applied to '(string, int)'"),
        ("request.ticket = ''", "token recognition error at: '= ' (to compare, write ==)"),
        ("risk.level >= 'High'", "applied to '(int, string)' (numbers have no quotes: risk.level is 0 Low, 1 Medium,"),
        ("true &&", "line 1, column 8: Syntax error"),
        ("", "line 1, column 1: Syntax error"),
        ("risk.level", "must be of type bool, and is int"),
        ("dyn(true)", "must be of type bool, and is dyn"),
        ("request.ticket.matches('(')", "'(' is not a pattern of RE2: invalid regular expression: missing ): ("),
        ("matches(request.ticket, r'a{1001}')", "r'a{1001}' is not a pattern of RE2"),
        ('"(" == "(" && request.ticket.matches(  """x(""" )', "is not a pattern of RE2"),
        (" " * MAX_SOURCE + "true", f"has 1028 characters, and at most {MAX_SOURCE} are allowed"),
        ("(" * 40 + "true" + ")" * 40, "recursion limit"),
        ("request.reason.replace('a', 'aa') == ''", "replace is not available"),
        ("[request.reason].join('') == ''", "join is not available"),
        ("'%s'.format([1]) == ''", "format is not available"),
        ("strings.quote(strings.quote(request.reason)) == ''", "quote is not available"),
        ("[1]" + ".map(x, [x, x])" * 35 + " == [1]", "at most 2 of cel.bind, map, optMap and optFlatMap"),
        ("'a'+'a'+'a'+'a'+'a'+'a'+'a'+'a'+'a'+'a' == ''", "at most 8 additions"),
        ("cel.bind(a, 1, cel.bind(b, a, cel.bind(c, b, c == 1)))", "at most 2 of cel.bind"),
        ("lists.range(1000000).size() > 0", "undeclared reference to 'lists'"),
    ],
)
def test_t19_what_does_not_compile_to_a_bool_is_refused_with_its_place(source: str, fault: str) -> None:
    with pytest.raises(InvalidExpressionError) as caught:
        EXPRESSIONS.compile(source)
    assert fault in str(caught.value)
    assert "INVALID_ARGUMENT" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("request.namespaceLabels['tier'] == 'gold'", 'Key not found in map : "tier"'),
        ("1 / (risk.level - 2) == 1", "divide by zero"),
        ("request.ticket.matches(request.reason)", "invalid regular expression"),
        ("now.getHours('Nowhere') == 1", "Invalid timezone"),
        ("int(request.ticket) > 3", ""),
        ("timestamp(request.ticket) < now", ""),
        ("request.verbs[7] == 'get'", ""),
        ("9223372036854775807 + risk.level > 0", ""),
        ("dyn(request.ticket) > 3", ""),
    ],
)
def test_t19_an_error_is_neither_yes_nor_no(source: str, fault: str) -> None:
    facts = some_facts(request_reason="(")
    for whole in (source, f"!({source})"):
        holds = EXPRESSIONS.compile(whole)
        with pytest.raises(UndecidedError) as caught:
            holds(facts)
        assert fault in str(caught.value)
        assert whole in str(caught.value)


@pytest.mark.parametrize("name", CONTRACT)
def test_t11_a_fact_that_is_missing_or_of_another_type_decides_nothing(name: str) -> None:
    holds = EXPRESSIONS.compile(f"{name} == {name}")
    without = {key: value for key, value in CONTRACT.items() if key != name}
    for facts in (without, {**without, name: object()}, {**without, name: None}):
        with pytest.raises((UndecidedError, TypeError)):
            holds(facts)


def test_t19_text_that_is_no_unicode_decides_nothing() -> None:
    with pytest.raises(UndecidedError):
        EXPRESSIONS.compile("request.reason == ''")(some_facts(request_reason="\ud800"))


def test_t51_loops_end() -> None:
    verbs = tuple(f"verb-{number}" for number in range(1000))
    holds = EXPRESSIONS.compile("request.verbs.all(a, request.verbs.all(b, request.verbs.all(c, true)))")
    with pytest.raises(UndecidedError, match="Iteration budget exceeded"):
        holds(some_facts(request_verbs=verbs))


def test_t51_patterns_take_linear_time() -> None:
    assert not EXPRESSIONS.compile("request.reason.matches('^(a|aa|aaa)*b$')")(some_facts(request_reason="a" * 1024))


def test_t51_what_is_allowed_does_not_fill_the_memory() -> None:
    grown = "cel.bind(a, request.reason + request.reason + request.reason, cel.bind(b, a + a + a, (b + b).size() > 9))"
    assert EXPRESSIONS.compile(grown)(some_facts(request_reason="x" * 1024))


def test_patterns_are_found_where_they_stand() -> None:
    assert list(
        pattern_literals("'matches(\\'x\\')'.matches('a') && x.matches( r\"b\\\" ) || matches(c, 'd') // matches('e')")
    ) == [
        "'a'",
        'r"b\\"',
        "'d'",
    ]
    assert list(pattern_literals("x.matches('a' + y) && (matches) && matches(f('z'))")) == []


def test_matches_searches_and_an_invalid_pattern_decides_nothing() -> None:
    assert EXPRESSIONS.matches("^OPS-[0-9]+$", "OPS-1")
    assert EXPRESSIONS.matches("OPS", "see OPS-1")
    assert not EXPRESSIONS.matches("^OPS$", "OPS-1")
    for pattern in ("(", "(?=a)", "a" * 257):
        with pytest.raises(UndecidedError):
            EXPRESSIONS.matches(pattern, "a")


def test_compiled_expressions_are_kept() -> None:
    assert EXPRESSIONS.compile("true") is EXPRESSIONS.compile("true")


def test_one_instance_serves_many_threads() -> None:
    holds = EXPRESSIONS.compile("request.ticket.startsWith('OPS') && 'get' in request.verbs")
    wrong: list[object] = []

    def work() -> None:
        wrong.extend(result for _ in range(500) if (result := holds(CONTRACT)) is not True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(st.text(max_size=60) | st.text("()'\"\\rbmatches.,+/ \n", max_size=60))
def test_t49_any_text_is_an_expression_or_is_refused(source: str) -> None:
    try:
        EXPRESSIONS.compile(source)
    except InvalidExpressionError as error:
        told = str(error)
    else:
        told = "compiled"
    assert told


def test_only_this_package_imports_the_library() -> None:
    package = Path(__file__).parents[2] / "operator" / "daypass"
    importers = {path.parent.name for path in package.rglob("*.py") if "cel_expr_python" in path.read_text()}
    assert importers == {"expressions"}
