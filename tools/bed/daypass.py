"""Daypass's own processes on the host, each under the token of its ServiceAccount."""

import sys
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from bed.control_plane import ControlPlane
from bed.install import NAMESPACE, environment, mount_secrets, mount_service_account
from bed.processes import Process


def controller_process(control_plane: ControlPlane, health: str, *options: str, name: str = "controller") -> Process:
    """``daypass controller``; another ``name`` and ``health`` address make a second replica."""
    return _process(control_plane, "controller", name, health, list(options))


def webhook_process(
    control_plane: ControlPlane, listen: str, health: str, *options: str, name: str = "webhook"
) -> Process:
    """``daypass webhook``, with the Secrets' entries as files."""
    mounts = mount_secrets(control_plane)
    own = ["--listen", listen, "--serving-dir", str(mounts.serving), "--signing-dir", str(mounts.signing)]
    return _process(control_plane, "webhook", name, health, [*own, "--paths-dir", str(mounts.paths), *options])


def _process(control_plane: ControlPlane, command: str, name: str, health: str, options: list[str]) -> Process:
    folder: Path = mount_service_account(control_plane, f"daypass-{command}")
    full = [
        *(sys.executable, "-m", "daypass", command, "--namespace", NAMESPACE),
        *("--server", control_plane.server, "--service-account-dir", str(folder), "--health-address", health),
        *options,
    ]
    return Process(full, control_plane.folder / f"{name}.log", _ready(health), environment())


def _ready(address: str) -> Callable[[], bool]:
    def ready() -> bool:
        with suppress(URLError, OSError), urlopen(f"http://{address}/readyz", timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
        return False

    return ready
