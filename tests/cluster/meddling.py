"""Somebody else's mutating webhook, called after ours: changes pods as a test says."""

import base64
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bed import Bed
from bed.pki import Authority

Json = dict[str, Any]
NAME = "zz-meddling.example.com"


class Meddling:
    """Runs in a thread of its own while a ``with`` block does; webhooks are called in the order of their names."""

    def __init__(self, bed: Bed, folder: Path, namespace: str, change: Callable[[Json], list[Json]]) -> None:
        self.bed = bed
        self.namespace = namespace
        authority = Authority(folder)
        pair = authority.server("meddling")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(change))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._authority = base64.b64encode(authority.pair.certificate.read_bytes()).decode()

    def __enter__(self) -> Self:
        self._thread.start()
        named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [self.namespace]}
        webhook = {
            "name": NAME,
            "clientConfig": {
                "url": f"https://127.0.0.1:{self._server.server_address[1]}/",
                "caBundle": self._authority,
            },
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "namespaceSelector": {"matchExpressions": [named]},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        }
        self.bed.apply(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": NAME},
                "webhooks": [webhook],
            }
        )
        path = f"/api/v1/namespaces/{self.namespace}/pods?dryRun=All"
        probe = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "it", "image": "it"}]}}

        def meddled() -> bool:
            answer = self.bed.request("POST", path, probe)
            return answer.status == 201 and "meddled" in (answer.json["metadata"].get("annotations") or {})

        self.bed.wait_until(meddled, what="the API server calls the other webhook")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bed.kubectl("delete", "mutatingwebhookconfiguration", NAME, "--ignore-not-found")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(change: Callable[[Json], list[Json]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            pod = review["request"]["object"]
            annotations = pod["metadata"].get("annotations") or {}
            mark = {"op": "add", "path": "/metadata/annotations", "value": {**annotations, "meddled": "true"}}
            patch = json.dumps([mark, *change(pod)]).encode()
            answer = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch"}
            answer["patch"] = base64.b64encode(patch).decode()
            body = json.dumps({**review, "request": None, "response": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Handler
