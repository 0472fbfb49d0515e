"""A webhook of somebody else: injects a sidecar into pods as a service mesh does, and notes what admission sees at last."""

import base64
import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bed import Bed
from bed.pki import Authority

Json = dict[str, Any]
NAME = "injection.example.com"
WATCHED = {"": ["pods", "configmaps", "persistentvolumeclaims", "services"]}


class Injection:
    """Runs in threads of its own. ``seen`` holds each object that was really created or changed, as it then was."""

    def __init__(self, bed: Bed, folder: Path, namespaces: list[str], injected: list[str]) -> None:
        self.bed = bed
        self.seen: list[Json] = []
        authority = Authority(folder)
        pair = authority.server("injection")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()
        self._url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._authority = base64.b64encode(authority.pair.certificate.read_bytes()).decode()
        bed.apply(self._configuration("Mutating", "inject", injected, ["CREATE"], {"": ["pods"]}))
        bed.apply(self._configuration("Validating", "see", namespaces, ["CREATE", "UPDATE"], WATCHED))
        self._wait(injected[0])

    def stop(self) -> None:
        """Leave the cluster as it was."""
        for kind in ("mutating", "validating"):
            self.bed.kubectl("delete", f"{kind}webhookconfiguration", NAME, "--ignore-not-found")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def last(self, kind: str, name: str) -> Json:
        """The object as it was when it last went through admission."""
        return next(one for one in reversed(self.seen) if (one["kind"], one["metadata"]["name"]) == (kind, name))

    def _configuration(
        self, kind: str, path: str, namespaces: list[str], operations: list[str], resources: dict[str, list[str]]
    ) -> Json:
        named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces}
        webhook = {
            "name": NAME,
            "clientConfig": {"url": f"{self._url}/{path}", "caBundle": self._authority},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "namespaceSelector": {"matchExpressions": [named]},
            "rules": [
                {"operations": operations, "apiGroups": [group], "apiVersions": ["*"], "resources": names}
                for group, names in resources.items()
            ],
        }
        body = {"kind": f"{kind}WebhookConfiguration", "metadata": {"name": NAME}, "webhooks": [webhook]}
        return {"apiVersion": "admissionregistration.k8s.io/v1", **body}

    def _wait(self, namespace: str) -> None:
        probe = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "app", "image": "a"}]}}
        path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"

        def injected() -> bool:
            answer = self.bed.request("POST", path, probe)
            assert answer.status in {201, 403}, answer.message  # 403: the namespace's ServiceAccount is not there yet
            return answer.status == 201 and len(answer.json["spec"]["containers"]) > 1

        self.bed.wait_until(injected, what="the API server calls the injecting webhook")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = review["request"]
                answer: Json = {"uid": request["uid"], "allowed": True}
                if self.path.startswith("/inject?"):
                    patch = json.dumps(_sidecar(request["object"])).encode()
                    answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}
                elif not request.get("dryRun"):
                    seen.append(request["object"])
                body = json.dumps({**review, "request": None, "response": answer}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler


def _sidecar(pod: Json) -> list[Json]:
    """As Istio does: what it injects depends on labels, and names the workload, which it makes out from the owner."""
    spec, metadata = pod["spec"], pod["metadata"]
    proxy = {
        "name": "proxy",
        "image": "registry.example/proxy:1",
        "args": ["--workload", _workload(metadata), "--app", metadata.get("labels", {}).get("app", "none")],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": [{"name": "certificates", "mountPath": "/certificates"}],
    }
    volume = {"name": "certificates", "emptyDir": {"medium": "Memory"}}
    start = {"name": "proxy-start", "image": "registry.example/proxy:1", "securityContext": {"runAsUser": 0}}
    return [
        {"op": "add", "path": "/spec/containers/0", "value": proxy},
        {"op": "add", "path": "/spec/volumes", "value": [*spec.get("volumes", []), volume]},
        {"op": "add", "path": "/spec/initContainers", "value": [start, *spec.get("initContainers", [])]},
        {"op": "add", "path": "/metadata/annotations", "value": {**metadata.get("annotations", {}), "injected": "yes"}},
    ]


def _workload(metadata: Json) -> str:
    owner = next((one for one in metadata.get("ownerReferences", ()) if one.get("controller")), None)
    if owner is None:
        return "none"
    template = metadata["labels"].get("pod-template-hash", "")
    if owner["kind"] == "ReplicaSet" and template and owner["name"].endswith(f"-{template}"):
        return f"Deployment/{owner['name'].removesuffix(f'-{template}')}"
    if owner["kind"] == "Job" and (run := re.fullmatch(r"(.+)-\d{8}", owner["name"])):
        return f"CronJob/{run[1]}"
    return f"{owner['kind']}/{owner['name']}"
