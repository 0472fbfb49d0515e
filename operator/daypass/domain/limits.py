"""Decides whether a request is within the limits of a policy.

All counts are of one subject, in all namespaces, and of the requests that this policy governed (as their status
says, by the policy's name): a limit bounds what its own policy gives, and requests that no policy took up, or that a
limit refused, cost nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daypass.domain import names
from daypass.domain.expressions import Expressions
from daypass.domain.policy import Policy
from daypass.domain.request import Request
from daypass.domain.times import rfc3339

DEFAULT_PENDING_TIMEOUT_SECONDS: Final = 86_400
"""How long a request waits for an answer where no policy says it: one day."""
DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that a request breaks; the message says what to do."""

    policy: str
    message: str


def breaches(
    policy: Policy, request: Request, peers: Iterable[Request], now: datetime, expressions: Expressions
) -> tuple[Breach, ...]:
    """All limits of a policy that a request breaks; raises UndecidedError for a pattern that is none.

    Rule: duration and ticket are always judged. The counts (active, cooldown, per day) are judged until the request
    is approved and never after: a later request can't undo an approved one.
    """
    limits = policy.limits
    texts: list[str] = []
    if limits.max_duration_seconds is not None and request.duration_seconds > limits.max_duration_seconds:
        texts.append(f"grants {limits.max_duration_seconds} seconds at most: set durationSeconds to that or less")
    if limits.ticket_pattern is not None and not expressions.matches(limits.ticket_pattern, request.ticket):
        # What Daypass makes itself never has one: whoever reads this must ask in their own name.
        way = "ask yourself, with a ticket" if request.name.startswith(names.MADE_PREFIX) else "set ticket"
        texts.append(f"wants a ticket that fits {limits.ticket_pattern}: {way}")
    if request.record.approved_time is None:
        texts += _counts(policy, request, _governed(policy, request, peers), now)
    return tuple(Breach(policy.name, f"policy {policy.name} {text}") for text in texts)


def pending_timeout_seconds(policies: Iterable[Policy]) -> int:
    """How long a request that these policies govern waits for an answer: the least that one of them says."""
    given = [policy.limits.pending_timeout_seconds for policy in policies]
    return min((seconds for seconds in given if seconds is not None), default=DEFAULT_PENDING_TIMEOUT_SECONDS)


def is_active(request: Request, now: datetime) -> bool:
    """Whether a request counts as active: approved, and its access not over.

    So one that is approved for later counts from its approval on, and so does a suspended one; a pending one does
    not. Access is over with the end that is written down, with its deadline, or with the deletion of the request.
    """
    record = request.record
    if record.approved_time is None or record.end_time is not None or request.deletion_time is not None:
        return False
    return record.expiration_time is None or now < record.expiration_time


def _counts(policy: Policy, request: Request, peers: Sequence[Request], now: datetime) -> list[str]:
    limits = policy.limits
    texts: list[str] = []
    if limits.max_active_per_subject is not None:
        active = sum(is_active(peer, now) for peer in peers)
        if active >= limits.max_active_per_subject:
            texts.append(f"lets a subject have {_active(limits.max_active_per_subject)}: release one first")
    if limits.cooldown_seconds is not None:
        until = _cooldown_end(request, peers, timedelta(seconds=limits.cooldown_seconds))
        if until is not None:
            texts.append(f"asks for {limits.cooldown_seconds} seconds between requests: ask after {rfc3339(until)}")
    if limits.max_per_day is not None:
        recent = [peer for peer in peers if _counts_for_day(peer, request)]
        if len(recent) >= limits.max_per_day:
            # The oldest that has to leave the window before there is room for one more.
            leaving = sorted(peer.creation_time for peer in recent)[len(recent) - limits.max_per_day]
            texts.append(f"takes {limits.max_per_day} requests in 24 hours: ask after {rfc3339(leaving + DAY)}")
    return texts


def _active(most: int) -> str:
    return f"{most} active grants at a time" if most != 1 else "one active grant at a time"


def _governed(policy: Policy, request: Request, peers: Iterable[Request]) -> list[Request]:
    """The other requests of the same subject that this policy governed."""
    return [
        peer
        for peer in peers
        if peer.uid != request.uid
        and peer.subject.username == request.subject.username
        and any(governor.name == policy.name for governor in peer.record.policies)
    ]


def _cooldown_end(request: Request, peers: Iterable[Request], cooldown: timedelta) -> datetime | None:
    """When the cooldown in which this request was made ends; None if it was made in none.

    It runs from the end of a request, whatever the end was: denied, timed out, released, revoked or expired. What
    counts is when this request was made, so that waiting for approval neither helps nor hurts.
    """
    ends = [peer.record.end_time for peer in peers if peer.record.end_time is not None]
    running = [end + cooldown for end in ends if end <= request.creation_time < end + cooldown]
    return max(running, default=None)


def _counts_for_day(peer: Request, request: Request) -> bool:
    """Whether another request takes one of the places of the day in which this one was made.

    The day is the 24 hours up to this request's creation, not a calendar day, so that midnight doubles nothing.
    Requests are taken in the order of creation (of the same second: by uid); one that was made later counts only if
    it is approved already. So of requests made at once exactly as many pass as there are places.
    """
    if peer.creation_time <= request.creation_time - DAY:
        return False
    earlier = (peer.creation_time, peer.uid) < (request.creation_time, request.uid)
    return earlier or peer.record.approved_time is not None
