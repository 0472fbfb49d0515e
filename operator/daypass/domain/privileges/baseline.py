"""The Baseline profile of the Pod Security Standards, as the API server of 1.36 enforces it (version ``latest``).

Compared with ``k8s.io/pod-security-admission`` v0.36.3, control by control, and by a test with its verdicts.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from daypass.domain.privileges.control import (
    Check,
    Clear,
    Control,
    Profile,
    absent_or_empty,
    absent_or_false,
    absent_or_one_of,
    absent_or_zero,
    fields_of,
    found_at,
    in_user_namespace,
    itself,
    last_step,
    no_key_begins,
    nothing,
    unless,
)
from daypass.domain.privileges.paths import normal_path
from daypass.domain.privileges.pod import Field, Pod

CAPABILITIES_ALLOWED: Final = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
SELINUX_TYPES_ALLOWED: Final = frozenset(
    ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
)
SYSCTLS_ALLOWED: Final = frozenset(
    (
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"),
        *("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports"),
        *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
        *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    )
)
PROFILES_ALLOWED: Final = frozenset(("RuntimeDefault", "Localhost"))
"""Of seccomp and of AppArmor."""

_APP_ARMOR_ANNOTATION: Final = "container.apparmor.security.beta.kubernetes.io/"
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")

_HOST_PROCESS: Final = fields_of("windowsOptions.hostProcess")
_HOST_NAMESPACES: Final = ("spec.hostNetwork", "spec.hostPID", "spec.hostIPC")
_PRIVILEGED: Final = ("container.securityContext.privileged",)
_CAPABILITIES: Final = ("container.securityContext.capabilities.add[*]",)
_HOST_PATHS: Final = ("spec.volumes[*].hostPath",)
_HOST_PORTS: Final = ("container.ports[*].hostPort",)
_HOST_PROBES: Final = tuple(f"container.{probe}.{way}.host" for probe in _PROBES for way in ("httpGet", "tcpSocket"))
_APP_ARMOR: Final = fields_of("appArmorProfile.type")
_SELINUX_TYPES: Final = fields_of("seLinuxOptions.type")
_SELINUX_NAMES: Final = fields_of("seLinuxOptions.user", "seLinuxOptions.role")
_PROC_MOUNT: Final = ("container.securityContext.procMount",)
_SECCOMP: Final = fields_of("seccompProfile.type")
_SYSCTLS: Final = ("spec.securityContext.sysctls[*].name",)


def capability(found: object, _path: str) -> str:
    """The capability in the kernel's spelling without ``CAP_``: container runtimes read it in either case."""
    return found.upper().removeprefix("CAP_") if isinstance(found, str) else ""


def is_allowed_profile(found: object) -> bool:
    """Whether a profile that is given is one of the runtime or of the node; no type is none of them."""
    return isinstance(found, str) and found in PROFILES_ALLOWED


def _host_path(found: object, _path: str) -> str:
    path = found.get("path") if isinstance(found, Mapping) else None
    return normal_path(path) if isinstance(path, str) else ""


def _option(found: object, path: str) -> str:
    return f"{last_step(found, path)}={found}" if isinstance(found, str) else ""


_app_armor_fields: Final = found_at(_APP_ARMOR, is_allowed_profile, itself)


def _app_armor_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    yield from _app_armor_fields(pod)
    for found, path in pod.annotations(_APP_ARMOR_ANNOTATION):
        profile = found[1] if isinstance(found, tuple) else found
        if not _is_allowed_annotation(profile):
            yield ("Unconfined" if profile == "unconfined" else itself(profile, path)), path


_app_armor: Final = Check(
    _app_armor_uses,
    (*_app_armor_fields.clear, Clear(Field.parse("metadata.annotations"), no_key_begins(_APP_ARMOR_ANNOTATION))),
)


def _is_allowed_annotation(profile: object) -> bool:
    return isinstance(profile, str) and (profile in ("", "runtime/default") or profile.startswith("localhost/"))


_selinux_types: Final = found_at(_SELINUX_TYPES, absent_or_one_of(SELINUX_TYPES_ALLOWED), _option)
_selinux_names: Final = found_at(_SELINUX_NAMES, absent_or_empty, _option)


def _selinux_uses(pod: Pod) -> Iterator[tuple[str, str]]:
    yield from _selinux_types(pod)
    yield from _selinux_names(pod)


_selinux: Final = Check(_selinux_uses, (*_selinux_types.clear, *_selinux_names.clear))

BASELINE: Final = (
    Control(
        "HostProcess",
        Profile.BASELINE,
        _HOST_PROCESS,
        "absent, false",
        "",
        found_at(_HOST_PROCESS, absent_or_false, nothing),
    ),
    Control(
        "HostNamespaces",
        Profile.BASELINE,
        _HOST_NAMESPACES,
        "absent, false",
        "which one",
        found_at(_HOST_NAMESPACES, absent_or_false, last_step),
        ("hostNetwork", "hostPID", "hostIPC"),
    ),
    Control(
        "PrivilegedContainers",
        Profile.BASELINE,
        _PRIVILEGED,
        "absent, false",
        "",
        found_at(_PRIVILEGED, absent_or_false, nothing),
    ),
    Control(
        "Capabilities",
        Profile.BASELINE,
        _CAPABILITIES,
        ", ".join(sorted(CAPABILITIES_ALLOWED)),
        "the capability, in capitals and without CAP_; ALL includes every one",
        found_at(_CAPABILITIES, absent_or_one_of(CAPABILITIES_ALLOWED), capability),
        None,
    ),
    Control(
        "HostPathVolumes",
        Profile.BASELINE,
        _HOST_PATHS,
        "absent",
        "the absolute path, without doubled or trailing slashes",
        found_at(_HOST_PATHS, lambda found: found is None, _host_path),
        None,
    ),
    Control(
        "HostPorts",
        Profile.BASELINE,
        _HOST_PORTS,
        "absent, 0",
        "the port",
        found_at(_HOST_PORTS, absent_or_zero, itself),
        None,
    ),
    Control(
        "HostProbes",
        Profile.BASELINE,
        _HOST_PROBES,
        "absent, empty",
        "the host",
        found_at(_HOST_PROBES, absent_or_empty, itself),
        None,
    ),
    Control(
        "AppArmor",
        Profile.BASELINE,
        (*_APP_ARMOR, f"metadata.annotations[{_APP_ARMOR_ANNOTATION}*]"),
        "RuntimeDefault, Localhost; no profile; in annotations runtime/default, localhost/*, empty",
        "the profile",
        _app_armor,
        ("Unconfined",),
    ),
    Control(
        "SELinux",
        Profile.BASELINE,
        (*_SELINUX_TYPES, *_SELINUX_NAMES),
        "type: absent, empty, container_t, container_init_t, container_kvm_t, container_engine_t; "
        "user and role: absent, empty",
        "the option, such as type=spc_t",
        _selinux,
        None,
    ),
    Control(
        "ProcMount",
        Profile.BASELINE,
        _PROC_MOUNT,
        "absent, Default; any value with hostUsers: false",
        "the type",
        unless(in_user_namespace, found_at(_PROC_MOUNT, absent_or_one_of(("Default",)), itself)),
        ("Unmasked",),
    ),
    Control(
        "Seccomp",
        Profile.BASELINE,
        _SECCOMP,
        "RuntimeDefault, Localhost; no profile",
        "the profile",
        found_at(_SECCOMP, is_allowed_profile, itself),
        ("Unconfined",),
    ),
    Control(
        "Sysctls",
        Profile.BASELINE,
        _SYSCTLS,
        ", ".join(sorted(SYSCTLS_ALLOWED)),
        "the name",
        found_at(_SYSCTLS, lambda found: isinstance(found, str) and found in SYSCTLS_ALLOWED, itself),
        None,
    ),
)
