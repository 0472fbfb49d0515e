"""CEL for ``matchConditions``, written so that no text of a policy can become code (T51).

Every literal is quoted by JSON, whose strings are CEL strings. Globs become anchored regular expressions of RE2, which
takes linear time. Expressions err nowhere: a ``matchCondition`` that errs refuses the call, and says nothing useful.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

TRUE: Final = "true"
FALSE: Final = "false"
_PART: Final = "[^:]*"
"""What ``*`` stands for: any characters but a colon (``domain.globs``)."""
_ANYTHING: Final = "(?s:.*)"


def quoted(text: str) -> str:
    """A string literal."""
    # JSON's \\u escapes know 16 bits only and CEL's too, so what is beyond them stands as it is.
    return json.dumps(text, ensure_ascii=False)


def listed(texts: Iterable[str]) -> str:
    """A list of string literals, each once, in one order whatever the policy's."""
    return f"[{', '.join(quoted(text) for text in sorted(set(texts)))}]"


def fits(term: str, globs: Iterable[str], *, colons: bool = True) -> str:
    """Whether the string ``term`` fits one of the globs; without ``colons`` they are characters like any other."""
    wanted = set(globs)
    literal = {glob for glob in wanted if "*" not in glob}
    patterns = sorted(wanted - literal)
    choices = []
    if literal:
        choices.append(f"{term} in {listed(literal)}")
    if patterns:
        star = _PART if colons else _ANYTHING
        expression = "|".join(_pattern(glob, star) for glob in patterns)
        choices.append(f"{term}.matches({quoted(f'^(?:{expression})$')})")
    return either(*choices)


def either(*choices: str) -> str:
    """Whether one of them holds; none of nothing."""
    wanted = [choice for choice in choices if choice != FALSE]
    if TRUE in wanted:
        return TRUE
    if len(wanted) <= 1:
        return wanted[0] if wanted else FALSE
    return " || ".join(f"({choice})" for choice in wanted)


def both(*demands: str) -> str:
    """Whether all of them hold; all of nothing."""
    wanted = [demand for demand in demands if demand != TRUE]
    if FALSE in wanted:
        return FALSE
    if len(wanted) <= 1:
        return wanted[0] if wanted else TRUE
    return " && ".join(f"({demand})" for demand in wanted)


def _pattern(glob: str, star: str) -> str:
    # Python escapes ASCII punctuation and space alone; RE2 takes a backslash before any of those.
    return star.join(re.escape(piece) for piece in glob.split("*"))
