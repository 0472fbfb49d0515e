"""What a pod uses, as a value: the control, what of it, and where the pod says so."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LONGEST_VALUE: Final = 253
"""As long as the longest name of an object."""
LONGEST_TEXT: Final = 280
"""No privilege's text is longer, so that a schema may say so."""
_READABLE: Final = re.compile(r"[!#-)+\-./0-~](?:[ !#-)+\-./0-~]*[!#-)+\-./0-~])?", re.ASCII)
"""Printable ASCII without star, comma and double quote; spaces inside only."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One privilege that a pod uses; an empty value stands for every value of the control."""

    control: str
    value: str
    path: str
    """Of the field, such as ``spec.containers[0].securityContext.capabilities.add[1]``."""

    @property
    def text(self) -> str:
        """The privilege as policies and requests write it: ``CONTROL`` or ``CONTROL:VALUE``."""
        return f"{self.control}:{self.value}" if self.value else self.control


def places(findings: Iterable[Finding], wanted: Iterable[str]) -> dict[str, list[str]]:
    """The paths of the fields that use each of these privileges, as they were found; none where no field does."""
    paths: dict[str, list[str]] = {privilege: [] for privilege in wanted}
    for finding in findings:
        if finding.text in paths:
            paths[finding.text].append(finding.path)
    return paths


def readable(value: str) -> str:
    """The value as it may be shown and compared, or nothing.

    Fail closed: whoever writes the pod chooses the text. What a person could misread (control and bidirectional
    characters, a star that looks like a glob, a comma that looks like a second privilege) or what is longer than any
    name is not narrowed to: such a finding stands for every value of its control, which only a pattern without value
    covers.
    """
    return value if len(value) <= LONGEST_VALUE and _READABLE.fullmatch(value) else ""
