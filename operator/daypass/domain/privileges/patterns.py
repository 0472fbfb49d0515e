"""Decides which privileges a pattern speaks of.

A privilege is ``CONTROL`` or ``CONTROL:VALUE``. Policies and gates may also write a profile, and ``*`` in a value for
any characters. Without a value every value is meant.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from daypass.domain.globs import intersect_freely, matches_freely
from daypass.domain.privileges.controls import PROFILES

_ANY: Final = "*"


def fits(pattern: str, privilege: str) -> bool:
    """Whether the pattern covers the whole privilege; a value that holds ``*`` is covered with all it stands for.

    Nothing is implied: ``Capabilities:ALL`` covers adding ALL and not NET_ADMIN, a directory covers itself and not
    what is below it (a link there leads anywhere on the node). ALL in turn is covered by no glob that happens to
    match its letters, but by ``*`` alone.
    """
    control, value = split(pattern)
    other, narrowed = split(privilege)
    return _speaks_of(control, other) and _includes(other, value, narrowed)


def missing(granted: Iterable[str], needed: Iterable[str]) -> tuple[str, ...]:
    """Those of the needed privileges that no granted one covers, each once, in their order."""
    values = _by_control(tuple(granted))
    lacking: dict[str, None] = {}
    for privilege in needed:
        control, narrowed = split(privilege)
        for value in values.get(control, ()):
            if _includes(control, value, narrowed):
                break
        else:
            lacking[privilege] = None
    return tuple(lacking)


@functools.lru_cache(maxsize=1024)
def _by_control(granted: tuple[str, ...]) -> Mapping[str, Sequence[str]]:
    """The values of each control in what was granted, which is asked again for each pod."""
    values: dict[str, list[str]] = {}
    for pattern in dict.fromkeys(granted):
        control, value = split(pattern)
        for covered in PROFILES.get(control, (control,)):
            values.setdefault(covered, []).append(value)
    return values


def overlaps(pattern: str, privilege: str) -> bool:
    """Whether the privilege gives anything that the pattern speaks of: what gates and Deny policies ask.

    Here everything is implied: adding ALL gives each capability, Critical power includes High, and mounting a
    directory gives what is below it as well as a part of what is above it. So a gate on one path also stops a pod
    that mounts a parent of it.
    """
    control, value = split(pattern)
    other, narrowed = split(privilege)
    if not (_speaks_of(control, other) or _speaks_of(other, control)):
        return False
    if "" in (value, narrowed) or is_everything(other, narrowed):
        return True
    if other == "HostPathVolumes":
        return _paths_overlap(value, narrowed)
    if other == "ServiceAccountPower" and matches_freely(narrowed, "Critical") and matches_freely(value, "High"):
        return True
    return intersect_freely(value, narrowed)


def condensed(privileges: Iterable[str], limit: int = 64) -> tuple[str, ...]:
    """The same privileges in at most so many texts, where there may be as many as there are controls.

    What has to give is the value, of the control that has the most of them: a pod with a hundred host paths asks for
    ``HostPathVolumes``. So the result covers everything, and never less than was asked.
    """
    texts = dict.fromkeys(privileges)
    while len(texts) > limit:
        values = Counter(control for control, value in map(split, texts) if value)
        if not values:
            break
        widest = values.most_common(1)[0][0]
        texts = dict.fromkeys(widest if split(text)[0] == widest else text for text in texts)
    return tuple(texts)


@functools.lru_cache(maxsize=1024)
def split(privilege: str) -> tuple[str, str]:
    """Control and value; the value is empty where there is none."""
    control, _, value = privilege.partition(":")
    return control, value


def is_everything(control: str, value: str) -> bool:
    """Whether the value is the name of all values."""
    return control in {"Capabilities", "CapabilitiesRestricted"} and value == "ALL"


def _includes(control: str, value: str, narrowed: str) -> bool:
    """Whether a value of a pattern covers that of a privilege of the same control."""
    if value == narrowed or value.strip(_ANY) == "":
        return True
    if narrowed == "" or is_everything(control, narrowed):
        return False
    return matches_freely(value, narrowed)


def _speaks_of(control: str, other: str) -> bool:
    return control == other or other in PROFILES.get(control, ())


def _paths_overlap(one: str, other: str) -> bool:
    if "*" not in one and "*" not in other:
        return one == other or one.startswith(f"{other.rstrip('/')}/") or other.startswith(f"{one.rstrip('/')}/")
    below_one, below_other = f"{one.rstrip('/')}/*", f"{other.rstrip('/')}/*"
    return intersect_freely(one, other) or intersect_freely(below_one, other) or intersect_freely(one, below_other)
