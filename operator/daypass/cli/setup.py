"""``daypass setup``: keys, certificates and webhook configurations."""

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
RotatePathsOption = Annotated[
    bool,
    typer.Option(
        "--rotate-paths", help="Replace the secret paths now; otherwise each run does that to paths over 1 h old."
    ),
]


def setup(
    *,
    namespace: options.NamespaceOption = options.DEFAULT_NAMESPACE,
    service_name: ServiceNameOption = "daypass-webhook",
    url: UrlOption = "",
    rotate_signing_key: RotateOption = False,
    rotate_paths: RotatePathsOption = False,
    server: options.ServerOption = "",
    service_account_dir: options.ServiceAccountDirOption = None,
    kubeconfig: options.KubeconfigOption = None,
) -> None:
    """Make keys and certificates, and fill in the webhook configurations; run again, renew what nears its end."""
    import asyncio

    from daypass.app.installation.configurations import Endpoint
    from daypass.app.installation.setup import Setup, SetupError
    from daypass.app.ports import ApiError
    from daypass.kube.client import Client
    from daypass.signing.certificates import OwnCertificates
    from daypass.signing.keys import Ed25519Keys

    endpoint = Endpoint(url=url) if url else Endpoint(service=service_name)

    async def run() -> list[str]:
        connection = await options.connect(server, service_account_dir, kubeconfig)
        async with Client(connection, user_agent="daypass-setup") as client:
            task = Setup(client, OwnCertificates(), Ed25519Keys(), client.clock, namespace, endpoint)
            return await task.run(rotate_signing_key=rotate_signing_key, rotate_paths=rotate_paths)

    try:
        changes = asyncio.run(run())
    except (SetupError, ApiError) as error:
        typer.echo(f"daypass setup: {error}", err=True)
        raise typer.Exit(1) from error
    for change in changes or ["nothing to do"]:
        typer.echo(change)
