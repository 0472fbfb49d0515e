"""Namespaces with a gate on a bed, as an admin makes them."""

import time
from collections.abc import Sequence
from typing import Any, Final

from bed import Bed
from bed.people import populate

Json = dict[str, Any]

TAKEN_UP_SECONDS: Final = 1.0
"""An API server hears of a changed webhook configuration by a watch, and shows nowhere that it has."""
_CONFIGURATION: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/daypass-gates"


def open_namespace(bed: Bed, namespace: str) -> None:
    """With the ServiceAccount ``agent``."""
    bed.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    bed.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "agent", "namespace": namespace}})


def gate_policy(namespace: str, privileges: Sequence[str], missing: str, most_seconds: int = 3600) -> Json:
    """Pods of the namespace's agent need leave for these privileges, which one of the approvers gives."""
    everybody = [{"kind": "User", "name": "*"}, {"kind": "ServiceAccount", "namespace": "*", "name": "*"}]
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "ApprovalPolicy",
        "metadata": {"name": f"gate-{namespace}"},
        "spec": {
            "effect": "Allow",
            "match": {
                "namespaces": [namespace],
                "requesters": everybody,
                "grants": {"workload": {"privileges": list(privileges)}},
            },
            "limits": {"maxDurationSeconds": most_seconds},
            "approvals": [{"name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}],
            "gate": {
                "workloads": {
                    "agents": [{"kind": "ServiceAccount", "name": "agent"}],
                    "privileges": list(privileges),
                    "onMissing": missing,
                    "request": True,
                }
            },
        },
    }


def settle(bed: Bed, *namespaces: str) -> None:
    """Wait until the API server calls us for the gates of these namespaces."""

    def there() -> bool:
        found = bed.request("GET", _CONFIGURATION).json or {}
        names = [one["name"] for one in found.get("webhooks") or ()]
        return all(any(name.startswith(f"gate-{one}.") for name in names) for one in namespaces)

    bed.wait_until(there, 30, f"webhooks for {', '.join(namespaces)}")
    time.sleep(TAKEN_UP_SECONDS)


def open_with_people(bed: Bed, namespace: str) -> None:
    """As ``open_namespace``, where alice may ask and bob may approve."""
    populate(bed, namespace)
