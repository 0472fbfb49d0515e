"""Daypass's own processes on the host, each under the token of its ServiceAccount."""

import sys
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.error import URLError
from urllib.request import urlopen

from bed.endpoint import Endpoint
from bed.install import NAMESPACE, environment, mount_secrets
from bed.processes import Process


def controller_process(endpoint: Endpoint, health: str, *options: str, name: str = "controller") -> Process:
    """``daypass controller``; another ``name`` and ``health`` address make a second replica."""
    return _process(endpoint, "controller", name, health, list(options))


def webhook_process(endpoint: Endpoint, listen: str, health: str, *options: str, name: str = "webhook") -> Process:
    """``daypass webhook``, with the Secrets' entries as files."""
    mounts = mount_secrets(endpoint)
    own = ["--listen", listen, "--serving-dir", str(mounts.serving), "--signing-dir", str(mounts.signing)]
    return _process(endpoint, "webhook", name, health, [*own, "--paths-dir", str(mounts.paths), *options])


def _process(endpoint: Endpoint, command: str, name: str, health: str, options: list[str]) -> Process:
    folder = endpoint.mount_service_account(NAMESPACE, f"daypass-{command}")
    full = [
        *(sys.executable, "-m", "daypass", command, "--namespace", NAMESPACE),
        *("--server", endpoint.server, "--service-account-dir", str(folder), "--health-address", health),
        *options,
    ]
    return Process(full, endpoint.folder / f"{name}.log", ready_at(health), environment())


def ready_at(address: str) -> Callable[[], bool]:
    """Whether a process of ours whose health address this is says that it is ready."""

    def ready() -> bool:
        with suppress(URLError, OSError), urlopen(f"http://{address}/readyz", timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
        return False

    return ready
