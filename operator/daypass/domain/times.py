"""How a time is spelled: RFC 3339; ours in UTC, with ``Z``, in whole seconds."""

import functools
import re
from datetime import UTC, datetime
from typing import Final

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def rfc3339(time: datetime) -> str:
    """The one spelling of a time, in signed documents and in objects; fractions are cut off.

    Cut, never rounded up: a deadline is never later than what was computed.
    """
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_from(text: object) -> datetime | None:
    """The time that an RFC 3339 text says, in UTC; None for anything else."""
    return _moment(text) if isinstance(text, str) else None


@functools.lru_cache(maxsize=4096)
def _moment(text: str) -> datetime | None:
    """Objects say the same times again and again: one copy of each is kept, and read once."""
    if _RFC_3339.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
