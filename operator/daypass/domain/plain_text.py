"""Decides how text of strangers is shown: on one line, with nothing in it that a reader would not see (T15)."""

import re
from typing import Final

_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, with line breaks, tabs and terminal escapes
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, isolates
    "\u200b-\u200d\u2028\u2029\u2060-\u2064\ufeff\ufff9-\ufffb"  # separators, joiners, invisible characters
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u206a-\u206f\u3164\uffa0"  # blanks
    "\ufe00-\ufe0f\U000e0000-\U000e0fff"  # tags and variation selectors that carry hidden text
    "\ud800-\udfff]"  # halves of characters, which no UTF-8 can hold
)
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escaped(text: str) -> str:
    r"""The text with each control, bidirectional or invisible character spelled out, such as ``\n`` and ``\u202e``.

    What comes out is plain text to the custom resources (``api.fields.PLAIN``; a test tries every character).
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_spelled, text)


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters: beginning and end, and between them how many are missing.

    Both ends are shown because what matters in a command is often its end, and a reader must know that there is more.
    """
    if len(text) <= limit:
        return text
    mark = f" …[{len(text)} characters]… "
    room = max(limit - len(mark), 0)
    tail = room // 3
    return (text[: room - tail] + mark + text[len(text) - tail :])[:limit]


def _spelled(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")  # noqa: PLR2004
