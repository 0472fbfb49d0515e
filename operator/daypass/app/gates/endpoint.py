"""Where the gates' webhooks are served, as ``daypass setup`` wrote it down."""

import json
from collections.abc import Mapping

from daypass.app.ports import Json
from daypass.domain import names

KINDS = ("gates", "holds")


class EndpointError(Exception):
    """Nobody said where; the text says what a person should do."""


def endpoints_from(config_map: Json | None) -> Mapping[str, Json]:
    """The ``clientConfig`` of each configuration; raises EndpointError."""
    about = f"ConfigMap {names.GATES_ENDPOINT_CONFIG_MAP}"
    if config_map is None:
        message = f"{about} does not say where the webhook is: run daypass setup"
        raise EndpointError(message)
    entries = config_map.get("data") or {}
    found: dict[str, Json] = {}
    for kind in KINDS:
        try:
            client_config = json.loads(entries.get(kind, ""))
        except ValueError:
            client_config = None
        if not isinstance(client_config, dict) or not client_config.get("caBundle"):
            # Fail closed: a configuration that calls nobody knows whom would refuse everything, or trust anybody.
            message = f"{about} has no clientConfig as entry {kind}: run daypass setup"
            raise EndpointError(message)
        found[kind] = client_config
    return found
