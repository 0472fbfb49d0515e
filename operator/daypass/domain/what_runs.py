"""Decides what an approver reads of a pod: which programs it runs, and which of its code somebody can still change."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from daypass.domain.json_values import inner, items
from daypass.domain.plain_text import escaped, shortened
from daypass.domain.pod_template import daemon_set_on_one_node, is_obeyed, is_scheduled

MOST_LINES: Final = 48
"""Three quarters of what a request holds: the rest is for where a pod uses what is asked for."""
LONGEST_LINE: Final = 512
_LONGEST_IMAGE: Final = 200
_PINNED: Final = re.compile(r"@sha256:[0-9a-f]{64}$")
_KINDS: Final = {
    "initContainers": "init container",
    "containers": "container",
    "ephemeralContainers": "ephemeral container",
}
_HOOKS: Final = ("postStart", "preStop")
_PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_NAMED: Final = {
    "configMap": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    "hostPath": ("the node's", "path"),
    "image": ("image", "reference"),
    "csi": ("CSI driver", "driver"),
    "gitRepo": ("git repository", "repository"),
    "nfs": ("NFS server", "server"),
}
"""How to call a volume by what is in it."""
_VALUES_FROM: Final = (
    ("configMapKeyRef", "ConfigMap", "name"),
    ("secretKeyRef", "Secret", "name"),
    ("fileKeyRef", "a file of volume", "volumeName"),
)
_DNS: Final = {"nameservers": "asks name servers", "searches": "looks names up in domains"}
_RISKY: Final = frozenset(
    {
        "BASH_ENV",
        "CLASSPATH",
        "DOTNET_STARTUP_HOOKS",
        "ENV",
        "GIT_SSH_COMMAND",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "NODE_OPTIONS",
        "NODE_PATH",
        "PATH",
        "PERL5DB",
        "PERL5LIB",
        "PERL5OPT",
        "PHP_INI_SCAN_DIR",
        "PROMPT_COMMAND",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RUBYLIB",
        "RUBYOPT",
        "_JAVA_OPTIONS",
    }
)
"""Variables by which a program runs other code than its own, whatever its command says."""
_REFERENCE: Final = re.compile(r"\$\(([^()]*)\)")
_VARIABLES: Final = 8
_RISKY_VARIABLES: Final = 24
_LONGEST_NAME: Final = 40
_LONGEST_LABEL: Final = 63
"""Of a container's name, which is a DNS label, but may be anything before the API server has looked at it (T49)."""
_ROOM: Final = LONGEST_LINE - 32
"""So that how many more there are fits, too."""
_LONGEST_VALUE: Final = 64
_LONGEST_PLACE: Final = 256
_LONGEST_ANNOTATION: Final = 384
_METADATA_KEY: Final = re.compile(r"metadata\.(annotations|labels)\['(.*)'\]", re.DOTALL)
_ROOT_CERTIFICATE: Final = "kube-root-ca.crt"

Json = Mapping[str, Any]
Containers = Sequence[tuple[str, Json]]


def what_runs(pod: Json, limit: int = MOST_LINES) -> tuple[str, ...]:
    """The programs of a pod, a line each, then what of its code may still change: the requester may be able to (T55).

    Rule: a container's line has its name, image and command; commands of hooks and probes follow, and its environment,
    first of all what can change what it runs. Then come the node, the runtime, names that are resolved in a way of its
    own and annotations that nodes obey, images that are not pinned by digest, and files and environment from outside the
    pod. At most ``limit`` lines of 512 characters; what does not fit is counted, so that padding with harmless
    containers shows as such (T49). All text of the pod's author is quoted where it could be taken for ours, and on one
    line, with hidden characters spelled out (T15).
    """
    spec = inner(pod, "spec")
    containers = [(_role(kind, one), one) for kind in _KINDS for one in items(spec, kind)]
    metadata = inner(pod, "metadata")
    programs = [line for role, one in containers for line in _programs(role, one)]
    programs += [line for role, one in containers for line in _variables(metadata, role, one)]
    around = [*_node(pod, spec), *_surroundings(spec), *_obeyed(pod)]
    changeable = [*around, *_unpinned(containers), *_files(metadata, spec, containers), *_environment(containers)]
    half = limit // 2
    room = max(half, limit - len(changeable))
    shown = _bounded(programs, room, "programs")
    shown += _bounded(changeable, limit - len(shown), "findings")
    return tuple(shortened(escaped(line), LONGEST_LINE) for line in shown)


def _bounded(lines: list[str], limit: int, what: str) -> list[str]:
    if len(lines) <= limit:
        return lines
    return [*lines[: limit - 1], f"and {len(lines) - limit + 1} more {what}"]


def _role(kind: str, container: Json) -> str:
    sidecar = kind == "initContainers" and container.get("restartPolicy") == "Always"
    return f"{'sidecar' if sidecar else _KINDS[kind]} {shortened(str(container.get('name')), _LONGEST_LABEL)}"


def _programs(role: str, container: Json) -> Iterator[str]:
    command, arguments = _words(container, "command"), _words(container, "args")
    image = _quoted(container.get("image"), _LONGEST_IMAGE)
    directory = container.get("workingDir")
    start = f"{role}: {image}" + (f", in {_quoted(directory, _LONGEST_VALUE)}" if directory else "")
    if command:
        yield f"{start}, command: {shlex.join([*command, *arguments])}"
    elif arguments:
        yield f"{start}, the image's own command with arguments: {shlex.join(arguments)}"
    else:
        yield f"{start}, the image's own command"
    hooks = [(name, inner(inner(container, "lifecycle"), name)) for name in _HOOKS]
    for name, handler in (*hooks, *((name, inner(container, name)) for name in _PROBES)):
        words = _words(inner(handler, "exec"), "command")
        if words:
            yield f"{role}: {name} runs {shlex.join(words)}"


def _variables(metadata: Json, role: str, container: Json) -> Iterator[str]:
    """What a container's environment is, as far as the pod itself says: of each name the last, which is what counts.

    Where a ConfigMap, a Secret or a file comes after it, it may still count: those need not be there. What can change
    what runs comes first, and more of it is shown.
    """
    said: dict[str, Json] = {}
    words = [*_words(container, "command"), *_words(container, "args")]
    for variable in items(container, "env"):
        words.append(str(variable.get("value")))
        name = str(variable.get("name"))
        source = inner(variable, "valueFrom")
        if not source or "fieldRef" in source:
            said.pop(name, None)
            said[name] = variable
    named = {name for word in words if "$(" in word for name in _REFERENCE.findall(word)} | _RISKY
    risky = [name for name in said if name in named][:_RISKY_VARIABLES]
    others = [name for name in said if name not in named][: max(0, _VARIABLES - len(risky))]
    shown = [_said(metadata, name, said[name]) for name in (*risky, *others)]
    start = f"{role}: environment "
    line = start
    for text in shown:
        comma = "" if line is start else ", "
        if comma and len(line) + len(text) > _ROOM:
            yield line
            line, comma = start, ""
        line = f"{line}{comma}{text}"
    if shown:
        yield line + (f" and {len(said) - len(shown)} more" if len(said) > len(shown) else "")


def _said(metadata: Json, name: str, variable: Json) -> str:
    """What the pod says that a variable is, or from where in itself."""
    name = shortened(name, _LONGEST_NAME)
    source = inner(variable, "valueFrom")
    if source:
        return f"{shlex.quote(name)} from {_field(metadata, inner(source, 'fieldRef'))}"
    return shlex.quote(f"{name}={shortened(str(variable.get('value') or ''), _LONGEST_VALUE)}")


def _field(metadata: Json, reference: Json) -> str:
    """A field of the pod that it reads, with the text that is there if anybody may have written it."""
    path = str(reference.get("fieldPath"))
    key = _METADATA_KEY.fullmatch(path)
    path = shortened(path, _LONGEST_VALUE)
    if key is None:
        return path
    value = inner(metadata, key[1]).get(key[2])
    return path if value is None else f"{path} ({_quoted(value, _LONGEST_VALUE)})"


def _node(pod: Json, spec: Json) -> Iterator[str]:
    if spec.get("nodeName") and not is_scheduled(pod):
        yield f"asks for node {spec['nodeName']} by name, so that no scheduler chooses"
    daemon_set = daemon_set_on_one_node(pod)
    if daemon_set:
        yield (
            f"the node is chosen by DaemonSet {daemon_set}, or by whoever says to be it: the digest is the same on every"
            " node, whatever node affinity the DaemonSet requires; its nodeSelector is part of the digest"
        )


def _surroundings(spec: Json) -> Iterator[str]:
    """What decides which runtime it is, and to whom a program talks that names a host."""
    if spec.get("runtimeClassName"):
        yield f"runs by RuntimeClass {spec['runtimeClassName']}"
    for alias in items(spec, "hostAliases"):
        yield f"takes {alias.get('ip')} for {_listed(_words(alias, 'hostnames'))}"
    for key, what in _DNS.items():
        found = _words(inner(spec, "dnsConfig"), key)
        if found:
            yield f"{what} of its own: {_listed(found)}"


def _obeyed(pod: Json) -> Iterator[str]:
    for key, value in inner(inner(pod, "metadata"), "annotations").items():
        if is_obeyed(key):
            yield f"annotation {key}: {_quoted(value, _LONGEST_ANNOTATION)}, which nodes may obey"


def _unpinned(containers: Containers) -> Iterator[str]:
    users: dict[str, list[str]] = {}
    for role, container in containers:
        image = str(container.get("image"))
        if not _PINNED.search(image):
            users.setdefault(image, []).append(role)
    for image, roles in users.items():
        yield f"image {_quoted(image, _LONGEST_IMAGE)} is not pinned by digest, so what is in it may change: {_listed(roles)}"


def _files(metadata: Json, spec: Json, containers: Containers) -> Iterator[str]:
    mounts: dict[object, list[str]] = {}
    for role, container in containers:
        for mount in items(container, "volumeMounts"):
            mounts.setdefault(mount.get("name"), []).append(f"{_quoted(mount.get('mountPath'))} in {role}")
        for device in items(container, "volumeDevices"):
            mounts.setdefault(device.get("name"), []).append(f"{_quoted(device.get('devicePath'))} in {role}")
    for volume in items(spec, "volumes"):
        places = mounts.get(volume.get("name"))
        for source in _sources(metadata, volume) if places else ():
            yield f"files from {source}: {_listed(places or [])}"


def _sources(metadata: Json, volume: Json) -> Iterator[str]:
    for kind in volume:
        if kind == "downwardAPI":
            yield from _own_fields(metadata, inner(volume, kind))
        elif kind == "projected":
            for source in items(inner(volume, kind), "sources"):
                yield from _own_fields(metadata, inner(source, "downwardAPI"))
                yield from (
                    _projected(one, inner(source, one)) for one in ("configMap", "secret") if _brings(source, one)
                )
        elif kind in _NAMED:
            label, key = _NAMED[kind]
            name = str(inner(volume, kind).get(key))
            unpinned = ", which is not pinned by digest" if kind == "image" and not _PINNED.search(name) else ""
            yield f"{label} {_quoted(name, _LONGEST_IMAGE)}{unpinned}"
        elif kind not in {"name", "emptyDir"}:
            yield f"a volume of kind {kind}"


def _own_fields(metadata: Json, downward: Json) -> Iterator[str]:
    fields = [_field(metadata, inner(item, "fieldRef")) for item in items(downward, "items") if "fieldRef" in item]
    if fields:
        yield f"the pod's own {_listed(fields)}"


def _brings(source: Json, kind: str) -> bool:
    return kind in source and not (kind == "configMap" and inner(source, kind).get("name") == _ROOT_CERTIFICATE)


def _projected(kind: str, source: Json) -> str:
    return f"{_NAMED[kind][0]} {_quoted(source.get('name'))}"


def _environment(containers: Containers) -> Iterator[str]:
    users: dict[str, list[str]] = {}
    for role, container in containers:
        for bulk in items(container, "envFrom"):
            for key, label in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in bulk:
                    users.setdefault(f"{label} {_quoted(inner(bulk, key).get('name'))}", []).append(
                        f"all of it in {role}"
                    )
        for variable in items(container, "env"):
            source = inner(variable, "valueFrom")
            for key, label, named in _VALUES_FROM:
                if key in source:
                    name = f"{label} {_quoted(inner(source, key).get(named))}"
                    users.setdefault(name, []).append(f"{_quoted(variable.get('name'))} in {role}")
    for name, uses in users.items():
        yield f"environment from {name}: {_listed(uses)}"


def _quoted(value: object, limit: int = _LONGEST_PLACE) -> str:
    """A text of the pod's author as a shell would need it: what looks like another field of the line is none (T15)."""
    return shlex.quote(shortened(str(value), limit))


def _listed(uses: list[str]) -> str:
    shown = 8
    rest = f" and {len(uses) - shown} more" if len(uses) > shown else ""
    return ", ".join(uses[:shown]) + rest


def _words(parent: Json, key: str) -> list[str]:
    found = parent.get(key)
    return [str(word) for word in found] if isinstance(found, list) else []
