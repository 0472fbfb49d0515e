"""The quick way to read JSON never lets through what the strict one refuses, and reads the same (T49)."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daypass.webhook import decoding
from daypass.webhook.decoding import UnreadableError, decode

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["a && b > c", "<script>", "\\u0026", "\\", '"', "é", "\u2028", "\x00", "\x7f", "😀"])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
FEW = st.sampled_from(["a", "b", "&", "<", "\\u0026", "é", ""])
"""So few keys that many are there twice."""


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A string in JSON, in any of its spellings."""
    pieces = []
    for character in draw(FEW):
        code = ord(character)
        ways = [json.dumps(character, ensure_ascii=False)[1:-1], f"\\u{code:04x}", f"\\u{code:04X}"]
        pieces.append(draw(st.sampled_from(ways)))
    return f'"{"".join(pieces)}"'


BODIES = st.recursive(
    st.sampled_from(["1", "-0", "1.0", "1e5", "1E+5", "null", "NaN", '"x"', "01", "100000000000000000000000"])
    | texts(),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(texts(), inner), max_size=4).map(
            lambda pairs: f"{{{','.join(f'{key}:{value}' for key, value in pairs)}}}"
        )
    ),
    max_leaves=10,
)


def as_go_writes_it(value: Any) -> bytes:  # noqa: ANN401 - JSON
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode() + b"\n"


def closely(body: bytes) -> object:
    """What the strict way makes of it."""
    try:
        return decoding._DECODER.decode(body.decode("utf-8"))
    except (UnreadableError, ValueError) as error:
        return type(error)


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:  # noqa: ANN401 - JSON
    body = as_go_writes_it(value)
    assert decode(body) == json.loads(body)


@settings(max_examples=2000)
@given(BODIES)
def test_t49_the_quick_way_agrees_with_the_strict_one(body: str) -> None:
    quick = decoding._as_written(body.encode())
    if quick is not None:
        assert (quick, repr(quick)) == (closely(body.encode()), repr(closely(body.encode())))


@pytest.mark.parametrize(
    "body",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":1}',
        '{"&":1,"\\u0026":1}',
        '{"\\u0026":1,"\\u0026":1}',
        '{"x":[{"b":{},"b":{}}]}',
        '{"a":1,"a":1}\n',
    ],
)
def test_t49_a_key_that_is_there_twice_is_refused_however_it_is_spelled(body: str) -> None:
    with pytest.raises(UnreadableError, match="twice in one object"):
        decode(body.encode())


def test_bodies_as_the_api_server_writes_them_are_read_the_quick_way() -> None:
    value = {"args": ["sh", "-c", "a && b > c < d"], "n": [0, -1, 2.5, 1e21], "t": 'é\u00a0\t\n\x01\\"/'}
    assert decoding._as_written(as_go_writes_it({**value, "n": [0, -1, 2.5]})) is not None
    assert decode(as_go_writes_it(value)) == value
