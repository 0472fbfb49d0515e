"""The options by which every command finds the API server; light, because ``daypass --help`` imports it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daypass.observe.addresses import host_and_port

if TYPE_CHECKING:
    from daypass.kube.connection import Connection

_LOG_LEVELS = ("debug", "info", "warning", "error")


def is_address(address: str) -> str:
    """Callback of an option: the address as it is, if it is HOST:PORT; raises typer.BadParameter."""
    try:
        host_and_port(address)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return address


def _log_level(level: str) -> str:
    if level not in _LOG_LEVELS:
        text = f"{level!r} is none of {', '.join(_LOG_LEVELS)}"
        raise typer.BadParameter(text)
    return level


NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        envvar="DAYPASS_NAMESPACE",
        help="Namespace in which Daypass itself is installed.",
    ),
]
ServerOption = Annotated[
    str,
    typer.Option(
        help="URL of the API server, https only; by default that of the pod. With --service-account-dir.",
        show_default=False,
    ),
]
ServiceAccountDirOption = Annotated[
    Path | None,
    typer.Option(
        "--service-account-dir",
        help="Folder with token and ca.crt, read again as they rotate; by default where the kubelet mounts it.",
        show_default=False,
    ),
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option(
        help="Use the current context of this kubeconfig, in place of a ServiceAccount.",
        show_default=False,
    ),
]
HealthAddressOption = Annotated[
    str,
    typer.Option(
        callback=is_address,
        help="HOST:PORT on which /healthz, /readyz and /metrics are served; port 0 takes a free one.",
    ),
]
LogLevelOption = Annotated[
    str,
    typer.Option(
        callback=_log_level,
        envvar="DAYPASS_LOG_LEVEL",
        help="Least level that is logged: debug, info, warning or error.",
    ),
]
DEFAULT_NAMESPACE = "daypass-system"
DEFAULT_HEALTH_ADDRESS = "0.0.0.0:8080"
"""In a pod: the kubelet and Prometheus call from outside."""


async def connect(server: str, service_account_dir: Path | None, kubeconfig: Path | None) -> "Connection":
    """The connection that the options mean; raises typer.BadParameter with what to change."""
    from daypass.kube.connection import (
        SERVICE_ACCOUNT_DIRECTORY,
        ConnectionSettingsError,
        from_kubeconfig,
        in_cluster,
    )

    if kubeconfig is not None and (server or service_account_dir is not None):
        text = "--kubeconfig excludes --server and --service-account-dir"
        raise typer.BadParameter(text)
    try:
        if kubeconfig is not None:
            return await from_kubeconfig(kubeconfig)
        return in_cluster(service_account_dir or SERVICE_ACCOUNT_DIRECTORY, server)
    except ConnectionSettingsError as error:
        raise typer.BadParameter(str(error)) from error
