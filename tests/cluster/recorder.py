"""A webhook of our own that lets everything pass and remembers it: which calls leave the API server at all."""

import base64
import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bed.pki import Authority

Json = dict[str, Any]


@dataclass(frozen=True)
class Reached:
    """One review that the API server sent."""

    path: str
    request: Json

    @property
    def what(self) -> str:
        """Such as ``CREATE pods``."""
        sub = self.request.get("subResource")
        return f"{self.request['operation']} {self.request['resource']['resource']}" + (f"/{sub}" if sub else "")


class Recorder:
    """Answers at any path."""

    def __init__(self, folder: Path) -> None:
        self.reached: list[Reached] = []
        authority = Authority(folder / "recorder")
        pair = authority.server("recorder")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self.trust = base64.b64encode(authority.pair.certificate.read_bytes()).decode()
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def endpoints(self) -> dict[str, Json]:
        """As setup would publish them."""
        return {kind: {"url": f"{self.url}/{kind}", "caBundle": self.trust} for kind in ("gates", "holds")}

    def take(self, path: str = "", username: str = "") -> list[str]:
        """What came since the last time, each kind of call once; at that path, by that caller."""
        found = [
            one.what
            for one in self.reached
            if one.path.endswith(path) and username in {"", one.request["userInfo"]["username"]}
        ]
        self.reached.clear()
        return sorted(set(found))

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        reached = self.reached

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reached.append(Reached(self.path.partition("?")[0], body["request"]))
                answer = {"uid": body["request"]["uid"], "allowed": True}
                text = json.dumps({"apiVersion": body["apiVersion"], "kind": body["kind"], "response": answer}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                return

        return Handler
