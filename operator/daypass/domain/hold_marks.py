"""Decides what is written on a held pod, so that it goes under no request for another one that only looks like it."""

import hashlib
import json

from daypass.domain.request import WorkloadGrant


def hold_mark(grant: WorkloadGrant) -> str:
    """What a request must share with the pods that were held for it, and that a pod itself does not tell.

    Who had a hand in a pod, the caller too, and what it was found to need, what its ServiceAccount may do included
    (T55). Where it is, as whom it runs, what and whose it is, anybody can read from the pod at any time.
    """
    parts = [sorted(grant.privileges), sorted(grant.authors), grant.authors_unknown]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
