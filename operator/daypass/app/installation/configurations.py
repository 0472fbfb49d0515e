"""Where the API server calls our webhooks: filled into the configurations that Helm renders, and nothing else of them.

For the two that the controller computes from the gates it is published, whole, for the controller to copy.
"""

import base64
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from daypass.app.ports import Json

SERVICE_PORT: Final = 443
"""The port of the chart's Service."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the webhook process answers: a Service of the cluster, or a URL outside it. Exactly one is set."""

    service: str = ""
    url: str = ""

    def hosts(self, namespace: str) -> tuple[str, ...]:
        """The names under which the API server calls; raises ValueError for a URL that is none."""
        if self.service:
            name = f"{self.service}.{namespace}.svc"
            return (name, f"{name}.cluster.local")
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            msg = f"{self.url!r} is no address of the form https://HOST:PORT"
            raise ValueError(msg)
        return (parts.hostname,)

    def client_config(self, namespace: str, path: str, bundle: bytes) -> dict[str, Any]:
        """The whole ``clientConfig`` of a configuration that Helm does not render."""
        trust = base64.b64encode(bundle).decode("ascii")
        if self.service:
            service = {"namespace": namespace, "name": self.service, "port": SERVICE_PORT, "path": f"/{path}"}
            return {"service": service, "caBundle": trust}
        return {"url": f"{self.url.rstrip('/')}/{path}", "caBundle": trust}


def filled(configuration: Json, endpoint: Endpoint, path: str, bundle: bytes) -> list[dict[str, Any]]:
    """The configuration's webhooks with path and trust filled in; all else is as Helm rendered it.

    Raises ValueError when it was rendered for the other kind of endpoint: pointing it elsewhere is not ours to do.
    """
    return [
        {**webhook, "clientConfig": _client_config(webhook["clientConfig"], endpoint, path, bundle)}
        for webhook in configuration.get("webhooks") or []
    ]


def _client_config(rendered: Json, endpoint: Endpoint, path: str, bundle: bytes) -> dict[str, Any]:
    trust = base64.b64encode(bundle).decode("ascii")
    if endpoint.service:
        service = rendered.get("service")
        if not service:
            msg = "it is rendered for a URL; run setup with --url, or upgrade the chart"
            raise ValueError(msg)
        return {"service": {**service, "path": f"/{path}"}, "caBundle": trust}
    if not rendered.get("url"):
        msg = "it is rendered for a Service; run setup without --url, or upgrade the chart"
        raise ValueError(msg)
    return {"url": f"{endpoint.url.rstrip('/')}/{path}", "caBundle": trust}
