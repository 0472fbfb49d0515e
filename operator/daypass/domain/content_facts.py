"""Decides what an approver reads of an object that is created or changed: its content, or what becomes of it (T58)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from daypass.domain.object_content import written
from daypass.domain.plain_text import escaped, shortened

MOST_LINES: Final = 24
LONGEST_LINE: Final = 512
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


def _lines(differences: Iterator[tuple[_Path, object, object]]) -> tuple[str, ...]:
    """At most so many lines of so many characters, all text of strangers quoted and without hidden characters (T15)."""
    lines: list[str] = []
    more = 0
    for path, old, new in differences:
        if len(lines) < MOST_LINES:
            lines.append(shortened(escaped(_line(path, old, new)), LONGEST_LINE))
        else:
            more += 1
    if more:
        lines[-1] = f"and {more + 1} more"
    return tuple(lines)


def _line(path: _Path, old: object, new: object) -> str:
    value = _value(new) if old is _ABSENT and new is not _ABSENT else f"{_value(old)} → {_value(new)}"
    return f"{_spelled(path)}: {value}"


def _differences(old: object, new: object) -> Iterator[tuple[_Path, object, object]]:
    """Each leaf that differs; without recursion, however deep an object is nested (T49)."""
    left: list[tuple[_Path, object, object]] = [((), old, new)]
    while left:
        path, before, after = left.pop()
        if _kind(before) is not None and _kind(after) is not None and _kind(before) != _kind(after):
            left += [(path, _ABSENT, after), (path, before, _ABSENT)]
            continue
        inner = [
            ((path, key), _at(before, key), _at(after, key)) for key in dict.fromkeys((*_keys(before), *_keys(after)))
        ]
        if inner:
            left += reversed(inner)
        elif type(before) is not type(after) or before != after:
            yield path, before, after


def _kind(value: object) -> str | None:
    if value is _ABSENT:
        return None
    return "object" if isinstance(value, Mapping) else "list" if isinstance(value, list) else "value"


def _keys(value: object) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value
    return range(len(value)) if isinstance(value, list) else ()


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
