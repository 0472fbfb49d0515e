"""Renders the chart as Helm does, without a cluster."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from bed import binaries
from bed.folders import REPOSITORY

Json = dict[str, Any]

CHART = REPOSITORY / "helm" / "daypass"
NAMESPACE = "daypass-system"
OUTSIDE = {"outOfCluster": {"enabled": True, "webhookURL": "https://127.0.0.1:9443"}}


def helm(*arguments: str, values: Json | None = None, home: Path) -> subprocess.CompletedProcess[str]:
    """Run Helm with these values."""
    given: tuple[str, ...] = ()
    if values is not None:
        file = home / "values.json"
        file.write_text(json.dumps(values))
        given = ("--values", str(file))
    homes = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    command = [str(binaries.locate().helm), *arguments, *given]
    return subprocess.run(command, env=os.environ | homes, capture_output=True, text=True, check=False)


def render(home: Path, values: Json | None = None, chart: Path = CHART, namespace: str = NAMESPACE) -> list[Json]:
    """Every object of the chart; an error of Helm is an AssertionError with its text."""
    done = helm("template", "daypass", str(chart), "--namespace", namespace, values=values, home=home)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def refusal(home: Path, values: Json) -> str:
    """What Helm says of values that it refuses."""
    done = helm("template", "daypass", str(CHART), "--namespace", NAMESPACE, values=values, home=home)
    assert done.returncode != 0, f"accepted: {values}"
    return done.stderr


def of_kind(objects: list[Json], *kinds: str) -> list[Json]:
    """Those objects of these kinds."""
    return [body for body in objects if body["kind"] in kinds]


def named(objects: list[Json], kind: str, name: str) -> Json:
    """The one object of that kind and name."""
    (found,) = [body for body in of_kind(objects, kind) if body["metadata"]["name"] == name]
    return found
