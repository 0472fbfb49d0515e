"""The build step: Go compiles the binaries from the modules pinned in ``tools/testbed``."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bed import pins
from bed.progress import say, step


class BuildError(Exception):
    """A binary could not be built; the text says what a person can do about it."""


def build(tools: Sequence[pins.Tool], folder: Path, go_cache: Path) -> None:
    """Build each tool into the folder; the Go caches lie in ``go_cache`` (some 6 GB, deletable)."""
    go = shutil.which("go")
    if go is None:
        names = ", ".join(tool.name for tool in tools)
        message = f"{names}: not found, not downloaded, and there is no Go to build with: install Go 1.26 or later"
        raise BuildError(message)
    folder.mkdir(parents=True, exist_ok=True)
    say(f"building {len(tools)} binaries with Go; build and module cache in {go_cache} (some 6 GB, safe to delete)")
    for tool in tools:
        with step(f"building {tool.name} (about {tool.cold_build} on two cores with a cold cache)"):
            _build(go, tool, folder, go_cache)


def _build(go: str, tool: pins.Tool, folder: Path, go_cache: Path) -> None:
    partial = folder / f".{tool.name}.{os.getpid()}"
    command = [go, "build", "-trimpath", "-ldflags", _linker_flags(tool), "-o", str(partial), tool.package]
    done = subprocess.run(
        command, cwd=tool.module, env=_environment(go_cache), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        message = f"go build {tool.package} failed:\n{done.stderr[-4000:]}"
        raise BuildError(message)
    partial.rename(folder / tool.name)


def _linker_flags(tool: pins.Tool) -> str:
    flags = ["-s", "-w"]
    if tool.package.startswith("k8s.io/"):
        major, minor, _ = pins.KUBERNETES.removeprefix("v").split(".")
        variables = {"gitVersion": pins.KUBERNETES, "gitMajor": major, "gitMinor": minor}
        flags += [f"-X k8s.io/component-base/version.{name}={value}" for name, value in variables.items()]
    return " ".join(flags)


def _environment(go_cache: Path) -> dict[str, str]:
    """The caller's environment with caches of our own, which (``-modcacherw``) a plain rm can delete."""
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOCACHE": str(go_cache / "build"),
        "GOMODCACHE": str(go_cache / "modules"),
        "GOFLAGS": "-modcacherw -buildvcs=false",
        "GOWORK": "off",
    }
