"""``daypass webhook``: options only."""

from pathlib import Path
from typing import Annotated

import typer

from daypass.cli.collection import collect_seldom
from daypass.cli.connection import (
    DEFAULT_HEALTH_ADDRESS,
    DEFAULT_NAMESPACE,
    HealthAddressOption,
    KubeconfigOption,
    LogLevelOption,
    NamespaceOption,
    ServerOption,
    ServiceAccountDirOption,
    connect,
    is_address,
)
from daypass.observe.addresses import host_and_port

_MOUNTS = Path("/etc/daypass")


def webhook(  # noqa: PLR0913 - one parameter an option
    *,
    namespace: NamespaceOption = DEFAULT_NAMESPACE,
    server: ServerOption = "",
    service_account_dir: ServiceAccountDirOption = None,
    kubeconfig: KubeconfigOption = None,
    health_address: HealthAddressOption = DEFAULT_HEALTH_ADDRESS,
    log_level: LogLevelOption = "info",
    listen: Annotated[
        str,
        typer.Option(
            callback=is_address, help="HOST:PORT on which the API server calls, over TLS; port 0 takes a free one."
        ),
    ] = "0.0.0.0:9443",
    serving_dir: Annotated[
        Path, typer.Option(help="Folder with tls.crt and tls.key, read again as they change.")
    ] = _MOUNTS / "serving",
    signing_dir: Annotated[
        Path, typer.Option(help="Folder with the signing keys (<key id>.pem) and the id of the one in use (active).")
    ] = _MOUNTS / "signing",
    paths_dir: Annotated[
        Path, typer.Option(help="Folder with the secret paths, 64 hex digits each, in files mutating and validating.")
    ] = _MOUNTS / "paths",
    client_ca_file: Annotated[
        Path | None,
        typer.Option(
            help="Take calls only from clients with a certificate by this authority, such as the API server's own.",
            show_default=False,
        ),
    ] = None,
    never_namespace: Annotated[
        list[str] | None,
        typer.Option(
            help="Refuse every request for access in this namespace, besides kube-system and our own; may be repeated.",
            show_default=False,
        ),
    ] = None,
    drain_seconds: Annotated[
        float,
        typer.Option(min=0, help="How long to serve on after SIGTERM, not ready: until no endpoint names us any more."),
    ] = 15.0,
) -> None:
    """Answer the API server's admission reviews: stamp requests, sign reviews, guard what is Daypass's alone."""
    import asyncio

    from daypass.observe import logs
    from daypass.webhook.process import Settings, run

    host, port = host_and_port(listen)
    logs.configure(log_level)
    collect_seldom()
    settings = Settings(
        namespace=namespace,
        host=host,
        port=port,
        health_address=health_address,
        serving=serving_dir,
        signing=signing_dir,
        paths=paths_dir,
        client_ca=client_ca_file,
        never=frozenset(never_namespace or ()),
        drain_seconds=drain_seconds,
    )

    async def serve() -> None:
        await run(settings, await connect(server, service_account_dir, kubeconfig))

    asyncio.run(serve())
