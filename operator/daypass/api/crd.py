"""Makes the CustomResourceDefinitions from the models: ``python -m daypass.api.crd --write crds``."""

import argparse
import inspect
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from daypass.api.policy import ApprovalPolicySpec, ApprovalPolicyStatus
from daypass.api.request import IMMUTABLE, AccessRequestSpec
from daypass.api.request_status import AccessRequestStatus
from daypass.api.schema import VALIDATIONS
from daypass.api.structural import structural
from daypass.domain import names

HEADER: Final = "# Generated from the models in operator/daypass/api by `make generate`; do not edit.\n"

_READY: Final = '.status.conditions[?(@.type=="Ready")]'


def _column(name: str, path: str, description: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": 1} if wide else column


_AGE: Final = _column("Age", ".metadata.creationTimestamp", "Time since it was created.", kind="date")

_REQUEST_COLUMNS: Final = [
    _column("State", f"{_READY}.reason", "Where the request stands: the reason of its condition Ready."),
    _column("Subject", ".spec.subject.name", "Who receives the access."),
    _column("Access", ".status.access", "What is asked for: a role, resources, privileges, or an operation."),
    _column("Expires", ".status.expirationTime", "When the access ends by itself."),
    _column("Requester", ".spec.requester.username", "Who asked.", wide=True),
    _column("Seconds", ".spec.durationSeconds", "How long the access lasts.", kind="integer", wide=True),
    _column("Risk", ".status.risk.level", "What the access could do.", wide=True),
    _column("Ticket", ".spec.ticket", "The ticket that the work belongs to.", wide=True),
    _column("Message", f"{_READY}.message", "The state in a sentence.", wide=True),
    _column("Reason", ".spec.reason", "Why; of what Daypass asks for, what is run or done, and by whom.", wide=True),
    _AGE,
]
_POLICY_COLUMNS: Final = [
    _column("Effect", ".spec.effect", "What happens to requests that match."),
    _column("Ready", f"{_READY}.status", "Whether the policy can be used."),
    _column("Auto", ".spec.autoApprove", "Whether requests are approved at once.", kind="boolean"),
    _column("Gate", ".spec.gate.mode", "Whether it says what needs an approved request, and what happens without one."),
    _column("Namespaces", ".spec.match.namespaces", "Namespaces that the policy speaks of.", wide=True),
    _column("Message", f"{_READY}.message", "Why the policy can't be used.", wide=True),
    _AGE,
]


def _definition(
    kind: str, plural: str, short: str, *, scope: str, description: str, version: dict[str, Any]
) -> dict[str, Any]:
    """One CustomResourceDefinition with one version, served and stored."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["daypass"],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    **version,
                    "schema": {"openAPIV3Schema": {"description": description, **version["schema"]}},
                }
            ],
        },
    }


def _root(spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    api_version = "Version of the API that this object is written in: daypass.dev/v1alpha1."
    return {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": api_version, "type": "string"},
            "kind": {"description": "Kind of the object.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def access_requests() -> dict[str, Any]:
    """The definition of AccessRequest."""
    root = _root(structural(AccessRequestSpec, tell_limits=True), structural(AccessRequestStatus))
    root[VALIDATIONS] = [IMMUTABLE.as_json()]
    paths = ("requester.username", "subject.kind", "subject.name", "role.name", "ticket")
    return _definition(
        "AccessRequest",
        "accessrequests",
        "areq",
        scope="Namespaced",
        description="A request for access in the namespace that it is created in, for a limited time."
        " Approve it with kubectl patch accessrequest NAME --subresource=status --type=merge"
        ' -p \'{"status":{"review":{"decision":"Approve"}}}\'.',
        version={
            "additionalPrinterColumns": _REQUEST_COLUMNS,
            "selectableFields": [{"jsonPath": f".spec.{path}"} for path in paths],
            "schema": root,
        },
    )


def approval_policies() -> dict[str, Any]:
    """The definition of ApprovalPolicy."""
    return _definition(
        "ApprovalPolicy",
        "approvalpolicies",
        "apol",
        scope="Cluster",
        description="Says which requests for access are denied, approved at once, or approved by whom.",
        version={
            "additionalPrinterColumns": _POLICY_COLUMNS,
            "selectableFields": [{"jsonPath": ".spec.effect"}],
            "schema": _root(structural(ApprovalPolicySpec, tell_limits=True), structural(ApprovalPolicyStatus)),
        },
    )


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: the file is read by people and by Helm."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def generate() -> dict[str, str]:
    """The files of ``crds/`` by name."""
    made = (access_requests(), approval_policies())
    return {
        f"{names.GROUP}_{crd['spec']['names']['plural']}.yaml": HEADER
        + yaml.dump(crd, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
        for crd in made
    }


def stale(folder: Path) -> tuple[str, ...]:
    """The files of a folder that are not what the models say now."""
    return tuple(
        name
        for name, text in generate().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    )


def main(arguments: list[str]) -> int:
    """Write the files, or check that they are fresh; 1 when they are not."""
    parser = argparse.ArgumentParser(
        prog="python -m daypass.api.crd", description=inspect.getdoc(sys.modules[__name__])
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FOLDER", nargs="?", const=Path("crds"), help="write the files")
    action.add_argument("--check", type=Path, metavar="FOLDER", nargs="?", const=Path("crds"), help="compare them")
    chosen = parser.parse_args(arguments)
    if chosen.check is not None:
        old = stale(chosen.check)
        for name in old:
            sys.stderr.write(f"{chosen.check / name} is not what the models say: run make generate\n")
        return 1 if old else 0
    chosen.write.mkdir(parents=True, exist_ok=True)
    for name, text in generate().items():
        (chosen.write / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
