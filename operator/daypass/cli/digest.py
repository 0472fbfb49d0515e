"""``daypass digest``: what a request's ``podTemplateDigest`` or ``objectDigest`` has to be for a manifest."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daypass.cli import unreadable

if TYPE_CHECKING:
    from daypass.app.dry_runs import Digested
    from daypass.kube.connection import Connection


class Output(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON files with manifests, or - for standard input.")
]
NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", help="Of manifests that name none; by default the context's.", show_default=False
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="A line for each object, or a list in JSON.")]
ContextOption = Annotated[
    str, typer.Option(help="Context of the kubeconfig, in place of the current one.", show_default=False)
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option(help="By default as kubectl finds it; in a pod without one, its ServiceAccount.", show_default=False),
]


def digest(
    *,
    files: FilesArgument,
    namespace: NamespaceOption = "",
    output: OutputOption = Output.TEXT,
    context: ContextOption = "",
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Print the digest that a request needs to be for exactly these manifests.

    A pod, or what Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, ReplicationController and PodTemplate
    would make: podTemplateDigest. Any other kind: objectDigest. Both are computed from a dry run by the API server, so
    that they hold what its webhooks add; you need the right to create the pods or objects, and nothing is written.
    What was read from the API server already (a pod, or any other kind, with a uid) is taken as it is.
    """
    import asyncio
    import json

    results, failed = asyncio.run(_digests(files, namespace, context, kubeconfig))
    if output is Output.JSON:
        typer.echo(json.dumps([_as_json(one) for one in results], indent=2))
    else:
        for one in results:
            typer.echo(f"{one.target.text} {one.field}: {one.digest}")
    if failed:
        raise typer.Exit(1)


async def _digests(
    files: list[Path], namespace: str, context: str, kubeconfig: Path | None
) -> "tuple[list[Digested], bool]":
    import secrets

    from daypass.app.dry_runs import ManifestError, digest_manifest, target_of
    from daypass.app.ports import ApiError
    from daypass.kube.client import Client
    from daypass.kube.connection import ConnectionSettingsError
    from daypass.kube.discovery import Discovery
    from daypass.signing.canonical import canonical_json

    results: list[Digested] = []
    failed = False
    try:
        manifests = [found for file in files for found in _manifests(file)]
        connection = await _connection(kubeconfig, context)
    except (_UnusableError, ConnectionSettingsError) as error:
        typer.echo(f"daypass digest: {error}", err=True)
        raise typer.Exit(1) from None
    async with Client(connection, user_agent="daypass-digest") as client:
        kinds = Discovery(client)
        for where, manifest in manifests:
            label = where
            try:
                target = await target_of(manifest, namespace, connection.namespace, kinds)
                label = f"{where}: {target.text}"
                ordinal = 10**8 + secrets.randbelow(9 * 10**8)
                results.append(await digest_manifest(manifest, target, client, canonical_json, ordinal))
            except (ManifestError, ApiError, ValueError) as error:
                typer.echo(f"{label}: {error}", err=True)
                failed = True
    return results, failed


class _UnusableError(Exception):
    """A file that can't be read, or holds nothing."""


def _manifests(file: Path) -> Iterator[tuple[str, Any]]:
    from daypass.api.documents import UnreadableError, documents

    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        found = [manifest for _, manifest in documents(text)]
    except (OSError, UnicodeDecodeError, UnreadableError) as error:
        text = unreadable.told(name, error)
        raise _UnusableError(text) from None
    if not found:
        text = f"{name}: no manifest in it"
        raise _UnusableError(text)
    yield from ((name, manifest) for manifest in found)


async def _connection(kubeconfig: Path | None, context: str) -> "Connection":
    import os

    from daypass.kube.connection import SERVICE_ACCOUNT_DIRECTORY, from_kubeconfig, in_cluster

    own = os.environ.get("KUBECONFIG") or (Path.home() / ".kube" / "config").exists()
    if kubeconfig is None and not context and not own and SERVICE_ACCOUNT_DIRECTORY.is_dir():
        return in_cluster()
    return await from_kubeconfig(kubeconfig, context)


def _as_json(one: "Digested") -> dict[str, str]:
    target = one.target
    return {
        "apiVersion": target.api_version,
        "kind": target.kind,
        **({"namespace": target.namespace} if target.namespace else {}),
        "name": target.name,
        one.field: one.digest,
    }
