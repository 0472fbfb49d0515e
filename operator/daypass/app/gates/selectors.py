"""In which namespaces a webhook is called at all, by the one label that nobody can change (T41)."""

from collections.abc import Collection, Sequence
from typing import Any, Final

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The API server sets it on each Namespace, and sets it back whoever changes it."""


def namespace_selector(literal: Sequence[str] | None, never: Collection[str]) -> dict[str, Any]:
    """By literal names where there are any; ``never`` stays out in any case, last so that a reader finds it."""
    wanted = [] if literal is None else [_requirement("In", literal)]
    return {"matchExpressions": [*wanted, _requirement("NotIn", never)]}


def _requirement(operator: str, values: Collection[str]) -> dict[str, Any]:
    return {"key": NAME_LABEL, "operator": operator, "values": sorted(set(values))}
