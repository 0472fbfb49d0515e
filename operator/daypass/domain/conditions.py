"""The states of a request, and the conditions by which they are told (the table of the design, row by row)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from daypass.domain.deadlines import floor
from daypass.domain.request import Condition, Record


class State(Enum):
    """The reason of ``Ready``: what a person sees in the STATE column."""

    AWAITING_APPROVAL = "AwaitingApproval"
    UNDECIDED = "Undecided"
    SCHEDULED = "Scheduled"
    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    DENIED = "Denied"
    TIMED_OUT = "TimedOut"
    FAILED = "Failed"
    EXPIRED = "Expired"
    REVOKED = "Revoked"
    RELEASED = "Released"

    @property
    def final(self) -> bool:
        """Whether nothing ever follows."""
        return self in FINAL


_STATES: Final = {state.value: state for state in State}

FINAL: Final = frozenset(
    {State.DENIED, State.TIMED_OUT, State.FAILED, State.EXPIRED, State.REVOKED, State.RELEASED},
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; ``approved`` None means: as it was."""

    approved: bool | None
    granted: bool
    ready: bool
    reconciling: bool
    stalled: bool


_WAITING: Final = Row(approved=False, granted=False, ready=False, reconciling=True, stalled=False)
_REFUSED: Final = Row(approved=False, granted=False, ready=False, reconciling=False, stalled=True)
_ENDED: Final = Row(approved=True, granted=False, ready=False, reconciling=False, stalled=True)

TABLE: Final = {
    State.AWAITING_APPROVAL: _WAITING,
    State.UNDECIDED: Row(approved=None, granted=False, ready=False, reconciling=True, stalled=False),
    State.SCHEDULED: Row(approved=True, granted=False, ready=False, reconciling=True, stalled=False),
    State.ACTIVE: Row(approved=True, granted=True, ready=True, reconciling=False, stalled=False),
    State.SUSPENDED: _ENDED,
    State.DENIED: _REFUSED,
    State.TIMED_OUT: _REFUSED,
    State.FAILED: Row(approved=None, granted=False, ready=False, reconciling=False, stalled=True),
    State.EXPIRED: _ENDED,
    State.REVOKED: _ENDED,
    State.RELEASED: _ENDED,
}


def state_of(record: Record) -> State | None:
    """The state last written; None for a request that was never looked at, or a reason that we don't know (T63)."""
    ready = record.condition("Ready")
    if ready is None:
        return None
    return _STATES.get(ready.reason)


def was_approved(record: Record) -> bool:
    """Whether the request was approved when it was last written down."""
    approved = record.condition("Approved")
    return approved is not None and approved.status == "True"


def was_granted(record: Record) -> bool:
    """Whether the access was there when the request was last written down."""
    granted = record.condition("Granted")
    return granted is not None and granted.status == "True"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the conditions have to say besides the state."""

    state: State
    message: str
    approved: bool | None
    """Overrides the table where it says "as it was"; a request released before approval was never approved."""
    approval: str
    """Message of ``Approved``."""


def conditions(summary: Summary, earlier: Record, generation: int, now: datetime) -> tuple[Condition, ...]:
    """The conditions for a state; times change only where a status does.

    ``Reconciling`` and ``Stalled`` are there only while they are true, as kstatus wants it.
    """
    row = TABLE[summary.state]
    approved = summary.approved if summary.approved is not None else row.approved
    if approved is None:
        approved = was_approved(earlier)
    reason = summary.state.value
    found = [
        ("Approved", approved, "Approved" if approved else reason, summary.approval if approved else summary.message),
        ("Granted", row.granted, reason, summary.message),
        ("Ready", row.ready, reason, summary.message),
    ]
    if row.reconciling:
        found.append(("Reconciling", True, reason, summary.message))
    if row.stalled:
        found.append(("Stalled", True, reason, summary.message))
    return tuple(
        _condition(kind, "True" if status else "False", (why, message), earlier, generation, now)
        for kind, status, why, message in found
    )


def _condition(
    kind: str, status: str, text: tuple[str, str], earlier: Record, generation: int, now: datetime
) -> Condition:
    before = earlier.condition(kind)
    since = floor(now)
    if before is not None and before.status == status and before.last_transition_time is not None:
        since = before.last_transition_time
    return Condition(kind, status, text[0], text[1], generation, since)
