"""How many gates fit into one object: etcd takes 1.5 MiB, and refuses the whole where one policy is too much."""

import json
from collections.abc import Mapping
from typing import Final

from daypass.app.gates.entries import Entries
from daypass.app.ports import Json

LARGEST_BYTES: Final = 1_000_000
"""Of the webhooks of one configuration, as JSON; what the API server adds for itself comes on top."""
TOO_MUCH: Final = (
    "the gates of all policies are too much for one webhook configuration: let fewer policies have gates, with more"
    " agents and namespaces each, or use globs"
)


def unaffordable(
    wanted: Mapping[str, Entries], standing: Mapping[str, Entries], largest: int = LARGEST_BYTES
) -> frozenset[str]:
    """The policies whose gates don't fit any more: those that came last, never one that stands as it is wanted."""
    refused: set[str] = set()
    for kind in ("gates", "holds"):
        before = {name: _size(standing[name].of(kind)) for name in wanted}
        after = {name: _size(wanted[name].of(kind)) for name in wanted}
        if sum(after.values()) <= largest:
            continue
        total = sum(before.values())
        for name in wanted:
            more = after[name] - before[name]
            if more > 0 and total + more > largest:
                refused.add(name)
            else:
                total += more
    return frozenset(refused)


def _size(webhooks: tuple[Json, ...]) -> int:
    return sum(len(json.dumps(webhook)) for webhook in webhooks)
