"""An API server and who may use it: what a bed needs to know, whoever runs the cluster."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from bed.binaries import Binaries
from bed.http import Connections, Response
from bed.kinds import DISCOVERY, Kinds
from bed.users import TOKEN_SECONDS, Credentials

_APPLY: Final = "fieldManager=bed&force=true&fieldValidation=Strict"
_APPLY_PATCH: Final = {"Content-Type": "application/apply-patch+yaml"}


class RefusedError(Exception):
    """The API server did not do what the bed needs; the text is its own."""


class Endpoint(ABC):
    """Reachable, with its people: the binaries are those that talk to it."""

    def __init__(self, folder: Path, binaries: Binaries, server: str, authority_file: Path) -> None:
        self.folder = folder
        self.binaries = binaries
        self.server = server
        self.authority_file = authority_file
        self.people: dict[str, Credentials] = {}
        self.connections = Connections(server, authority_file)
        self.kinds = Kinds(lambda path: self.request("GET", path, headers=DISCOVERY))

    @property
    def admin_kubeconfig(self) -> Path:
        """For tools that want a file."""
        return self.folder / "admin.kubeconfig"

    @abstractmethod
    def stop(self) -> None:
        """Leave nothing behind."""

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """One HTTP request, as admin when no credentials are given."""
        who = credentials or self.people["admin"]
        return self.connections.request(who, method, path, body, headers)

    def apply(self, body: Mapping[str, Any]) -> None:
        """Server-side apply of one object, or of a List of them, as admin; raises RefusedError with the server's text."""
        if body["kind"] == "List":
            for item in body["items"]:
                self.apply(item)
            return
        kind = self.kinds.named(f"{body['apiVersion']}/{body['kind']}")
        if kind is None:
            message = f"{body['apiVersion']} {body['kind']} is not served"
            raise RefusedError(message)
        metadata = body["metadata"]
        path = kind.path(metadata["name"], metadata.get("namespace", ""))
        answer = self.request("PATCH", f"{path}?{_APPLY}", dict(body), headers=_APPLY_PATCH)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            message = f"{body['kind']} {metadata['name']} could not be applied: {answer.message}"
            raise RefusedError(message)

    def mint_token(self, namespace: str, name: str) -> str:
        """A token of a ServiceAccount for 30 days, by the TokenRequest API."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        spec = {"expirationSeconds": TOKEN_SECONDS}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.request("POST", path, body)
        if answer.status != HTTPStatus.CREATED:
            message = f"no token for ServiceAccount {namespace}/{name}: {answer.message}"
            raise RefusedError(message)
        return str(answer.json["status"]["token"])

    def mount_service_account(self, namespace: str, name: str) -> Path:
        """A folder as a pod has in ``/var/run/secrets/kubernetes.io/serviceaccount``."""
        folder = self.folder / "mounts" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "token").write_text(self.mint_token(namespace, name))
        (folder / "ca.crt").write_bytes(self.authority_file.read_bytes())
        (folder / "namespace").write_text(namespace)
        return folder

    def mount_secret(self, namespace: str, name: str, folder: Path) -> None:
        """The entries of a Secret as files, as a kubelet mounts them; again after a change."""
        answer = self.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        if answer.status != HTTPStatus.OK:
            message = f"Secret {name} can't be mounted: {answer.message}"
            raise RefusedError(message)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for entry, value in answer.json.get("data", {}).items():
            partial = folder / f"..{entry}"
            partial.write_bytes(base64.b64decode(value))
            partial.rename(folder / entry)
