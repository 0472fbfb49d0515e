"""Decides what is wrong with a pattern that somebody wrote."""

import re
from typing import Final

from daypass.domain.globs import matches_freely
from daypass.domain.hints import did_you_mean
from daypass.domain.privileges.controls import CONTROLS, PROFILES
from daypass.domain.privileges.finding import LONGEST_VALUE, readable
from daypass.domain.privileges.paths import normal_path

_CAPABILITY: Final = re.compile(r"[A-Z*][A-Z0-9_*]*")


def fault(pattern: str) -> str:
    """What is wrong with a pattern of a policy or gate, or nothing; with the closest name where one is close.

    A pattern that can never fit anything is a mistake that leaves a gate open, so spellings that no finding has are
    refused.
    """
    control, colon, value = pattern.partition(":")
    if control in PROFILES:
        return f"{control} is a profile and takes no value" if colon else ""
    if control not in CONTROLS:
        return f"there is no privilege {control!r}{_hint_of_control(control)}"
    if not colon:
        return ""
    if not value:
        return f"nothing follows the colon of {pattern!r}: leave it out to mean every value"
    if not readable(value.replace("*", "x")):
        return (
            f"the value of {control} must be printable ASCII without commas and double quotes, "
            f"of {LONGEST_VALUE} characters at most"
        )
    return _fault_of_value(control, value)


def fault_in_request(privilege: str) -> str:
    """As ``fault``, for a privilege that is asked for: by its control, for a profile is no answer to what is needed."""
    if privilege in PROFILES:
        return f"{privilege} is a profile: ask for the controls that the workload needs"
    return fault(privilege)


def _fault_of_value(control: str, value: str) -> str:
    values = CONTROLS[control].values
    if values == ():
        return f"{control} takes no value"
    if values is not None:
        if any(matches_freely(value, known) for known in values):
            return ""
        return f"{control} has no value {value!r}{did_you_mean(value, values)}: it has {', '.join(values)}"
    if control == "Capabilities" and (value.startswith("CAP_") or not _CAPABILITY.fullmatch(value)):
        return f"{control} names capabilities in capitals and without CAP_, such as NET_ADMIN"
    if control == "HostPathVolumes" and value != "*" and normal_path(value) != value and not value.startswith("*"):
        return f"{control} names absolute paths of Linux without doubled or trailing slashes, such as /var/log"
    return ""


_VALUES: Final = tuple(f"{control.name}:{value}" for control in CONTROLS.values() for value in control.values or ())


def _hint_of_control(word: str) -> str:
    """As ``did_you_mean``, where somebody may also have written a value alone, such as hostNetwork."""
    of_value = [known for known in _VALUES if known.lower().endswith(f":{word.lower()}")]
    return f" (did you mean {of_value[0]}?)" if of_value else did_you_mean(word, (*CONTROLS, *PROFILES))
