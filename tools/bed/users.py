"""Who uses the bed, each authenticated as a real client would be: people by certificate, agents by token."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bed.pki import KeyPair

PEOPLE: Final[dict[str, tuple[str, ...]]] = {
    "admin": ("system:masters",),
    "alice": ("developers",),
    "erin": ("developers",),
    "bob": ("approvers",),
    "carol": ("approvers",),
    "dave": ("approvers",),
}
"""Username and groups. ``admin`` passes RBAC always, but not admission."""
DEMO_NAMESPACE: Final = "demo"
AGENT: Final = "agent"
TOKEN_SECONDS: Final = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Credentials:
    """How one user proves who they are: a certificate or a token."""

    certificate: KeyPair | None = None
    token: str = ""

    def in_kubeconfig(self) -> dict[str, str]:
        """The ``user`` entry, with its data inline so that the file can be moved."""
        if self.certificate is None:
            return {"token": self.token}
        return {
            "client-certificate-data": _inline(self.certificate.certificate),
            "client-key-data": _inline(self.certificate.key),
        }


@dataclass(frozen=True, slots=True)
class Context:
    """One context of a kubeconfig."""

    name: str
    credentials: Credentials
    namespace: str = "default"


def kubeconfig(server: str, authority: Path, contexts: list[Context], current: str = "admin") -> str:
    """A kubeconfig with one cluster and a context for each user (JSON is YAML)."""
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bed", "cluster": {"server": server, "certificate-authority-data": _inline(authority)}}],
        "users": [{"name": context.name, "user": context.credentials.in_kubeconfig()} for context in contexts],
        "contexts": [
            {
                "name": context.name,
                "context": {"cluster": "bed", "user": context.name, "namespace": context.namespace},
            }
            for context in contexts
        ],
        "current-context": current,
    }
    return json.dumps(document, indent=1)


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
