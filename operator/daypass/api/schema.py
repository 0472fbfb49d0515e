"""The base of the custom resources' models, and how a model says a rule to Python and to the API server at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

VALIDATIONS = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"
PRESERVE_UNKNOWN = "x-kubernetes-preserve-unknown-fields"


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand in two languages: CEL for the API server, Python for us; tests hold both to the same examples."""

    expression: str
    message: str
    holds: Callable[[Any], bool] | None = None
    """The same in Python; None where only the API server can judge it, such as a transition."""
    reason: str = ""
    field_path: str = ""

    def allows(self, value: object) -> bool:
        """Whether the rule holds, as far as Python can judge."""
        return self.holds is None or self.holds(value)

    def as_json(self) -> dict[str, str]:
        """The entry of ``x-kubernetes-validations``."""
        entry = {"rule": self.expression, "message": self.message}
        if self.reason:
            entry["reason"] = self.reason
        if self.field_path:
            entry["fieldPath"] = self.field_path
        return entry


def require(rules: tuple[Rule, ...], value: object) -> None:
    """Raise what pydantic reports when a rule does not hold, with the message that the API server would give."""
    broken = [rule.message for rule in rules if not rule.allows(value)]
    if broken:
        kind, text = "rule", "{broken}"
        raise PydanticCustomError(kind, text, {"broken": "; ".join(broken)})


class Object(BaseModel):
    """An object of a custom resource: camelCase in JSON, unknown fields refused (T19, T63)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", strict=True)

    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the CEL rules to the schema that pydantic makes."""
        schema = handler(core_schema)
        resolved = handler.resolve_ref_schema(schema)
        if cls.rules:
            resolved[VALIDATIONS] = [rule.as_json() for rule in cls.rules]
        return schema


class SpecObject(Object):
    """An object of a spec, in which null is refused."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_null(cls, data: object) -> object:
        """Refuse null as the API server does, where absence would mean "any"."""
        if isinstance(data, dict) and None in data.values():
            names = ", ".join(str(name) for name, value in data.items() if value is None)
            kind, text = "null", "{names} must not be null"
            raise PydanticCustomError(kind, text, {"names": names})
        return data


class CheckedObject(SpecObject):
    """An object with rules of its own that Python checks too."""

    @model_validator(mode="after")
    def _hold_rules(self) -> Self:
        require(self.rules, self)
        return self


class OpenObject(CheckedObject):
    """An object of which the API server keeps unknown fields, so that the webhook sees and refuses them (T19)."""

    model_config = ConfigDict(json_schema_extra={PRESERVE_UNKNOWN: True})


class StatusObject(Object):
    """An object of status: what a newer version adds is ignored, for nothing is granted on it alone."""

    model_config = ConfigDict(extra="ignore")


def atomic(limit: int, least: int = 0) -> Mapping[str, Any]:
    """Arguments of ``Field`` for a list that is replaced as a whole, with at most ``limit`` entries."""
    bounds: dict[str, Any] = {"max_length": limit, "json_schema_extra": {LIST_TYPE: "atomic"}}
    return {**bounds, "min_length": least} if least else bounds
