"""``daypass setup``: keys, certificates and webhook configurations."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from daypass.cli import connection as options

ServiceNameOption = Annotated[str, typer.Option(help="Service in front of the webhook, in Daypass's namespace.")]
UrlOption = Annotated[
    str,
    typer.Option(help="Address of a webhook that runs outside the cluster, https://HOST:PORT.", show_default=False),
]
RotateOption = Annotated[
    bool, typer.Option("--rotate-signing-key", help="Sign with a new key; earlier public keys stay published.")
]


def setup(
    namespace: options.NamespaceOption = options.DEFAULT_NAMESPACE,
    service_name: ServiceNameOption = "daypass-webhook",
    url: UrlOption = "",
    rotate_signing_key: RotateOption = False,  # noqa: FBT002 - typer reads flags from booleans
    server: options.ServerOption = "",
    service_account_dir: options.ServiceAccountDirOption = None,
    kubeconfig: options.KubeconfigOption = None,
) -> None:
    """Make keys and certificates, and fill in the webhook configurations; run again, renew what nears its end."""
    from daypass.app.ports import ApiError
    from daypass.app.setup import SetupError

    try:
        changes = asyncio.run(
            _run(
                namespace, "" if url else service_name, url, rotate_signing_key, server, service_account_dir, kubeconfig
            )
        )
    except (SetupError, ApiError) as error:
        typer.echo(f"daypass setup: {error}", err=True)
        raise typer.Exit(1) from error
    for change in changes or ["nothing to do"]:
        typer.echo(change)


async def _run(
    namespace: str,
    service_name: str,
    url: str,
    rotate_signing_key: bool,  # noqa: FBT001
    server: str,
    service_account_dir: Path | None,
    kubeconfig: Path | None,
) -> list[str]:
    from daypass.app.configurations import Endpoint
    from daypass.app.setup import Setup
    from daypass.kube.client import Client
    from daypass.signing.certificates import OwnCertificates
    from daypass.signing.keys import Ed25519Keys

    connection = await options.connect(server, service_account_dir, kubeconfig)
    async with Client(connection, user_agent="daypass-setup") as client:
        endpoint = Endpoint(service=service_name, url=url)
        task = Setup(client, OwnCertificates(), Ed25519Keys(), client.clock, namespace, endpoint)
        return await task.run(rotate_signing_key=rotate_signing_key)
