"""Decides how risky privileges are.

Rule: Critical is what leads out of the container onto the node, or to the whole cluster, by itself. High is what takes
away one of the walls between container and node, or reaches secrets, data and devices past the API. Medium is what
leaves a wall lower than it could be, or what nearly every pod has. What is not known is Critical.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from daypass.domain.policy import RiskLevel
from daypass.domain.privileges.controls import PROFILES
from daypass.domain.privileges.patterns import overlaps, split
from daypass.domain.risk import MAX_FINDINGS, Risk

_C, _H, _M = RiskLevel.CRITICAL, RiskLevel.HIGH, RiskLevel.MEDIUM

LEVELS: Final[Mapping[str, tuple[RiskLevel, str]]] = {
    "PrivilegedContainers": (_C, "is root on the node"),
    "HostProcess": (_C, "runs on the Windows node itself"),
    "HostNamespaces": (_C, "sees the node's network, processes or shared memory"),
    "HostPathVolumes": (_C, "reads or writes files of the node"),
    "ServiceAccountPower": (_H, "runs as a powerful ServiceAccount"),
    "Capabilities": (_H, "has more of root's capabilities"),
    "Devices": (_H, "uses devices of the node"),
    "SecretMount": (_H, "reads Secrets"),
    "AppArmor": (_H, "runs without AppArmor"),
    "SELinux": (_H, "runs under another SELinux context"),
    "ProcMount": (_H, "sees all of /proc"),
    "Seccomp": (_H, "may make any system call"),
    "Sysctls": (_H, "changes kernel parameters that reach beyond the pod"),
    "VolumeTypes": (_H, "mounts storage that no claim stands for"),
    "HostPorts": (_M, "listens at the node's address"),
    "HostProbes": (_M, "makes the kubelet call other hosts"),
    "TokenMount": (_M, "has a token of its ServiceAccount"),
    "VolumeClaims": (_M, "reads or writes stored data"),
    "PrivilegeEscalation": (_M, "may gain privileges by set-user-ID programs"),
    "RunAsNonRoot": (_M, "may run as root of the container"),
    "RunAsUser": (_M, "runs as root of the container"),
    "SeccompRestricted": (_M, "may run without seccomp"),
    "CapabilitiesRestricted": (_M, "keeps capabilities"),
    "ProcMountRestricted": (_M, "sees all of /proc"),
}
"""Of each control, at any of its values but for those of ``GRAVER``."""

_ESCAPING: Final = "ALL BPF DAC_READ_SEARCH MAC_ADMIN MAC_OVERRIDE SYS_ADMIN SYS_BOOT SYS_MODULE SYS_PTRACE SYS_RAWIO"
GRAVER: Final[Mapping[str, tuple[str, str]]] = {
    **{f"Capabilities:{name}": ("Capabilities", "can leave the container") for name in _ESCAPING.split()},
    "ServiceAccountPower:Critical": ("ServiceAccountPower", "runs as a ServiceAccount that can take over the cluster"),
}
"""Privileges that are Critical though their control is not; every kernel capability here has a published escape."""

_UNKNOWN: Final = (_C, "is not known to Daypass")


def assess(privileges: Iterable[str]) -> Risk:
    """The level of the gravest privilege, and what each of them means, the gravest first.

    A privilege without a value, or with a star, is as grave as the gravest thing that it stands for.
    """
    found = sorted(((*_judged(each), each) for each in dict.fromkeys(_controls(privileges))), key=lambda one: -one[0])
    return Risk(
        found[0][0] if found else RiskLevel.LOW, tuple(f"{text}: {each}" for _, text, each in found[:MAX_FINDINGS])
    )


def _controls(privileges: Iterable[str]) -> Iterable[str]:
    for privilege in privileges:
        yield from sorted(PROFILES.get(privilege, (privilege,)))


def _judged(privilege: str) -> tuple[RiskLevel, str]:
    control, _ = split(privilege)
    for grave, (of_control, text) in GRAVER.items():
        if of_control == control and overlaps(grave, privilege):
            return _C, text
    return LEVELS.get(control, _UNKNOWN)
