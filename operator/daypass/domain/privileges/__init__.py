"""What a workload may be asked about before it runs: the Pod Security Standards' controls and what they leave out."""

from daypass.domain.privileges.controls import CONTROLS, PROFILES
from daypass.domain.privileges.faults import fault, fault_in_request
from daypass.domain.privileges.finding import LONGEST_TEXT, Finding, places
from daypass.domain.privileges.levels import assess
from daypass.domain.privileges.patterns import condensed, fits, missing, overlaps
from daypass.domain.privileges.uses import of_account, of_pod

__all__ = [
    "CONTROLS",
    "LONGEST_TEXT",
    "PROFILES",
    "Finding",
    "assess",
    "condensed",
    "fault",
    "fault_in_request",
    "fits",
    "missing",
    "of_account",
    "of_pod",
    "overlaps",
    "places",
]
