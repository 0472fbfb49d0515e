"""When a grant begins, ends and is given up: arithmetic on the API server's time, in whole seconds.

Times are floored, never rounded, so that a grant never outlives its duration.
"""

from datetime import datetime, timedelta
from typing import Final

JOB_START_SECONDS: Final = 5
"""A dead-man Job that has not started after this long holds nothing: its binding is taken back (T66)."""
LATE_SECONDS: Final = 5
"""A dead-man Job that would end the grant later than this gets its deadline corrected."""
EARLY_SECONDS: Final = 5
"""Kubernetes' own controllers may read another clock: what they end so shortly before the deadline has expired."""

CLOCK_STEP: Final = timedelta(seconds=1)
"""By less than this does new evidence of the API server's time set our clock back."""

RETRY_SOONEST: Final = timedelta(seconds=15)
RETRY_LATEST: Final = timedelta(minutes=10)


def floor(moment: datetime) -> datetime:
    """The whole second in which a moment lies."""
    return moment.replace(microsecond=0)


def activation(decided: datetime, now: datetime, handover: datetime | None) -> datetime:
    """When a grant that is to be made now begins.

    Now, if this controller has been at work since the decision, or none was when it fell. If a former one may have
    acted on it (``handover`` is the last moment at which it can have), its grant may have come and gone without a
    trace: then the time counts from the decision, so that nothing is granted twice (T37).
    """
    if handover is not None and decided <= handover:
        return floor(min(decided, now))
    return floor(now)


def expiration(begin: datetime, duration_seconds: int) -> datetime:
    """The end of a grant that begins then."""
    return begin + timedelta(seconds=duration_seconds)


def seconds_until(end: datetime, now: datetime) -> int:
    """What is left, for ``activeDeadlineSeconds``: whole seconds, at least one, never past the end's own second."""
    return max(1, int((end - floor(now)).total_seconds()))


def corrected_seconds(started: datetime, deadline_seconds: int | None, end: datetime) -> int | None:
    """The deadline that a Job which started then should have; None where its own is near enough.

    Kubernetes counts from ``status.startTime``. No deadline at all is always corrected.
    """
    exact = max(1, int((end - started).total_seconds()))
    if deadline_seconds is None or deadline_seconds - exact > LATE_SECONDS or exact - deadline_seconds > LATE_SECONDS:
        return exact
    return None


def start_due(created: datetime) -> datetime:
    """When a Job created then must have started."""
    return created + timedelta(seconds=JOB_START_SECONDS)


def retry_due(since: datetime, now: datetime) -> datetime:
    """When to look again at what could not be decided, though nothing happened that we would hear of.

    A permission that was given back, a library that answers again: no watch tells. The longer it lasts, the more
    seldom we ask, so that ten thousand such requests cost little.
    """
    return now + min(max((now - since) / 4, RETRY_SOONEST), RETRY_LATEST)


def ended_by_deadline(end: datetime, now: datetime) -> bool:
    """Whether what is gone by now went because its time was over."""
    return now >= end - timedelta(seconds=EARLY_SECONDS)
