"""A webhook server of somebody else, to which the API server sends what a test registers it for."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bed import Bed
from bed.pki import Authority

Json = dict[str, Any]
Answer = Callable[[str, Json], list[Json]]


class ForeignWebhook:
    """Runs in threads of its own until ``stop``; never refuses, and changes what ``answer`` says.

    ``answer`` is given the path of its URL and the request of the review, and returns operations of a JSON patch.
    """

    def __init__(self, bed: Bed, folder: Path, name: str, answer: Answer) -> None:
        """``name`` is that of its configurations: webhooks are called in the order of their names."""
        self._bed, self._name = bed, name
        authority = Authority(folder)
        pair = authority.server("foreign")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()
        self._authority = base64.b64encode(authority.pair.certificate.read_bytes()).decode()

    def register(
        self,
        kind: str,
        path: str,
        namespaces: Sequence[str],
        operations: Sequence[str],
        resources: Sequence[str],
        group: str = "",
    ) -> None:
        """Have it asked, as a ``Mutating`` or ``Validating`` webhook, about resources of the core group or another."""
        named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [*namespaces]}
        rule = {"operations": [*operations], "apiGroups": [group], "apiVersions": ["*"], "resources": [*resources]}
        webhook = {
            "name": self._name,
            "clientConfig": {
                "url": f"https://127.0.0.1:{self._server.server_address[1]}{path}",
                "caBundle": self._authority,
            },
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "namespaceSelector": {"matchExpressions": [named]},
            "rules": [rule],
        }
        self._bed.apply(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": f"{kind}WebhookConfiguration",
                "metadata": {"name": self._name},
                "webhooks": [webhook],
            }
        )

    def stop(self) -> None:
        """Leave the cluster as it was."""
        for kind in ("mutating", "validating"):
            self._bed.kubectl("delete", f"{kind}webhookconfiguration", self._name, "--ignore-not-found")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            response: Json = {"uid": request["uid"], "allowed": True}
            patch = answer(self.path.partition("?")[0], request)
            if patch:
                response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
            body = json.dumps({**review, "request": None, "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Handler
