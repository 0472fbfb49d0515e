"""The two webhook configurations as objects: computed from policies, and compared with what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from daypass.app.ports import CLUSTER_ROLES, Json, Resource
from daypass.domain import names


@dataclass(frozen=True, slots=True)
class Configuration:
    """One of the two objects that the controller keeps."""

    kind: str
    """Its entry in the ConfigMap of endpoints: ``gates`` or ``holds``."""
    name: str
    resource: Resource


GATES: Final = Configuration(
    "gates",
    names.GATES_CONFIGURATION,
    Resource(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        namespaced=False,
    ),
)
HOLDS: Final = Configuration(
    "holds",
    names.HOLDS_CONFIGURATION,
    Resource(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        namespaced=False,
    ),
)
CONFIGURATIONS: Final = (GATES, HOLDS)


def body(configuration: Configuration, webhooks: list[Json], owner: Json | None) -> dict[str, Any]:
    """One object with these webhooks; with its owner it goes when the chart is uninstalled (T64)."""
    owners = {} if owner is None else {"ownerReferences": [_reference(owner)]}
    return {
        "apiVersion": configuration.resource.api_version,
        "kind": configuration.resource.kind,
        "metadata": {"name": configuration.name, "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY}, **owners},
        "webhooks": webhooks,
    }


def essence(configuration: Json) -> Mapping[str, Any]:
    """What of a configuration is ours to say."""
    metadata = configuration["metadata"]
    labels = metadata.get("labels") or {}
    return {
        "webhooks": configuration.get("webhooks") or [],
        "owners": metadata.get("ownerReferences") or [],
        "managed": labels.get(names.LABEL_MANAGED_BY),
        "finalizers": metadata.get("finalizers") or [],
    }


def _reference(owner: Json) -> dict[str, str]:
    metadata = owner["metadata"]
    return {
        "apiVersion": CLUSTER_ROLES.api_version,
        "kind": CLUSTER_ROLES.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
