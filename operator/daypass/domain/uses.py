"""Decides what becomes of a use that admission reserved: spent, given back, or still open (T47, T48).

Admission lets an operation through before anybody knows whether it comes to pass: another webhook, a quota or a
conflict may still stop it. So a use is reserved first, and the object itself tells what became of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from daypass.domain.request import ActionGrant, Request, Use

GIVE_BACK_SECONDS: Final = 32
"""After admission an object may be 30 s on its way, for so long may another webhook take; times are whole seconds."""
EVICTION: Final = "eviction"
LOOKS: Final = (2, 10, GIVE_BACK_SECONDS)
"""Seconds after its reservation at which the object of a use is looked at."""


class Fate(Enum):
    """What became of a reserved use."""

    SPENT = "spent"
    OPEN = "open"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """What a live look at the object of a use found."""

    readable: bool = True
    uid: str = ""
    """Empty: there is no object of that name."""
    version: str = ""
    deleting: bool = False


def used_up(request: Request) -> bool:
    """Whether every operation that an action request lets through is known to be done.

    A workload request is never used up: its pods run on, and ``onExpiry: Evict`` would end them.
    """
    if not isinstance(request.grant, ActionGrant):
        return False
    return sum(use.confirmed for use in request.record.uses) >= request.grant.max_uses


def fate(request: Request, use: Use, observed: ObservedObject, now: datetime) -> Fate:
    """What became of one reserved use.

    Rule: it is spent as soon as the object shows it: a created object is there, a deleted one is gone or going, a
    changed one has another resourceVersion than before; a connection is spent at the first look. What does not show within ``GIVE_BACK_SECONDS`` did not
    happen, and the use is given back. An object that we may not read, or that is no object (a subresource that is
    created), shows nothing.
    """
    if not observed.readable or not _leaves_a_trace(request, use):
        # Fail closed: nobody can show that it did not happen.
        return Fate.SPENT
    if use.confirmed or _shows(request, use, observed):
        return Fate.SPENT
    return Fate.RETURNED if now >= _moment(use, GIVE_BACK_SECONDS) else Fate.OPEN


def settled(uses: Sequence[Use], fates: Mapping[str, Fate]) -> tuple[Use, ...]:
    """The uses with what is known of them written in; those that nobody looked at stay as they are."""
    return tuple(
        replace(use, confirmed=use.confirmed or fates.get(use.key) is Fate.SPENT)
        for use in uses
        if use.confirmed or fates.get(use.key) is not Fate.RETURNED
    )


def look_due(use: Use, now: datetime) -> datetime | None:
    """When the object of a use is to be looked at next; None where nothing is to be found out."""
    if use.confirmed:
        return None
    return next((moment for seconds in LOOKS if (moment := _moment(use, seconds)) > now), now)


def looked_at(use: Use, now: datetime) -> bool:
    """Whether a look now may tell anything."""
    return not use.confirmed and now >= _moment(use, LOOKS[0])


def _leaves_a_trace(request: Request, use: Use) -> bool:
    """Whether the object of a use can tell that it was done: what is created below an object is kept nowhere."""
    grant = request.grant
    below = isinstance(grant, ActionGrant) and grant.verb == "create" and grant.subresource not in {"", EVICTION}
    return bool(use.uid) and not below


def _shows(request: Request, use: Use, observed: ObservedObject) -> bool:
    there, before = observed.uid == use.uid, use.key.rpartition("@")[2] if "@" in use.key else ""
    if before:
        # Changed, whatever it was asked as: a false owner is set by an update, and deletes.
        return not there or observed.version != before
    match _verb(request):
        case "create":
            return there
        case "delete":
            return not there or observed.deleting
        case _:
            return True


def _verb(request: Request) -> str:
    """What is done to the object itself."""
    grant = request.grant
    if not isinstance(grant, ActionGrant):
        return "create"
    return "delete" if (grant.verb, grant.subresource) == ("create", EVICTION) else grant.verb


def _moment(use: Use, seconds: int) -> datetime:
    return use.time + timedelta(seconds=seconds)
