"""Read JSON as strictly as admission must: what two readers could understand differently is refused (T49)."""

import json
import re
from typing import Any, Final, NoReturn

_UID: Final = re.compile(rb'"request"\s*:\s*\{\s*"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')
_UID_WITHIN: Final = 512


class UnreadableError(ValueError):
    """The body is not JSON that can be judged; the text is for a person."""


def decode(body: bytes) -> Any:  # noqa: ANN401 - JSON as it came
    """Decode UTF-8 JSON without duplicate keys, NaN or nesting without end; raises UnreadableError."""
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
