"""Pods of which the tables in ``cases/privileges`` say what is found in them."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

KINDS = ("containers", "initContainers", "ephemeralContainers")
_FOLDER = Path(__file__).parent / "cases" / "privileges"
_BASES: dict[str, Json] = {
    "linux": {
        "metadata": {"name": "case"},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    },
    "windows": {
        "metadata": {"name": "case"},
        "spec": {
            "automountServiceAccountToken": False,
            "os": {"name": "windows"},
            "securityContext": {"runAsNonRoot": True},
        },
    },
}
_CONTAINERS: dict[str, Json] = {
    "linux": {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
    "windows": {},
}


@dataclass(frozen=True)
class Case:
    """One example of a control."""

    control: str
    name: str
    base: str = "linux"
    pod: Json = field(default_factory=dict)
    container: Json = field(default_factory=dict)
    everywhere: bool = False
    finds: tuple[str, ...] = ()
    server: tuple[str, ...] = KINDS
    """Kinds of container for which the API server takes such a pod."""

    def __str__(self) -> str:
        return f"{self.control}: {self.name}"

    def body(self, kind: str) -> Json:
        """The pod, with the example in a container of that kind."""
        plain = _container("main", self.base)
        changed = merged(plain, self.container)
        pod = merged(_BASES[self.base], self.pod)
        pod["spec"]["containers"] = [changed if kind == "containers" or self.everywhere else plain]
        if kind != "containers":
            pod["spec"][kind] = [merged(_container("other", self.base), self.container)]
        return pod

    def bare(self) -> Json:
        """The pod without the example's container."""
        pod = self.body("containers")
        if not self.everywhere:
            pod["spec"]["containers"] = [_container("main", self.base)]
        return pod

    def expected(self, kind: str) -> list[str]:
        """What is found in it, sorted."""
        kinds = {kind, "containers"} if self.everywhere else {kind}
        return sorted({text.replace(" container.", f" spec.{one}[0].") for text in self.finds for one in kinds})


def cases(*files: str) -> tuple[Case, ...]:
    """The examples of these tables, by their names without suffix."""
    return tuple(case for file in files for case in _read(file))


def merged(one: Json, other: Json) -> Json:
    """Both, where the second wins and its nulls take away."""
    result = deepcopy(one)
    for key, value in other.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = deepcopy(value)
    return result


def _container(name: str, base: str) -> Json:
    return {"name": name, "image": "app:1", **deepcopy(_CONTAINERS[base])}


def _read(file: str) -> Iterator[Case]:
    rows: list[Json] = yaml.load((_FOLDER / f"{file}.yaml").read_text(), yaml.CSafeLoader)
    for row in rows:
        yield Case(**row | {key: tuple(row[key]) for key in ("finds", "server") if key in row})
