"""A control: one row of the table of what a pod may be asked about."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from daypass.domain.privileges.pod import MALFORMED, Field, Pod

Allowed: TypeAlias = Callable[[object], bool]
Value: TypeAlias = Callable[[object, str], str]
"""What a finding narrows to, from what stands there and the path."""


@dataclass(frozen=True, slots=True)
class Clear:
    """What is well at a field: where this holds of every field of a check, the check finds nothing."""

    field: Field
    allowed: Allowed
    required: bool = False
    """Whether something has to stand there, in the pod or in each container."""


@dataclass(frozen=True, slots=True)
class Check:
    """Calling it gives, of a pod, each value that it uses with its path; an empty value means all, or none is taken.

    ``clear`` is the quick way to tell that there is none: it may call for a closer look in vain, but never leave out one
    that finds something (``prefilter``).
    """

    uses: Callable[[Pod], Iterable[tuple[str, str]]]
    clear: tuple[Clear, ...]

    def __call__(self, pod: Pod) -> Iterable[tuple[str, str]]:
        """What the pod uses."""
        return self.uses(pod)


class Profile(Enum):
    """Where a control comes from."""

    BASELINE = "Baseline"
    RESTRICTED = "Restricted"
    BEYOND = "Daypass"
    """What the standards leave out."""


@dataclass(frozen=True, slots=True)
class Control:
    """What is looked at, what of it is nobody's privilege, and what a value narrows it to."""

    name: str
    profile: Profile
    fields: tuple[str, ...]
    allowed: str
    """For people: the values that need no approval."""
    narrowed: str
    """For people: what a value means; empty where the control takes none."""
    check: Check
    values: tuple[str, ...] | None = ()
    """The values there are, () where the control takes none, None where anything may stand."""


def fields_of(*texts: str) -> tuple[str, ...]:
    """Fields of the pod's security context and of each container's, from their names below it."""
    return tuple(f"{holder}.securityContext.{text}" for text in texts for holder in ("spec", "container"))


def found_at(fields: Iterable[str], allowed: Allowed, value: Value) -> Check:
    """The check that each field, where there is one, has an allowed value."""
    parsed = tuple(Field.parse(field) for field in fields)

    def check(pod: Pod) -> Iterator[tuple[str, str]]:
        for field in parsed:
            for found, path in pod.at(field):
                if not allowed(found):
                    yield ("" if found is MALFORMED else value(found, path)), path

    return Check(check, tuple(Clear(field, allowed) for field in parsed))


def unless(exempt: Callable[[Pod], bool], check: Check) -> Check:
    """The same check, but for pods that the standard exempts from it."""
    return Check(lambda pod: () if exempt(pod) else check(pod), check.clear)


def on_windows(pod: Pod) -> bool:
    """Whether the kubelet would refuse the fields in question, as it runs the pod on Windows."""
    return pod.on_windows


def in_user_namespace(pod: Pod) -> bool:
    """Whether root of the container is nobody on the node (``hostUsers: false``, KEP-127)."""
    return pod.in_user_namespace


def absent_or_false(found: object) -> bool:
    """Null or false; 0 and empty texts are malformed."""
    return found is None or found is False


def absent_or_zero(found: object) -> bool:
    """Null or the integer 0."""
    return found is None or (type(found) is int and found == 0)


def absent_or_empty(found: object) -> bool:
    """Null or the empty text."""
    return found is None or found == ""


def absent_or_one_of(names: Collection[str]) -> Allowed:
    """Null or one of the names, as they are spelled."""
    return lambda found: found is None or (isinstance(found, str) and found in names)


def no_key_begins(*beginnings: str) -> Allowed:
    """A map without such keys."""

    def allowed(found: object) -> bool:
        if not isinstance(found, dict):
            return found is None
        for key in found:  # noqa: SIM110 - a generator costs more than all the comparisons
            if key.startswith(beginnings):
                return False
        return True

    return allowed


def nothing(_found: object, _path: str) -> str:
    """The value of a control that takes none."""
    return ""


def itself(found: object, _path: str) -> str:
    """What stands there, where it is a text or an integer."""
    if isinstance(found, str):
        return found
    return str(found) if type(found) is int else ""


def last_step(_found: object, path: str) -> str:
    """The name of the field."""
    return path.rpartition(".")[2]
