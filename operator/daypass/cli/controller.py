"""``daypass controller``: options only; what it does is in ``daypass.controller``."""

import asyncio
import logging
import os
import sys
from typing import Annotated, NoReturn

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
)

DAY_SECONDS = 86_400
RetentionOption = Annotated[
    int,
    typer.Option(
        "--retention-seconds",
        envvar="DAYPASS_RETENTION_SECONDS",
        min=1,
        help="Finished requests are deleted after so many seconds.",
    ),
]


def controller(
    *,
    namespace: NamespaceOption = DEFAULT_NAMESPACE,
    server: ServerOption = "",
    service_account_dir: ServiceAccountDirOption = None,
    kubeconfig: KubeconfigOption = None,
    health_address: HealthAddressOption = DEFAULT_HEALTH_ADDRESS,
    retention_seconds: RetentionOption = 30 * DAY_SECONDS,
    never_namespace: Annotated[
        list[str] | None,
        typer.Option(
            help="No gate ever covers this namespace, besides kube-system and our own; may be repeated.",
            show_default=False,
        ),
    ] = None,
    log_level: LogLevelOption = "info",
) -> None:
    """Decide requests, give access and end it on time; one of several replicas leads."""
    from daypass.controller.leader import Options
    from daypass.controller.run import run
    from daypass.observe import logs

    logs.configure(log_level)
    collect_seldom()

    async def main() -> NoReturn:
        connection = await connect(server, service_account_dir, kubeconfig)
        code = await run(
            connection, Options(namespace, health_address, retention_seconds, frozenset(never_namespace or ()))
        )
        logging.shutdown()
        sys.stdout.flush()
        # Not by returning: asyncio would wait for what does not end, kopf in its thread too, and nobody would lead (T38).
        os._exit(code)

    asyncio.run(main())
