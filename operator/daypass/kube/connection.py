"""How a process reaches the API server, and as whom.

In a cluster, and in the test bed, that is a folder as the kubelet mounts it: ``ca.crt`` and ``token``, which rotates.
A kubeconfig is for people and for ``daypass setup``; only that path imports ``kubernetes`` (55 MiB), and only when used.
The server is always verified: a grant written to, or a decision read from, somebody else's server is worth nothing.
"""

import os
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daypass.kube.tokens import TokenFile

SERVICE_ACCOUNT_DIRECTORY: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ConnectionSettingsError(Exception):
    """The settings name no API server that could be reached and trusted; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An API server, the authority that proves it, and our credentials: a token file, a token or a certificate."""

    server: str
    ca_file: Path | None
    token_file: TokenFile | None = None
    static_token: str = field(default="", repr=False)
    client_certificate: Path | None = None
    client_key: Path | None = None
    server_name: str = ""
    """Name to verify in the server's certificate where it is not that of the URL."""
    namespace: str = "default"
    """Where a person's commands work when they don't say: the context's, or the pod's own."""

    def __post_init__(self) -> None:
        """Fail closed: without TLS nobody knows whom we talk to, and the token would be sent in the clear."""
        if not self.server.startswith("https://"):
            text = f"The API server must be reached by https, not as {self.server!r}."
            raise ConnectionSettingsError(text)

    def token(self) -> str:
        """The bearer token to send now, or nothing where a client certificate speaks for us."""
        if self.token_file is None:
            return self.static_token
        return self.token_file.read(time.monotonic())

    def ssl_context(self) -> ssl.SSLContext:
        """Verifies the server against ``ca_file`` alone, else against the system's authorities."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
            if self.client_certificate:
                context.load_cert_chain(self.client_certificate, self.client_key)
        except (OSError, ssl.SSLError) as error:
            text = f"Certificates for {self.server} can't be read: {error}"
            raise ConnectionSettingsError(text) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def in_cluster(directory: Path = SERVICE_ACCOUNT_DIRECTORY, server: str = "") -> Connection:
    """As the ServiceAccount whose ``token`` and ``ca.crt`` are in the folder; the server from the pod's environment."""
    if not server:
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            text = "Not in a pod (KUBERNETES_SERVICE_HOST is not set): give --server or --kubeconfig."
            raise ConnectionSettingsError(text)
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    for name in ("token", "ca.crt"):
        if not (directory / name).is_file():
            text = f"No file {directory / name}: a ServiceAccount's folder holds token and ca.crt."
            raise ConnectionSettingsError(text)
    namespace = directory / "namespace"
    return Connection(
        server.rstrip("/"),
        directory / "ca.crt",
        token_file=TokenFile(directory / "token"),
        namespace=namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else "default",
    )


async def from_kubeconfig(path: Path | None = None, context: str = "") -> Connection:
    """As a context of a kubeconfig, the current one by default; a token that a plugin gives is not renewed."""
    from kubernetes.aio.client import Configuration  # noqa: PLC0415 - 55 MiB that in-cluster processes never need
    from kubernetes.aio.config import ConfigException, load_kube_config  # noqa: PLC0415

    where = str(path or os.environ.get("KUBECONFIG") or "~/.kube/config")
    configuration = Configuration()
    try:
        loader = await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=where,
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except (ConfigException, OSError, ValueError) as error:
        text = f"The kubeconfig {where} can't be used: {error}"
        raise ConnectionSettingsError(text) from error
    if not configuration.verify_ssl:
        # Fail closed: decisions read from an unverified server, and a token sent to it, are anybody's.
        text = "The kubeconfig sets insecure-skip-tls-verify: give the cluster's certificate-authority instead."
        raise ConnectionSettingsError(text)
    token = str(configuration.api_key.get("BearerToken", ""))
    return Connection(
        str(configuration.host).rstrip("/"),
        Path(configuration.ssl_ca_cert) if configuration.ssl_ca_cert else None,
        static_token=token.removeprefix("Bearer "),
        client_certificate=Path(configuration.cert_file) if configuration.cert_file else None,
        client_key=Path(configuration.key_file) if configuration.key_file else None,
        server_name=str(configuration.tls_server_name or ""),
        namespace=str(dict(loader.current_context.get("context") or {}).get("namespace") or "default"),
    )
