"""Finds or makes the binaries: ``KUBEBUILDER_ASSETS``, own cache, official archive, Go. Each step falls to the next."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bed import archive, gobuild, pins
from bed.folders import cache, locked
from bed.progress import say


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of everything that the bed runs."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    helm: Path

    @classmethod
    def of(cls, found: Mapping[str, Path]) -> "Binaries":
        """From a mapping by file name."""
        return cls(**{name.replace("-", "_"): path for name, path in found.items()})


def locate() -> Binaries:
    """All binaries, made where they are missing; two beds at once don't clash (one waits for the other)."""
    folder = cache() / "testbed" / pins.key()
    found = _in_assets()
    found |= _in_folder(folder, found)
    if len(found) == len(pins.TOOLS):
        return Binaries.of(found)
    say(f"control-plane binaries are missing ({', '.join(_missing(found))}); they will be kept in {folder}")
    with locked(folder.with_suffix(".lock")):
        found |= _in_folder(folder, found)  # another bed may have made them while this one waited
        wanted = [name for name in _missing(found) if name in pins.ENVTEST_TOOLS]
        if wanted:
            archive.fetch(wanted, folder)
            found |= _in_folder(folder, found)
        tools = [tool for tool in pins.TOOLS if tool.name not in found]
        if tools:
            gobuild.build(tools, folder, cache() / "go")
            found |= _in_folder(folder, found)
    return Binaries.of(found)


def _missing(found: Mapping[str, Path]) -> list[str]:
    return [tool.name for tool in pins.TOOLS if tool.name not in found]


def _in_assets() -> dict[str, Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return {}
    found = _in_folder(Path(assets), {})
    say(f"KUBEBUILDER_ASSETS has {', '.join(found) or 'none of the binaries'}")
    return found


def _in_folder(folder: Path, found: Mapping[str, Path]) -> dict[str, Path]:
    candidates = {tool.name: shutil.which(tool.name, path=str(folder)) for tool in pins.TOOLS if tool.name not in found}
    return {name: Path(path) for name, path in candidates.items() if path}
