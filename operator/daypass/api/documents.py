"""Reads YAML as kubectl does, but for what would hide a mistake: a key that is given twice is refused."""

from collections.abc import Hashable, Iterator
from typing import Any

import yaml


class UnreadableError(Exception):
    """The text is not YAML, or could be read in two ways; the text says where."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without times, which stay the text that they are, as in JSON."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[object] = set()
    for key, _ in node.value:
        name = loader.construct_object(key)
        if isinstance(name, str) and name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{name} is given twice", key.start_mark)
        seen.add(name if isinstance(name, str) else id(key))
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str) -> Iterator[tuple[int, Any]]:
    """The objects of a text with the number of their document, from 1; a List is taken apart, empty ones are left out.

    Raises UnreadableError.
    """
    try:
        for number, document in enumerate(yaml.load_all(text, Loader=_Loader), 1):
            if isinstance(document, dict) and isinstance(document.get("items"), list):
                yield from ((number, item) for item in document["items"])
            elif document is not None:
                yield number, document
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UnreadableError(_where(error)) from None


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error) or "is nested too deeply"
    return f"line {mark.line + 1}: {problem}" if mark is not None else problem
