"""Decides how a number is spelled that RFC 8785 can't hold: exactly, so that no two of them look the same."""

import re
from collections.abc import Mapping
from typing import Any, Final

LARGEST: Final = 2**53 - 1
"""JSON's numbers are IEEE 754 doubles to RFC 8785: above this, neighbours fall together."""
_SPELLED: Final = "$integer"
_LOOKS_SPELLED: Final = re.compile(r"\$+integer")


def exact(value: object) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """A copy of a JSON value in which integers beyond 2^53 are ``{"$integer": "DIGITS"}``; all else is as it was.

    Rule: a member that has this name already, with any number of ``$``, gets one more, so that no object looks like a
    number.
    Why: Kubernetes' integers have 64 bits (a toleration of 9223372036854775807 seconds is in real manifests), and an
    object must not be refused for one. Raises ValueError for nesting without end (T49).
    """
    try:
        return _copied(value)
    except RecursionError:
        text = "nested too deeply"
        raise ValueError(text) from None


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {
            _name(key) if key[:1] == "$" else key: inner if type(inner) is str else _copied(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [inner if type(inner) is str else _copied(inner) for inner in value]
    if isinstance(value, int):
        return value if -LARGEST <= value <= LARGEST else {_SPELLED: str(value)}
    return _copied(dict(value)) if isinstance(value, Mapping) else value


def _name(key: str) -> str:
    return f"${key}" if _LOOKS_SPELLED.fullmatch(key) else key
