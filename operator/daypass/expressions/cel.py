"""Policy expressions in CEL, by Google's own library."""

import difflib
import re
from collections.abc import Callable
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings

from daypass.domain.expressions import Facts, InvalidExpressionError, Predicate, UndecidedError
from daypass.expressions.source import demand_modest, pattern_literals
from daypass.expressions.variables import LISTS, MAPS, VARIABLES

_MAX_CACHED: Final = 4096
"""Compiled expressions that are kept: more than the policies of any cluster hold."""
_CONTAINERS: Final = (*((name, list) for name in LISTS), *((name, dict) for name in MAPS))
"""What the library wants in place of tuples and other mappings."""
_MAX_PATTERN: Final = 256
_SHOWN: Final = 120

_CODE: Final = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_FAULT: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.+)")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([\w.]+)'")
_SLIPS: Final = (
    ("token recognition error at: '=", "to compare, write =="),
    ("applied to '(int, string)'", "numbers have no quotes: risk.level is 0 Low, 1 Medium, 2 High, 3 Critical"),
)
"""Of what the library says, what was meant."""


class CelExpressions:
    """Compiles and evaluates; safe to share between threads, for nothing that is compiled ever changes.

    The library gives errors back as values, and an object of it is true in Python: only a result whose value *is*
    True counts as true, only one that is False as false, and all else is undecided (T19).
    """

    def __init__(self) -> None:
        extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings(), ext_bindings.ExtBindings()]
        self._environment = cel.NewEnv(variables=VARIABLES, extensions=extensions)
        texts = cel.NewEnv(variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
        self._matches = texts.compile("text.matches(pattern)")
        self._compiled: dict[str, Predicate] = {}

    def compile(self, source: str) -> Predicate:
        """Compile and type-check one expression; the result must be bool. Raises InvalidExpressionError."""
        known = self._compiled.get(source)
        if known is not None:
            return known
        demand_modest(source)
        expression = self._checked(source)
        if expression.return_type() != cel.Type.BOOL:
            message = f"must be of type bool, and is {expression.return_type().name().lower()}"
            raise InvalidExpressionError(message)
        for literal in pattern_literals(source):
            self._try_pattern(literal)
        if len(self._compiled) >= _MAX_CACHED:
            self._compiled.clear()
        predicate = _predicate(source, expression)
        self._compiled[source] = predicate
        return predicate

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the RE2 pattern is found somewhere in the text. Raises UndecidedError if it is no pattern."""
        if len(pattern) > _MAX_PATTERN:
            message = f"the pattern has {len(pattern)} characters, and at most {_MAX_PATTERN} are allowed"
            raise UndecidedError(message)
        return _truth(lambda: self._matches.eval(data={"text": text, "pattern": pattern}), pattern)

    def _checked(self, source: str) -> cel.Expression:
        try:
            return self._environment.compile(source)
        except Exception as error:  # noqa: BLE001 - the library raises what its C++ does
            raise InvalidExpressionError(_compile_faults(str(error))) from None

    def _try_pattern(self, literal: str) -> None:
        """Evaluate a pattern once, for the library looks at patterns only when it meets them."""
        value = self._environment.compile(f"''.matches({literal})").eval(data={})
        if not isinstance(value.value(), bool):
            message = f"{literal} is not a pattern of RE2: {_CODE.sub('', str(value.value()))}"
            raise InvalidExpressionError(message)


def _predicate(source: str, expression: cel.Expression) -> Predicate:
    used = [(name, kind) for name, kind in _CONTAINERS if name.rpartition(".")[2] in source]

    def holds(facts: Facts) -> bool:
        data: dict[str, Any] = dict(facts)
        for name, kind in used:
            if name in data:  # one that is missing is an error of evaluation, where it is used
                data[name] = kind(data[name])
        return _truth(lambda: expression.eval(data=data), source)

    return holds


def _truth(evaluate: Callable[[], cel.Value], source: str) -> bool:
    """True or False and nothing else; anything else could not be decided."""
    try:
        result = evaluate().value()
    except Exception as error:  # noqa: BLE001 - too many steps, text that is no Unicode: whatever C++ raises
        # Fail closed: an evaluation that broke off says neither yes nor no.
        raise UndecidedError(_undecided(source, str(error))) from None
    if result is True or result is False:
        return bool(result)
    # Fail closed: errors are values here, and would be true in Python (T19).
    raise UndecidedError(_undecided(source, str(result)))


def _undecided(source: str, fault: str) -> str:
    shown = source if len(source) <= _SHOWN else source[: _SHOWN - 1] + "…"
    return f"{shown} could not be evaluated: {_CODE.sub('', _CODE.sub('', fault))}"


def _compile_faults(text: str) -> str:
    """The library's message without its picture, with line and column, and with the name that was meant."""
    faults = []
    for line, column, said in _FAULT.findall(text):
        short = said.replace(" (in container '')", "").removesuffix(" [INVALID_ARGUMENT]")
        where = f"line {line}, column {column}: {short}"
        hint = _hint(said)
        faults.append(f"{where} ({hint})" if hint else where)
    return "; ".join(faults[:4]) or _CODE.sub("", _CODE.sub("", text))


def _hint(said: str) -> str:
    """What was meant, as far as one fault tells; empty where it does not."""
    unknown = _UNDECLARED.search(said)
    close = difflib.get_close_matches(unknown[1], VARIABLES, n=1) if unknown else []
    return f"did you mean {close[0]}?" if close else next((meant for sign, meant in _SLIPS if sign in said), "")
