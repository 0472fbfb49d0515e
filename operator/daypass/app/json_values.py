"""Read JSON as it came, in which anything may be missing or of another type."""

from collections.abc import Mapping
from typing import Any

from daypass.app.ports import Json


def member(body: Json | None, *path: str) -> Any:  # noqa: ANN401 - JSON as it came
    """The value at a path of an object, or None where any step of it is absent or no object."""
    value: Any = body
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value
