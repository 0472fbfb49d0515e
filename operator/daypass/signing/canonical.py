"""The one spelling of a JSON document, so that two processes sign and digest the same bytes."""

import json
from typing import Final

import rfc8785

from daypass.app.ports import Json

_LARGEST: Final = 2**53 - 1
_PLAINLY: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False)
"""Spells as RFC 8785 what has no text beyond ASCII and no fractions."""


def canonical_json(document: Json) -> bytes:
    """Spell a document by RFC 8785 (JSON Canonicalization Scheme), as UTF-8.

    Raises ValueError for what that scheme can't hold: integers beyond 2^53, NaN, lone surrogates,
    keys that are no strings, nesting without end. Whoever digests or signs then refuses: bytes that
    two readers could understand differently are never agreed to.
    """
    try:
        if _is_plain(document):
            text = _PLAINLY.encode(document)
            if text.isascii():
                return text.encode()
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, RecursionError, TypeError) as error:
        msg = f"no canonical JSON: {error}"
        raise ValueError(msg) from error


def _is_plain(value: object) -> bool:
    """Whether there is one way to spell each thing in it, so that the quick encoder of the standard library serves."""
    kind = type(value)
    if kind is dict:
        for key, inner in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or (type(inner) is not str and not _is_plain(inner)):
                return False
        return True
    if kind is list:
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    if kind is int:
        return -_LARGEST <= value <= _LARGEST  # type: ignore[operator]
    return kind is str or value is None or kind is bool
