"""Raw HTTP to the API server, as curl would send it: no client library between a test and the wire.

Connections stay open between requests: a TLS handshake costs both sides more than most requests do, and whoever waits
for something asks twenty times a second.
"""

import json
import select
import ssl
from collections import defaultdict
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


class Connections:
    """Open connections to one server, those of each user apart; may be used by several threads."""

    def __init__(self, server: str, authority: Path) -> None:
        address = urlsplit(server)
        self._host, self._port, self._authority = address.hostname or "", address.port, authority
        self._contexts: dict[Credentials, ssl.SSLContext] = {}
        self._idle: defaultdict[Credentials, list[HTTPSConnection]] = defaultdict(list)

    def request(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One request, sent once. ``body``: bytes and text go as they are, anything else as JSON."""
        sent = {"Accept": "application/json"}
        if credentials.certificate is None and credentials.token:
            sent["Authorization"] = f"Bearer {credentials.token}"
        data = body.encode() if isinstance(body, str) else body
        if data is not None:
            patch = method == "PATCH"
            sent["Content-Type"] = "application/merge-patch+json" if patch else "application/json"
        if data is not None and not isinstance(data, bytes):
            data = json.dumps(data).encode()
        connection = self._taken(credentials)
        try:
            connection.request(method, path, body=data, headers=sent | dict(headers or {}))
            answer = connection.getresponse()
            response = Response(answer.status, answer.read())
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # the server keeps it open, too
            self._idle[credentials].append(connection)
        return response

    def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            while connections:
                connections.pop().close()

    def _taken(self, credentials: Credentials) -> HTTPSConnection:
        """An idle connection that the server has not closed meanwhile, or a new one."""
        idle = self._idle[credentials]
        while idle:
            connection = idle.pop()
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        return HTTPSConnection(self._host, self._port, timeout=_SECONDS, context=self._context(credentials))

    def _context(self, credentials: Credentials) -> ssl.SSLContext:
        if credentials not in self._contexts:
            context = ssl.create_default_context(cafile=str(self._authority))
            if credentials.certificate is not None:
                context.load_cert_chain(credentials.certificate.certificate, credentials.certificate.key)
            self._contexts[credentials] = context
        return self._contexts[credentials]
