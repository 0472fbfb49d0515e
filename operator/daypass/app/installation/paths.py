"""The secret paths at which the API server calls the webhook, and when they are replaced (T52).

While the webhook is unreachable the API server tells every caller the whole URL, so a path is a secret for a while
only. Each is known to the webhook as the next one long before it is used: a kubelet brings files a minute late.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daypass.domain.times import moment_from, rfc3339

KINDS: Final = ("mutating", "validating", "gates", "holds")
FOLLOWED: Final = ("gates", "holds")
"""Their configurations are the controller's, which takes up a new path by itself, a moment later or when it is back."""
ROTATED: Final = "rotated"
REPLACED_AFTER: Final = timedelta(hours=1)
"""A run of setup replaces paths that are older: every run of the CronJob, not each of several runs at an upgrade."""


@dataclass(frozen=True, slots=True)
class PathPlan:
    """What the configurations shall call, and the Secret's entries: the path in use, the next, perhaps the earlier."""

    used: Mapping[str, str]
    entries: Mapping[str, bytes]
    replaces: bool
    """Then the configurations change before the Secret: the webhook knows the new paths, and forgets the old last."""


def plan_paths(stored: Mapping[str, bytes], now: datetime, fresh: Callable[[], str], *, at_once: bool) -> PathPlan:
    """Decide which paths are used from now on; ``at_once`` replaces them whatever their age.

    Where the controller has to follow, the webhook still answers at the path before until the next replacement: a
    configuration that is late must not shut what it gates.
    """
    lines = {kind: stored.get(kind, b"").decode("ascii", "replace").split() for kind in KINDS}
    if not all(len(known) > 1 for known in lines.values()):
        # The first run, or a Secret from before there was a next path, or this kind: nothing can be replaced yet.
        made = {kind: [*known, *(fresh() for _ in range(2 - len(known)))] for kind, known in lines.items()}
        return _plan(made, now, replaces=False)
    since = moment_from(stored.get(ROTATED, b"").decode("ascii", "replace"))
    if since is not None and timedelta(0) <= now - since < REPLACED_AFTER and not at_once:
        used = {kind: known[0] for kind, known in lines.items()}
        return PathPlan(used, dict(stored), replaces=False)
    replaced = {kind: [known[1], fresh(), *([known[0]] if kind in FOLLOWED else [])] for kind, known in lines.items()}
    return _plan(replaced, now, replaces=True)


def _plan(lines: Mapping[str, list[str]], now: datetime, *, replaces: bool) -> PathPlan:
    entries = {kind: "\n".join(known).encode("ascii") for kind, known in lines.items()}
    used = {kind: known[0] for kind, known in lines.items()}
    return PathPlan(used, {**entries, ROTATED: rfc3339(now).encode("ascii")}, replaces)
