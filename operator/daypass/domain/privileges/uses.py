"""Decides which privileges a pod uses."""

from collections.abc import Mapping

from daypass.domain.policy import RiskLevel
from daypass.domain.privileges.controls import CONTROLS
from daypass.domain.privileges.finding import Finding, readable
from daypass.domain.privileges.pod import Pod


def of_pod(pod: Mapping[str, object]) -> tuple[Finding, ...]:
    """Every privilege of a pod, in the order of the controls; but for what its ServiceAccount may do.

    The pod is JSON as the API server has it, after all mutations: what the ServiceAccount admission plugin adds is
    part of it. Anything of a type that the API does not define counts as a use of each control that looks there.
    Time is linear in the pod's size (T51).
    """
    read = Pod.of(pod)
    return tuple(
        dict.fromkeys(
            Finding(control.name, readable(value), path)
            for control in CONTROLS.values()
            for value, path in control.check(read)
        )
    )


def of_account(level: RiskLevel, name: str) -> tuple[Finding, ...]:
    """The privilege of running as a ServiceAccount whose roles come to that risk: none below High."""
    if level < RiskLevel.HIGH:
        return ()
    return (Finding("ServiceAccountPower", level.label, f"spec.serviceAccountName={name}"),)
