"""Decides what an approver reads of an object that is created or changed: its content, or what becomes of it (T58)."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

from daypass.domain.object_content import written
from daypass.domain.plain_text import escaped, shortened

MOST_LINES: Final = 24
LONGEST_LINE: Final = 512
MOST_VALUES: Final = 50_000
"""So many are compared: what has more no person reads, and everybody else would wait for it (T49)."""
_LONGEST_PATH: Final = 200
_LONGEST_KEY: Final = 64
_LONGEST_VALUE: Final = 120
_SIMPLE: Final = re.compile(r"[A-Za-z0-9_-]+")
_OF_THE_REQUEST: Final = frozenset({"apiVersion", "kind"})
_NAMES: Final = frozenset({"name", "namespace"})
_ABSENT: Final = object()

Json: TypeAlias = Mapping[str, Any]
_Path: TypeAlias = tuple[Any, ...]
"""A key and the path before it."""


def created(obj: Json, subresource: str = "", without: Iterable[str] = ()) -> tuple[str, ...]:
    """What an object is to be, ``path: value`` a line, metadata last; ``without`` are fields that are told elsewhere."""
    return _lines(_differences(_ABSENT, _told(obj, subresource, without)))


def changed(old: Json, new: Json, subresource: str = "", without: Iterable[str] = ()) -> tuple[str, ...]:
    """What becomes of an object, ``path: old → new`` a line, metadata last; lists are compared place by place."""
    before, after = (_told(one, subresource, without) for one in (old, new))
    return _lines(_differences(before, after)) or ("changes nothing that its digest covers",)


def _told(obj: Json, subresource: str, without: Iterable[str]) -> dict[str, Any]:
    """What the digest covers and the request does not say already."""
    kept = written(obj, subresource)
    metadata = kept.pop("metadata", None)
    for key in (*_OF_THE_REQUEST, *without):
        kept.pop(key, None)
    rest = {key: value for key, value in metadata.items() if key not in _NAMES} if isinstance(metadata, Mapping) else {}
    return {**kept, "metadata": rest} if rest else kept


def _lines(differences: Iterator[tuple[_Path, object, object] | None]) -> tuple[str, ...]:
    """At most so many lines of so many characters, all text of strangers quoted and without hidden characters (T15)."""
    lines: list[str] = []
    more, untold = 0, False
    for one in differences:
        if one is None:
            untold = True
        elif len(lines) < MOST_LINES:
            lines.append(shortened(escaped(_line(*one)), LONGEST_LINE))
        else:
            more += 1
    if untold:
        lines[MOST_LINES - 1 :] = [f"and perhaps more: no more than {MOST_VALUES} values are compared"]
    elif more:
        lines[-1] = f"and {more + 1} more"
    return tuple(lines)


def _line(path: _Path, old: object, new: object) -> str:
    value = _value(new) if old is _ABSENT and new is not _ABSENT else f"{_value(old)} → {_value(new)}"
    return f"{_spelled(path)}: {value}"


def _differences(old: object, new: object) -> Iterator[tuple[_Path, object, object] | None]:
    """Each leaf that differs, and None for what is too much to look at; without recursion, however deep it is (T49)."""
    left: list[tuple[_Path, object, object]] = [((), old, new)]
    budget = MOST_VALUES
    while left:
        path, before, after = left.pop()
        if _kind(before) is not None and _kind(after) is not None and _kind(before) != _kind(after):
            left += [(path, _ABSENT, after), (path, before, _ABSENT)]
            continue
        keys = _keys(before, after)
        if len(keys) > budget:
            yield None
        looked_at = islice(keys, budget)
        budget = max(budget - len(keys), 0)
        inner = [(key, _at(before, key), _at(after, key)) for key in looked_at]
        left += [((path, key), one, other) for key, one, other in reversed(inner) if _may_differ(one, other)]
        if not keys and (type(before) is not type(after) or before != after):
            yield path, before, after


def _may_differ(before: object, after: object) -> bool:
    """Whether it takes a closer look: what an object is full of is mostly equal."""
    return type(before) is not type(after) or isinstance(before, (Mapping, list)) or before != after


def _kind(value: object) -> str | None:
    if value is _ABSENT:
        return None
    return "object" if isinstance(value, Mapping) else "list" if isinstance(value, list) else "value"


def _keys(before: object, after: object) -> Collection[Any]:
    """The members of both."""
    if isinstance(before, list) or isinstance(after, list):
        return range(max(len(one) for one in (before, after) if isinstance(one, list)))
    return dict.fromkeys(key for one in (before, after) if isinstance(one, Mapping) for key in one)


def _at(value: object, key: Any) -> object:  # noqa: ANN401 - a key or a place in a list
    if isinstance(value, Mapping):
        return value.get(key, _ABSENT)
    return value[key] if isinstance(value, list) and key < len(value) else _ABSENT


def _spelled(path: _Path) -> str:
    parts: list[str] = []
    while path:
        path, key = path
        short = shortened(key, _LONGEST_KEY) if isinstance(key, str) else key
        simple = isinstance(short, str) and _SIMPLE.fullmatch(short)
        parts.append(f".{short}" if simple else f"[{json.dumps(short, ensure_ascii=False)}]")
    return shortened("".join(reversed(parts)).removeprefix("."), _LONGEST_PATH)


def _value(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, str):
        return json.dumps(shortened(value, _LONGEST_VALUE), ensure_ascii=False)
    return shortened(json.dumps(value), _LONGEST_VALUE)
