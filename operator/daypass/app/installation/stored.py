"""Entries of Secrets and ConfigMaps that Daypass keeps for itself: read, made, and changed with a precondition."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from daypass.app.ports import CONFIG_MAPS, SECRETS, Json, Objects
from daypass.domain import names


@dataclass(frozen=True, slots=True)
class Stored:
    """A Secret's or ConfigMap's entries as read; ``resource_version`` is empty when there is none yet."""

    name: str
    entries: Mapping[str, bytes]
    resource_version: str = ""


async def read_secret(objects: Objects, name: str, namespace: str) -> Stored:
    """Read a Secret live; raises ValueError when it isn't base64."""
    body = await objects.get(SECRETS, name, namespace)
    if body is None:
        return Stored(name, {})
    try:
        entries = {key: base64.b64decode(value, validate=True) for key, value in (body.get("data") or {}).items()}
    except binascii.Error as error:
        msg = f"Secret {name}: {error}"
        raise ValueError(msg) from error
    return Stored(name, entries, body["metadata"]["resourceVersion"])


async def write_secret(objects: Objects, stored: Stored, entries: Mapping[str, bytes], namespace: str) -> bool:
    """Make the Secret hold exactly these entries; False when it did already.

    Raises AlreadyExistsError or ConflictError when somebody else wrote meanwhile: read again and decide again.
    """
    if stored.entries == entries and stored.resource_version:
        return False
    data: dict[str, str | None] = {key: base64.b64encode(value).decode("ascii") for key, value in entries.items()}
    if not stored.resource_version:
        body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data}
        await objects.create(SECRETS, _named(body, stored.name, namespace), namespace)
        return True
    gone: dict[str, str | None] = {key: None for key in stored.entries if key not in entries}
    await objects.merge_patch(SECRETS, stored.name, _patch(stored, {**data, **gone}), namespace)
    return True


async def publish(objects: Objects, name: str, entries: Mapping[str, bytes], namespace: str) -> bool:
    """Add entries to a ConfigMap and keep all that it holds; False when they were there."""
    body = await objects.get(CONFIG_MAPS, name, namespace)
    data: dict[str, str | None] = {key: value.decode("ascii") for key, value in entries.items()}
    if body is None:
        made = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
        await objects.create(CONFIG_MAPS, _named(made, name, namespace), namespace)
        return True
    held = body.get("data") or {}
    if all(held.get(key) == value for key, value in data.items()):
        return False
    stored = Stored(name, {}, body["metadata"]["resourceVersion"])
    await objects.merge_patch(CONFIG_MAPS, name, _patch(stored, data), namespace)
    return True


def _named(body: Json, name: str, namespace: str) -> Json:
    labels = {names.LABEL_MANAGED_BY: names.MANAGED_BY}
    return {**body, "metadata": {"name": name, "namespace": namespace, "labels": labels}}


def _patch(stored: Stored, data: Mapping[str, str | None]) -> Json:
    return {"metadata": {"resourceVersion": stored.resource_version}, "data": data}
