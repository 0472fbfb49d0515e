"""Looks at the text of an expression before CEL does: what could take for ever, and which patterns it holds (T51)."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from daypass.domain.expressions import InvalidExpressionError

MAX_SOURCE: Final = 1024
"""Characters of an expression; the schema of the policy has the same limit."""
_GROWING: Final = ("replace", "join", "format", "quote")
"""Functions that make much text of little: chained, a short expression fills the memory."""
_REPEATING: Final = ("bind", "map", "optMap", "optFlatMap")
"""What names a value that may then be written many times: chained 35 times, ``x.map(y, [y, y])`` is compared for hours."""
_MAX_REPEATING: Final = 2
_MAX_ADDITIONS: Final = 8
"""With the repetitions: an expression makes at most some fifty times the text that it was given."""

_TOKEN: Final = re.compile(
    r"""
      (?P<comment>//[^\n]*)
    | (?P<string>
        (?:[bB]?[rR]|[rR][bB]) (?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*' )
      | [bB]? (?: \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ) )
    | (?P<word>[A-Za-z_]\w*)
    | (?P<mark>\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_Token = tuple[str, str]


def demand_modest(source: str) -> None:
    """Refuse an expression whose evaluation could need more memory or time than a decision may have (T51).

    CEL bounds its loops by itself (10,000 steps, then it gives up), and RE2 is linear; what is left is text that
    grows by a factor at every step, and values nested so. Raises InvalidExpressionError.
    """
    if len(source) > MAX_SOURCE:
        message = f"has {len(source)} characters, and at most {MAX_SOURCE} are allowed"
        raise InvalidExpressionError(message)
    counted = Counter(text for kind, text in _tokens(source) if kind in {"word", "mark"})
    for name in _GROWING:
        if counted[name]:
            message = f"{name} is not available: it can make very long text of short text"
            raise InvalidExpressionError(message)
    if sum(counted[name] for name in _REPEATING) > _MAX_REPEATING:
        message = f"at most {_MAX_REPEATING} of cel.bind, map, optMap and optFlatMap are allowed in one expression"
        raise InvalidExpressionError(message)
    if counted["+"] > _MAX_ADDITIONS:
        message = f"at most {_MAX_ADDITIONS} additions (+) are allowed in one expression"
        raise InvalidExpressionError(message)


def pattern_literals(source: str) -> Iterator[str]:
    """The string literals, as written, that stand as the pattern of a call of ``matches``."""
    calls: list[tuple[bool, list[_Token]]] = []  # the open brackets: of matches or not, and the argument so far
    before: _Token = ("mark", "")
    for token in _tokens(source):
        if token == ("mark", "("):
            calls.append((before == ("word", "matches"), []))
        elif token == ("mark", ")") and calls:
            is_matches, argument = calls.pop()
            if is_matches and len(argument) == 1 and argument[0][0] == "string":
                yield argument[0][1]
            if calls:
                calls[-1][1].append(("word", "()"))
        elif token == ("mark", ",") and calls:
            calls[-1][1].clear()
        elif calls:
            calls[-1][1].append(token)
        before = token


def _tokens(source: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(source):
        kind = found.lastgroup
        if kind is not None and kind != "comment":
            yield (kind, found[0])
