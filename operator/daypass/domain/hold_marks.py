"""Decides what is written on a held pod, so that it goes under no request for another one that only looks like it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from daypass.domain.json_values import member
from daypass.domain.request import WorkloadGrant


def gate_names(pod: Mapping[str, Any]) -> list[str]:
    """The names of all that keeps a pod from being scheduled, ours among them, each in its place."""
    gates = member(pod, "spec", "schedulingGates")
    return [str(member(gate, "name")) for gate in gates] if isinstance(gates, list) else []


def hold_mark(grant: WorkloadGrant) -> str:
    """What a request must share with the pods that were held for it, and that a pod itself does not tell.

    Who had a hand in a pod, the caller too, and what it was found to need, what its ServiceAccount may do included
    (T55). Where it is, as whom it runs, what and whose it is, anybody can read from the pod at any time.
    """
    parts = [sorted(grant.privileges), sorted(grant.authors), grant.authors_unknown]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
