"""How a time is spelled: RFC 3339, UTC, ``Z``, whole seconds."""

from datetime import UTC, datetime


def rfc3339(time: datetime) -> str:
    """The one spelling of a time, in signed documents and in objects; fractions are cut off.

    Cut, never rounded up: a deadline is never later than what was computed.
    """
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_from(text: object) -> datetime | None:
    """A time of Kubernetes; None for what is not one."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
