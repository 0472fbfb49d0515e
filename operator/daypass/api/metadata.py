"""Reads what decisions need of an object's metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daypass.api.fields import NO_TIME
from daypass.api.malformed import MalformedError
from daypass.domain import names
from daypass.domain.times import moment_from


@dataclass(frozen=True, slots=True)
class Metadata:
    """The slice of metadata; uid and generation are empty before the API server has set them."""

    name: str
    namespace: str
    uid: str
    generation: int
    creation_time: datetime | None
    deletion_time: datetime | None


def metadata_from(body: Mapping[str, Any], kind: str) -> Metadata:
    """The metadata of an object that must be of one kind of ours. Raises MalformedError."""
    if not isinstance(body, dict):
        raise MalformedError("", "is not an object")
    if body.get("kind", kind) != kind:
        raise MalformedError("kind", f"must be {kind}")
    if body.get("apiVersion", names.API_VERSION) != names.API_VERSION:
        # Fail closed: the same field may mean something else in another version (T63).
        raise MalformedError("apiVersion", f"must be {names.API_VERSION}")
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        raise MalformedError("metadata", "is required")
    generation = metadata.get("generation", 0)
    if type(generation) is not int:
        raise MalformedError("metadata.generation", "must be a whole number")
    return Metadata(
        name=_text(metadata, "name"),
        namespace=_text(metadata, "namespace"),
        uid=_text(metadata, "uid"),
        generation=generation,
        creation_time=_time(metadata, "creationTimestamp"),
        deletion_time=_time(metadata, "deletionTimestamp"),
    )


def _text(metadata: dict[str, Any], key: str) -> str:
    value = metadata.get(key, "")
    if not isinstance(value, str):
        raise MalformedError(f"metadata.{key}", "must be text")
    return value


def _time(metadata: dict[str, Any], key: str) -> datetime | None:
    value = metadata.get(key)
    if value is None:
        return None
    moment = moment_from(value)
    if moment is None:
        raise MalformedError(f"metadata.{key}", NO_TIME)
    return moment
