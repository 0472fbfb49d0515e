"""A webhook of its own for each test: real TLS on loopback, real keys, and a cluster that the test makes up."""

import asyncio
import base64
import io
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from daypass.app.admission.guard_policy import PolicyGuarding
from daypass.app.admission.guard_request import Guarding
from daypass.app.admission.review import Reviewing
from daypass.domain import duplicates
from daypass.domain.policy import Policy
from daypass.domain.request import Request
from daypass.domain.review import Review
from daypass.expressions.cel import CelExpressions
from daypass.signing.reviews import ReviewVerifier, key_id_of
from daypass.webhook.files import Mounts
from daypass.webhook.listener import Listener
from daypass.webhook.routes import mutating, validating

CONTROLLER = "system:serviceaccount:daypass-system:daypass-controller"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


@dataclass
class Cluster:
    """What the webhook knows of the cluster, and what time it is there."""

    requests: list[Request] = field(default_factory=list)
    all_policies: list[Policy] = field(default_factory=list)
    time: datetime = NOW
    published: dict[str, bytes] = field(default_factory=dict)

    def now(self) -> datetime:
        return self.time

    def genuine(self, review: Review) -> bool:
        return ReviewVerifier(self.published).genuine(review)

    def policies(self) -> Sequence[Policy]:
        return self.all_policies

    def policy(self, name: str) -> Policy | None:
        return next((each for each in self.all_policies if each.name == name), None)

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return {"kubernetes.io/metadata.name": namespace}

    def equal_pending(self, request: Request) -> str:
        found = duplicates.equal_pending(request, self.requests)
        return found.name if found else ""

    def expect(self, request: Request) -> None:
        self.requests.append(request)

    def peers(self, request: Request) -> Sequence[Request]:
        return [each for each in self.requests if each.subject == request.subject]


class Folders:
    """The three folders that a kubelet would mount."""

    def __init__(self, root: Path, authority: trustme.CA) -> None:
        self.serving, self.signing, self.paths = (root / name for name in ("serving", "signing", "paths"))
        for folder in (self.serving, self.signing, self.paths):
            folder.mkdir()
        self.published: dict[str, bytes] = {}
        self.certify(authority)
        self.rotate()
        self.rename("a" * 64, "b" * 64)

    def certify(self, authority: trustme.CA) -> None:
        certificate = authority.issue_cert("127.0.0.1")
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        (self.serving / "tls.key").write_bytes(certificate.private_key_pem.bytes())
        (self.serving / "tls.crt").write_bytes(chain)

    def rotate(self) -> str:
        key = Ed25519PrivateKey.generate()
        key_id = key_id_of(key.public_key())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for old in self.signing.glob("*.pem"):
            old.unlink()
        (self.signing / f"{key_id}.pem").write_bytes(pem)
        (self.signing / "active").write_text(f"{key_id}\n")
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.published[key_id] = public
        return key_id

    def rename(self, mutating_path: str, validating_path: str) -> None:
        (self.paths / "mutating").write_text(mutating_path)
        (self.paths / "validating").write_text(validating_path)


@dataclass(frozen=True)
class Desk:
    """A running webhook and a client that trusts it."""

    address: str
    client: aiohttp.ClientSession
    listener: Listener
    mounts: Mounts
    folders: Folders
    cluster: Cluster

    async def post(self, path: str, body: bytes | Mapping[str, Any]) -> tuple[int, bytes]:
        """Status and body of the answer to a POST."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client.post(f"https://{self.address}{path}", data=io.BytesIO(data)) as answer:
            return answer.status, await answer.read()

    async def mutate(self, review: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask(self.mounts.paths.mutating[0], review)

    async def validate(self, review: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask(self.mounts.paths.validating[0], review)

    async def _ask(self, path: str, review: Mapping[str, Any]) -> dict[str, Any]:
        code, body = await self.post(path, review)
        assert code == 200, body
        answer = json.loads(body)
        assert answer["apiVersion"] == "admission.k8s.io/v1"
        assert answer["kind"] == "AdmissionReview"
        response: dict[str, Any] = answer["response"]
        assert response["uid"] == review["request"]["uid"]
        assert response["auditAnnotations"]["decision"]
        return response


def a_listener(mounts: Mounts, cluster: Cluster) -> Listener:
    """The listener as the process wires it, around a made-up cluster."""
    expressions = CelExpressions()
    never = {"kube-system", "daypass-system"}
    mutate = mutating(Reviewing(cluster, mounts.keys, cluster, cluster))
    validate = validating(
        Guarding(cluster, expressions, cluster, CONTROLLER, never), PolicyGuarding(cluster, expressions), cluster
    )
    return Listener((lambda: mounts.paths.mutating, mutate), (lambda: mounts.paths.validating, validate))


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts this authority alone."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def a_review(
    operation: str,
    resource: str = "accessrequests",
    *,
    new: Mapping[str, Any] | None = None,
    old: Mapping[str, Any] | None = None,
    user: str = "alice",
    groups: Sequence[str] = ("developers", "system:authenticated"),
    namespace: str = "shop",
    dry_run: bool = False,
) -> dict[str, Any]:
    """An AdmissionReview as the API server writes it."""
    plural, _, subresource = resource.partition("/")
    version = {"group": "daypass.dev", "version": "v1alpha1"}
    request: dict[str, Any] = {
        "uid": UID,
        "kind": {**version, "kind": "AccessRequest"},
        "resource": {**version, "resource": plural},
        "requestKind": {**version, "kind": "AccessRequest"},
        "name": "fix-checkout",
        "namespace": namespace,
        "operation": operation,
        "userInfo": {"username": user, "groups": list(groups), "extra": {"authentication.kubernetes.io/k": ["v"]}},
        "object": new,
        "oldObject": old,
        "dryRun": dry_run,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    if subresource:
        request["subResource"] = subresource
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def a_manifest(name: str = "fix-checkout", **spec: object) -> dict[str, Any]:
    """A request as a person writes it."""
    ordinary = {"role": {"kind": "ClusterRole", "name": "edit"}, "durationSeconds": 900, "reason": "Restart checkout"}
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {**ordinary, **spec},
    }


def patched(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The JSON Patch of an answer."""
    operations: list[dict[str, Any]] = json.loads(base64.b64decode(response["patch"]))
    return operations


async def raw_request(address: str, context: ssl.SSLContext, text: bytes) -> bytes:
    """Send bytes over TLS as they are, and read until the server closes."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    writer.write(text)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer
