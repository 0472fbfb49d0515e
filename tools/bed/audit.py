"""The API server's audit log: who did what, in what detail, and the events read back."""

import json
from pathlib import Path
from typing import Any, Final

POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "omitManagedFields": True,
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/openapi/*", "/version", "/api*"]},
        {"level": "RequestResponse", "resources": [{"group": "daypass.dev"}]},
        # Bodies of these may hold secrets or tokens, so never more than who and what.
        {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
        {
            "level": "Request",
            "verbs": ["create", "update", "patch", "delete", "deletecollection"],
            "resources": [
                {"group": "rbac.authorization.k8s.io"},
                {"group": "batch"},
                {"group": "admissionregistration.k8s.io"},
            ],
        },
        {"level": "Metadata"},
    ],
}


def write_policy(path: Path) -> None:
    """The policy as a file (JSON is YAML)."""
    path.write_text(json.dumps(POLICY))


def events(path: Path, about: str = "") -> list[dict[str, Any]]:
    """Every event so far whose text has ``about``; the log is written before each answer: what was answered is here.

    Most is of other tests, and some of it can't be decoded: they send what is nested without end.
    """
    with path.open() as file:
        return [json.loads(line) for line in file if about in line and line.endswith("\n")]
