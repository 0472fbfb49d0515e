"""Reads JSON as it came, in which anything may be missing or of another type."""

from collections.abc import Mapping
from typing import Any


def member(body: Mapping[str, Any] | None, *path: str) -> Any:  # noqa: ANN401 - JSON as it came
    """The value at a path of an object, or None where any step of it is absent or no object."""
    value: Any = body
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def text(body: Mapping[str, Any] | None, *path: str) -> str:
    """The text at a path of an object, or nothing."""
    value = member(body, *path)
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def inner(parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under a key, or an empty one."""
    found = parent.get(key)
    return found if isinstance(found, dict) else {}


def items(parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of the list under a key."""
    found = parent.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
