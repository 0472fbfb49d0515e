"""Raw HTTP to the API server, as curl would send it: no client library between a test and the wire."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bed.users import Credentials

_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Response:
    """Status code and body; ``json`` is None when the body isn't JSON."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the server sent
        """The decoded body."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def message(self) -> str:
        """The message of a Status object, else the body as text."""
        body = self.json
        return str(body.get("message", "")) if isinstance(body, dict) else self.body.decode(errors="replace")


def request(
    server: str,
    authority: Path,
    credentials: Credentials,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One request. ``body``: bytes and text go as they are, anything else as JSON."""
    context = ssl.create_default_context(cafile=str(authority))
    sent = {"Accept": "application/json"}
    if credentials.certificate is not None:
        context.load_cert_chain(credentials.certificate.certificate, credentials.certificate.key)
    elif credentials.token:
        sent["Authorization"] = f"Bearer {credentials.token}"
    data = body.encode() if isinstance(body, str) else body
    if data is not None:
        patch = method == "PATCH"
        sent["Content-Type"] = "application/merge-patch+json" if patch else "application/json"
    if data is not None and not isinstance(data, bytes):
        data = json.dumps(data).encode()
    address = urlsplit(server)
    connection = HTTPSConnection(address.hostname or "", address.port, timeout=_SECONDS, context=context)
    try:
        connection.request(method, path, body=data, headers=sent | dict(headers or {}))
        answer = connection.getresponse()
        return Response(answer.status, answer.read())
    finally:
        connection.close()
