"""The tables of examples in ``cases/``."""

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One example: the object, and what the API server says of it; "" is accepted."""

    name: str
    body: dict[str, Any]
    message: str

    def __str__(self) -> str:
        return self.name


class _Loader(yaml.CSafeLoader):
    """With tags for what would be too long to write."""


def _repeat(loader: _Loader, node: yaml.SequenceNode) -> object:
    value, count = loader.construct_sequence(node, deep=True)
    return value * count


def _many(loader: _Loader, node: yaml.SequenceNode) -> object:
    value, count = loader.construct_sequence(node, deep=True)
    return [deepcopy(value) for _ in range(count)]


_Loader.add_constructor("!repeat", _repeat)
_Loader.add_constructor("!many", _many)


def cases(plural: str, verdict: str) -> tuple[Case, ...]:
    """The accepted or refused examples of one resource."""
    table = _read(plural)
    return tuple(_case(table, entry) for entry in table[verdict])


@cache
def _read(plural: str) -> dict[str, Any]:
    text = (FOLDER / f"{plural}.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, _Loader))  # noqa: S506 - a SafeLoader


def _case(table: dict[str, Any], entry: dict[str, Any]) -> Case:
    body = deepcopy(table["base"])
    for key, value in entry["spec"].items():
        body["spec"].pop(key, None)
        if value is not None:
            body["spec"][key] = value
    message = entry.get("message", "")
    for name, text in table["texts"].items():
        message = message.replace(f"{{{name}}}", text)
    return Case(entry["name"], body, message)
