"""The variables of policy expressions: the contract of design and documentation, with their exact types."""

from collections.abc import Mapping
from typing import Final

from cel_expr_python import cel

_TEXTS: Final = cel.Type.List(cel.Type.STRING)

VARIABLES: Final[Mapping[str, cel.Type]] = {
    "request.namespace": cel.Type.STRING,
    "request.namespaceLabels": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "request.kind": cel.Type.STRING,
    "request.roleKind": cel.Type.STRING,
    "request.roleName": cel.Type.STRING,
    "request.scope": cel.Type.STRING,
    "request.verbs": _TEXTS,
    "request.resources": _TEXTS,
    "request.apiGroups": _TEXTS,
    "request.privileges": _TEXTS,
    "request.durationSeconds": cel.Type.INT,
    "request.reason": cel.Type.STRING,
    "request.ticket": cel.Type.STRING,
    "request.dataClassification": cel.Type.STRING,
    "requester.username": cel.Type.STRING,
    "requester.kind": cel.Type.STRING,
    "requester.groups": _TEXTS,
    "subject.kind": cel.Type.STRING,
    "subject.name": cel.Type.STRING,
    "subject.namespace": cel.Type.STRING,
    "agent.name": cel.Type.STRING,
    "agent.model": cel.Type.STRING,
    "agent.tool": cel.Type.STRING,
    "risk.level": cel.Type.INT,
    "risk.findings": _TEXTS,
    "now": cel.Type.TIMESTAMP,
}
"""Flat and dotted, so that a typo is a compile error and an evaluation takes microseconds."""

LISTS: Final = tuple(name for name, kind in VARIABLES.items() if kind == _TEXTS)
MAPS: Final = ("request.namespaceLabels",)
