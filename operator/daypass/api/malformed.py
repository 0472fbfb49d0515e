"""What is said when an object can't be understood: every fault with its path, in words for a person."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from daypass.domain.hints import did_you_mean
from daypass.domain.violations import Violation


class MalformedError(Exception):
    """The object is not what the API says: it can't be judged, so nothing is granted on it (T63)."""

    def __init__(self, path: str, message: str, others: Iterable[Violation] = ()) -> None:
        self.path = path
        self.message = message
        self.violations = (Violation(path, message), *others)
        super().__init__("; ".join(str(violation) for violation in self.violations))


_TEXTS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be one of {expected}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
_EMPTY: Final[Mapping[str, str]] = {
    "string_too_short": "must have at least one character",
    "too_short": "must have at least one entry",
}
_MAX_VIOLATIONS: Final = 32
"""More than a person reads, and few enough for an answer of admission."""


def malformed(error: ValidationError, root: str, model: type[BaseModel] | None = None) -> MalformedError:
    """The faults that pydantic found in an object that stands at ``root``; by its model, which field was meant."""
    details = error.errors(include_url=False, include_input=False)[:_MAX_VIOLATIONS]
    first, *others = (
        Violation(path_of((root, *detail["loc"])), _text(detail) + _meant(detail, model)) for detail in details
    )
    return MalformedError(first.path, first.message, others)


def path_of(parts: Iterable[str | int]) -> str:
    """The path as it would be written in a manifest: ``spec.approvals[0].name``."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part and part != "[key]":
            path += f".{part}" if path else part
    return path


def _meant(detail: ErrorDetails, model: type[BaseModel] | None) -> str:
    """Of an unknown field, the known one that is closest."""
    *parents, field = detail["loc"] or ("",)
    if detail["type"] != "extra_forbidden":
        return ""
    for name in parents:
        if model is not None and isinstance(name, str):
            model = next((_model_in(one.annotation) for key, one in _fields(model) if key == name), None)
    return "" if model is None else did_you_mean(str(field), [key for key, _ in _fields(model)])


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    return ((one.alias or name, one) for name, one in model.model_fields.items())


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model of a field, of its list or beside its None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _text(detail: ErrorDetails) -> str:
    context: Mapping[str, Any] = detail.get("ctx", {})
    kind = detail["type"]
    template = _EMPTY.get(kind) if context.get("min_length") == 1 else _TEXTS.get(kind)
    return template.format(**context) if template else detail["msg"]
