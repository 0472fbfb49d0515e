"""Decides which privileges a pod uses."""

import functools
from collections.abc import Iterator, Mapping
from typing import Final

from daypass.domain.plain_text import escaped, shortened
from daypass.domain.policy import RiskLevel
from daypass.domain.privileges.control import Control
from daypass.domain.privileges.controls import CONTROLS
from daypass.domain.privileges.finding import Finding, readable
from daypass.domain.privileges.pod import Pod
from daypass.domain.privileges.prefilter import Prefilter
from daypass.domain.risk import Risk

_ALL: Final = frozenset(CONTROLS)
LONGEST_WHY: Final = 240
MOST_VALUES: Final = 128
"""Of one control in one pod: twice as many as a request can name."""


def of_pod(pod: Mapping[str, object], names: frozenset[str] = _ALL) -> tuple[Finding, ...]:
    """Every privilege of a pod, in the order of the controls; but for what its ServiceAccount may do.

    ``names`` are those of the controls to look at, for who cares for no others.

    The pod is JSON as the API server has it, after all mutations: what the ServiceAccount admission plugin adds is
    part of it. Anything of a type that the API does not define counts as a use of each control that looks there.
    Fail closed: whoever uses more than ``MOST_VALUES`` different values of a control uses the control as a whole. So
    time is linear in the pod's size, and comparing with patterns is bounded (T51).
    """
    suspects = _prefilter(names).suspects(pod)
    if not suspects:
        return ()
    read = Pod.of(pod)
    return tuple(
        dict.fromkeys(
            finding for name, control in CONTROLS.items() if name in suspects for finding in _uses(control, read)
        )
    )


@functools.lru_cache(maxsize=64)
def _prefilter(names: frozenset[str]) -> Prefilter:
    """One for all who ask about the same controls."""
    return Prefilter(names)


def _uses(control: Control, pod: Pod) -> Iterator[Finding]:
    values: set[str] = set()
    for found, path in control.check(pod):
        value = readable(found)
        if value not in values and len(values) >= MOST_VALUES:
            yield Finding(control.name, "", path)
            return
        values.add(value)
        yield Finding(control.name, value, path)


def of_account(risk: Risk, name: str) -> tuple[Finding, ...]:
    """The privilege of running as a ServiceAccount whose roles come to that risk: none below High.

    Where the pod says so is followed by what gives it the power, so that an approver can judge.
    """
    if risk.level < RiskLevel.HIGH:
        return ()
    why = "".join(f": {shortened(escaped(finding), LONGEST_WHY)}" for finding in risk.findings[:1])
    return (Finding("ServiceAccountPower", risk.level.label, f"spec.serviceAccountName={name}{why}"),)
