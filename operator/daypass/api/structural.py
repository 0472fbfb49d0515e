"""Rewrites pydantic's JSON schema into the structural schema that an API server accepts, or says why it can't."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from daypass.api.schema import LIST_TYPE, PRESERVE_UNKNOWN, VALIDATIONS

Node = dict[str, Any]

_DROPPED: Final = frozenset({"title", "uniqueItems", "$defs"})
_ORDER: Final = ("description", "type", "format", "default", "enum", "required", "properties", "items")


class UnboundedError(ValueError):
    """A part of the schema has no limit or no description; the text names it by its path."""


def structural(model: type[BaseModel], *, tell_limits: bool = False) -> Node:
    """The structural schema of a model: no references, no null, everything described and bounded.

    With ``tell_limits`` the descriptions say the limits, for ``kubectl explain`` shows them nowhere else.
    """
    raw = model.model_json_schema(by_alias=True)
    schema = _rewrite(raw, raw.get("$defs", {}), "")
    _demand_bounds(schema, "")
    if tell_limits:
        _tell_limits(schema)
    return schema


def _rewrite(node: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Node:
    merged = _resolved(node, definitions)
    result: Node = {}
    for key, value in merged.items():
        if key in _DROPPED or (key == "default" and value is None):
            continue
        if key == "const":
            result["enum"] = [value]
        elif key == "exclusiveMinimum":
            result["minimum"] = value + 1
        elif key == "exclusiveMaximum":
            result["maximum"] = value - 1
        elif key == "properties":
            result[key] = {name: _rewrite(child, definitions, f"{path}.{name}") for name, child in value.items()}
        elif key == "items":
            result[key] = _rewrite(value, definitions, f"{path}[]")
        elif key == "additionalProperties":
            if isinstance(value, Mapping):
                result[key] = _rewrite(value, definitions, f"{path}{{}}")
        else:
            result[key] = value
    if result.get("default") in ("", [], {}, False) or isinstance(result.get("default"), dict):
        del result["default"]  # absent already means that; written out, it would be stored in every object
    _keep_nulls(result)
    result.pop("propertyNames", None)
    result.pop("minProperties", None)
    return {key: result[key] for key in sorted(result, key=_rank)}


def _keep_nulls(node: Node) -> None:
    """Have the API server keep ``field: null`` where it keeps unknown fields.

    It prunes them else in silence, and a policy would be looser than its author wrote; we refuse them (T19).
    """
    if PRESERVE_UNKNOWN in node:
        for name in node["properties"].keys() - node.get("required", []):
            node["properties"][name]["nullable"] = True


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Node:
    """The node with its reference or its one alternative beside null put in place; what stands beside wins."""
    merged = dict(node)
    if "anyOf" in merged:
        real = [choice for choice in merged.pop("anyOf") if choice.get("type") != "null"]
        if len(real) != 1:
            message = f"a union has no structural schema: {node}"
            raise UnboundedError(message)
        merged = {**_resolved(real[0], definitions), **merged}
    if "$ref" in merged:
        name = merged.pop("$ref").rpartition("/")[2]
        merged = {**_resolved(definitions[name], definitions), **merged}
    return merged


def _rank(key: str) -> tuple[int, str]:
    if key in _ORDER:
        return (_ORDER.index(key), key)
    return (len(_ORDER) + (key == VALIDATIONS), key)


def _tell_limits(node: Node) -> None:
    if "items" in node:
        _tell_limits(node["items"])
    for child in node.get("properties", {}).values():
        _tell_limits(child)
        if "enum" in child:
            continue
        limits = (
            f"{child['maxLength']} characters" if "maxLength" in child else "",
            f"{child['maxItems']} entries" if "maxItems" in child else "",
            f"{child['maxProperties']} entries" if "maxProperties" in child else "",
            f"{child['maximum']}" if "maximum" in child else "",
        )
        told = next(filter(None, limits), "")
        if told and told not in child["description"]:
            child["description"] += f" At most {told}."


def _demand_bounds(node: Node, path: str) -> None:
    """Everything needs a limit, so that CEL rules stay within the API server's budget and objects within etcd's."""
    kind = node.get("type")
    missing = [
        name
        for name, wanted in (
            ("maxLength", kind == "string" and "enum" not in node and node.get("format") != "date-time"),
            ("maxItems", kind == "array"),
            (LIST_TYPE, kind == "array"),
            ("maxProperties", kind == "object" and "additionalProperties" in node),
            ("type", True),
            ("description", path != "" and not path.endswith(("[]", "{}"))),
        )
        if wanted and name not in node
    ]
    if missing:
        message = f"{path or 'the schema'}: no {', '.join(missing)}"
        raise UnboundedError(message)
    for name, child in node.get("properties", {}).items():
        _demand_bounds(child, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in node:
            _demand_bounds(node[key], path + mark)
