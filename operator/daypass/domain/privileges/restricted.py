"""What the Restricted profile of the Pod Security Standards adds, as the API server of 1.36 enforces it.

Compared with ``k8s.io/pod-security-admission`` v0.36.3, control by control, and by a test with its verdicts. A pod on
Windows is exempt where its kubelet would refuse the field.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from daypass.domain.privileges.baseline import capability, is_allowed_profile
from daypass.domain.privileges.control import (
    Check,
    Clear,
    Control,
    Profile,
    absent_or_one_of,
    fields_of,
    found_at,
    in_user_namespace,
    itself,
    nothing,
    on_windows,
    unless,
)
from daypass.domain.privileges.pod import MALFORMED, Field, Pod

VOLUME_TYPES_ALLOWED: Final = frozenset(
    (
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected"),
        "secret",
    )
)
UNDROPPED: Final = "undropped"
"""Value of CapabilitiesRestricted for what a container keeps that does not drop ALL."""

_ESCALATION: Final = ("container.securityContext.allowPrivilegeEscalation",)
_NON_ROOT: Final = fields_of("runAsNonRoot")
_USER: Final = fields_of("runAsUser")
_SECCOMP: Final = fields_of("seccompProfile.type")
_DROPPED: Final = "container.securityContext.capabilities.drop"
_ADDED: Final = "container.securityContext.capabilities.add[*]"
_PROC_MOUNT: Final = ("container.securityContext.procMount",)

_volumes: Final = Field.parse("spec.volumes[*]")
_escalation: Final = Field.parse(*_ESCALATION)
_pod_non_root, _container_non_root = map(Field.parse, _NON_ROOT)
_pod_seccomp, _container_seccomp = map(Field.parse, _SECCOMP)
_container_profile: Final = Field.parse("container.securityContext.seccompProfile")
_dropped: Final = Field.parse(_DROPPED)
_added: Final = found_at((_ADDED,), absent_or_one_of(("NET_BIND_SERVICE",)), capability)


def _volume_type_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    for volume, path in pod.at(_volumes):
        if not isinstance(volume, Mapping):
            if volume is not None:
                yield "", path
            continue
        types = [key for key, source in volume.items() if key != "name" and source is not None]
        if not types:
            yield "", path
        for key in types:
            if key not in VOLUME_TYPES_ALLOWED:
                yield str(key), f"{path}.{key}"


def _escalation_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    for found, path in pod.of_each_container(_escalation):
        if found is not False:
            yield "", path


def _root_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    of_pod: object = None
    for of_pod, path in pod.at(_pod_non_root):
        if of_pod is not None and of_pod is not True:
            yield "", path
    for found, path in pod.of_each_container(_container_non_root):
        if found is not True and (found is not None or of_pod is not True):
            yield "", path


def _seccomp_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    of_pod: object = None
    for of_pod, path in pod.at(_pod_seccomp):
        if not is_allowed_profile(of_pod):
            yield "", path
    inherited = is_allowed_profile(of_pod)
    for profile, path in pod.of_each_container(_container_profile):
        if profile is None:
            if not inherited:
                yield "", f"{path}.type"
        elif not isinstance(profile, Mapping) or not is_allowed_profile(profile.get("type")):
            yield "", path if profile is MALFORMED else f"{path}.type"


def _capability_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    for dropped, path in pod.of_each_container(_dropped):
        if not isinstance(dropped, list | tuple) or "ALL" not in dropped:
            yield ("" if dropped is MALFORMED else UNDROPPED), path
    yield from _added(pod)


def _is_plain_volume(volume: object) -> bool:
    typed = False
    for key, source in volume.items() if isinstance(volume, dict) else ():
        if key != "name":
            if source is None or key not in VOLUME_TYPES_ALLOWED:
                return False
            typed = True
    return typed


def _drops_all(dropped: object) -> bool:
    return isinstance(dropped, list) and "ALL" in dropped


def _is_true(found: object) -> bool:
    return found is True


# The pod's word counts for every container that says nothing else: the quick look wants it from the pod.
_volume_types: Final = Check(_volume_type_uses, (Clear(_volumes, _is_plain_volume),))
_privilege_escalation: Final = Check(
    _escalation_uses, (Clear(_escalation, lambda found: found is False, required=True),)
)
_run_as_non_root: Final = Check(
    _root_uses,
    (
        Clear(_pod_non_root, _is_true, required=True),
        Clear(_container_non_root, lambda found: found is None or found is True),
    ),
)
_seccomp: Final = Check(
    _seccomp_uses,
    (Clear(_pod_seccomp, is_allowed_profile, required=True), Clear(_container_seccomp, is_allowed_profile)),
)
_capabilities: Final = Check(_capability_uses, (Clear(_dropped, _drops_all, required=True), *_added.clear))

RESTRICTED: Final = (
    Control(
        "VolumeTypes",
        Profile.RESTRICTED,
        ("spec.volumes[*].*",),
        ", ".join(sorted(VOLUME_TYPES_ALLOWED)),
        "the type",
        _volume_types,
        None,
    ),
    Control(
        "PrivilegeEscalation",
        Profile.RESTRICTED,
        _ESCALATION,
        "false; on Windows anything",
        "",
        unless(on_windows, _privilege_escalation),
    ),
    Control(
        "RunAsNonRoot",
        Profile.RESTRICTED,
        _NON_ROOT,
        "true; absent in a container where the pod says true; any value with hostUsers: false",
        "",
        unless(in_user_namespace, _run_as_non_root),
    ),
    Control(
        "RunAsUser",
        Profile.RESTRICTED,
        _USER,
        "absent, anything but 0; any value with hostUsers: false",
        "",
        unless(
            in_user_namespace,
            found_at(_USER, lambda found: found is None or (type(found) is int and found != 0), nothing),
        ),
    ),
    Control(
        "SeccompRestricted",
        Profile.RESTRICTED,
        _SECCOMP,
        "RuntimeDefault, Localhost; absent in a container where the pod has one of these; on Windows anything",
        "",
        unless(on_windows, _seccomp),
    ),
    Control(
        "CapabilitiesRestricted",
        Profile.RESTRICTED,
        (_DROPPED, _ADDED),
        "drop includes ALL, add has at most NET_BIND_SERVICE; on Windows anything",
        f"the added capability, as above; {UNDROPPED} for a container that does not drop ALL",
        unless(on_windows, _capabilities),
        None,
    ),
    Control(
        "ProcMountRestricted",
        Profile.RESTRICTED,
        _PROC_MOUNT,
        "absent, Default",
        "the type",
        found_at(_PROC_MOUNT, absent_or_one_of(("Default",)), itself),
        ("Unmasked",),
    ),
)
