"""All controls by name, and the profiles that stand for several of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from daypass.domain.privileges.baseline import BASELINE
from daypass.domain.privileges.beyond import BEYOND
from daypass.domain.privileges.control import Control
from daypass.domain.privileges.restricted import RESTRICTED

CONTROLS: Final[Mapping[str, Control]] = MappingProxyType(
    {control.name: control for control in (*BASELINE, *RESTRICTED, *BEYOND)}
)
PROFILES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Baseline": frozenset(control.name for control in BASELINE),
        "Restricted": frozenset(control.name for control in (*BASELINE, *RESTRICTED)),
    }
)
"""Restricted includes Baseline, as in the standard."""
