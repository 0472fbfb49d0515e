"""Read JSON as strictly as admission must: what two readers could understand differently is refused (T49)."""

import json
import re
from typing import Any, Final, NoReturn

import orjson

_UID: Final = re.compile(rb'"request"\s*:\s*\{\s*"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')
_UID_WITHIN: Final = 512
_AT_ONCE: Final = 1024 * 1024
"""Bytes; of larger bodies no second copy is made."""
_ESCAPED: Final = ((b"\\u0026", b"&"), (b"\\u003c", b"<"), (b"\\u003e", b">"))
"""What Go escapes in JSON, and nobody else."""


class UnreadableError(ValueError):
    """The body is not JSON that can be judged; the text is for a person."""


def decode(body: bytes) -> Any:  # noqa: ANN401 - JSON as it came
    """Decode UTF-8 JSON without duplicate keys, NaN or nesting without end; raises UnreadableError."""
    found = _as_written(body) if len(body) <= _AT_ONCE else None
    if found is not None:
        return found
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        msg = f"the body is not UTF-8 at byte {error.start}"
        raise UnreadableError(msg) from error
    except RecursionError as error:
        msg = "the body is nested too deeply"
        raise UnreadableError(msg) from error
    except UnreadableError:
        raise
    except ValueError as error:
        msg = f"the body is not JSON: {error}"
        raise UnreadableError(msg) from error


def uid_of(body: bytes) -> str:
    """The uid of a review whose body can't be decoded as a whole: the API server writes it first.

    Only good for telling the caller in their own answer why they are refused; empty when it is not there.
    """
    found = _UID.search(body[:_UID_WITHIN])
    return found.group(1).decode("ascii") if found else ""


def _as_written(body: bytes) -> Any:  # noqa: ANN401 - JSON as it came
    """The value of a body that is spelled as the API server spells JSON; None where it has to be looked at closely.

    Rule: what is decoded is encoded again, and must give the body to the last byte. An object that was decoded has each
    key once, so the body has too. That takes a third of what it takes to compare the keys of each object, which is done
    where the spelling differs.
    """
    try:
        found = orjson.loads(body)
        again = orjson.dumps(found)
    except (ValueError, TypeError):  # what can't be decoded, or is nested too deeply to be encoded
        return None
    written = body.removesuffix(b"\n")
    if again != written and b"\\u00" in written:
        for escaped, plain in _ESCAPED:
            written = written.replace(escaped, plain)
    return found if again == written else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        msg = f"the body has the key {twice[:64]!r} twice in one object"
        raise UnreadableError(msg)
    return members


def _no_constant(name: str) -> NoReturn:
    msg = f"the body has {name}, which is not JSON"
    raise UnreadableError(msg)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
