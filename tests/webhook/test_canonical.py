"""What is signed and digested is spelled by RFC 8785, whichever way is taken to spell it."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from daypass.signing.canonical import canonical_json

TEXTS = st.text(st.characters(max_codepoint=0x7F), max_size=6) | st.text(max_size=4)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(
        ["\x7f", "\x1f", "\u2028", "a/b", "\\", '"', "\ud800", "😀", "\ue000", 1.0, -0.0, True, 2**53 - 1]
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=2).map(tuple) | st.dictionaries(TEXTS, inner, max_size=5)
    ),
)


def by_the_library(value: Any) -> bytes | None:  # noqa: ANN401 - JSON
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        return None


@settings(max_examples=1500)
@given(VALUES)
def test_every_document_is_spelled_as_the_library_does(value: Any) -> None:  # noqa: ANN401 - JSON
    expected = by_the_library(value)
    if expected is None:
        with pytest.raises(ValueError, match="no canonical JSON"):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


@pytest.mark.parametrize(
    "value", [{1: "a"}, {"a": 2**53}, {"a": float("nan")}, {"a": {True: 1}}, {None: 1}, {"a": object()}, {"a": b"x"}]
)
def test_what_has_no_spelling_is_refused(value: Any) -> None:  # noqa: ANN401 - no JSON
    with pytest.raises(ValueError, match="no canonical JSON"):
        canonical_json(value)


def test_t49_nesting_without_end_is_refused() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = {"a": [deep]}
    with pytest.raises(ValueError, match="no canonical JSON"):
        canonical_json(deep)


def test_keys_are_sorted_as_utf_16() -> None:
    assert canonical_json({"\ue000": 1, "😀": 2}) == json.dumps(
        {"😀": 2, "\ue000": 1}, ensure_ascii=False
    ).encode().replace(b" ", b"")
