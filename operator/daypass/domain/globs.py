"""Decides whether a name fits a glob of a policy."""

from collections.abc import Iterable, Sequence


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern.

    Rule: a glob knows only ``*``, which stands for any characters but ``:``; everything else is literal.
    A colon of the text is thus always matched by a colon of the pattern, so both are compared part by part.
    Time is linear in both lengths (T51).

    Why not ``fnmatch``: its ``*`` crosses colons, so that ``system:*`` would reach ServiceAccounts of every
    namespace, and its brackets and question marks are surprises in names.
    """
    if "*" not in pattern:
        return pattern == text
    patterns, texts = pattern.split(":"), text.split(":")
    return len(patterns) == len(texts) and all(map(matches_freely, patterns, texts))


def matches_any(patterns: Iterable[str], text: str) -> bool:
    """Whether the text fits one of the patterns; a plain loop, because most decisions end here."""
    for pattern in patterns:  # noqa: SIM110 - a generator costs more than all the comparisons
        if matches(pattern, text):
            return True
    return False


def any_matches(pattern: str, texts: Sequence[str]) -> bool:
    """Whether one of the texts fits the pattern."""
    return pattern in texts if "*" not in pattern else any(matches(pattern, text) for text in texts)


def matches_freely(pattern: str, text: str) -> bool:
    """As ``matches``, for texts in which a colon is a character like any other."""
    if "*" not in pattern:
        return pattern == text
    first, *middle, last = pattern.split("*")
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def intersect_freely(one: str, other: str) -> bool:
    """Whether some text fits both patterns, where a colon is a character like any other.

    Two patterns that both have a star are compared at their ends alone: what stands between can follow one another.
    """
    if "*" not in one:
        return matches_freely(other, one)
    if "*" not in other:
        return matches_freely(one, other)
    starts, ends = (one.partition("*")[0], other.partition("*")[0]), (one.rpartition("*")[2], other.rpartition("*")[2])
    return (starts[0].startswith(starts[1]) or starts[1].startswith(starts[0])) and (
        ends[0].endswith(ends[1]) or ends[1].endswith(ends[0])
    )
