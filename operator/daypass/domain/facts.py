"""Decides what a policy's expressions may know: the facts of a request, under the names that are their contract."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import assert_never

from daypass.domain.expressions import Facts
from daypass.domain.identity import subject_of
from daypass.domain.permissions import Rule
from daypass.domain.request import ActionGrant, Request, RoleGrant, RulesGrant, WorkloadGrant
from daypass.domain.risk import Risk


def facts(
    request: Request, namespace_labels: Mapping[str, str], risk: Risk, now: datetime, rules: Iterable[Rule] = ()
) -> Facts:
    """All variables of an expression; what is absent is the empty value of its type.

    ``rules`` are those that the grant would give: of a role, its rules as they are now. ``request.verbs``,
    ``request.resources`` and ``request.apiGroups`` come from them where a role is asked for too, because an empty
    list would make ``request.verbs.all(v, v == 'get')`` true of every role (T27).
    """
    granted = _rules(request, rules)
    kind, role_kind, role_name = _grant(request)
    requester, subject = request.requester, request.subject
    return {
        "request.namespace": request.namespace,
        "request.namespaceLabels": namespace_labels,
        "request.kind": kind,
        "request.roleKind": role_kind,
        "request.roleName": role_name,
        "request.scope": "Namespace",
        "request.verbs": _union(rule.verbs for rule in granted),
        "request.resources": _union(rule.resources for rule in granted),
        "request.apiGroups": _union(rule.api_groups for rule in granted),
        "request.privileges": request.grant.privileges if isinstance(request.grant, WorkloadGrant) else (),
        "request.durationSeconds": request.duration_seconds,
        "request.reason": request.reason,
        "request.ticket": request.ticket,
        "request.dataClassification": request.data_classification,
        "requester.username": requester.username,
        "requester.kind": subject_of(requester).kind.value,
        "requester.groups": requester.groups,
        "subject.kind": subject.kind.value,
        "subject.name": subject.name,
        "subject.namespace": subject.namespace,
        "agent.name": request.agent.name,
        "agent.model": request.agent.model,
        "agent.tool": request.agent.tool,
        "risk.level": int(risk.level),
        "risk.findings": risk.findings,
        "now": now,
    }


def _grant(request: Request) -> tuple[str, str, str]:
    match request.grant:
        case RoleGrant(role):
            return ("Role", role.kind, role.name)
        case RulesGrant():
            return ("Rules", "", "")
        case WorkloadGrant():
            return ("Workload", "", "")
        case ActionGrant():
            return ("Action", "", "")
        case _:
            assert_never(request.grant)


def _rules(request: Request, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    match request.grant:
        case RoleGrant() | WorkloadGrant():
            return tuple(rules)
        case RulesGrant(own):
            return own
        case ActionGrant(verb, group, resource, subresource, name):
            return (Rule((verb,), (group,), (f"{resource}/{subresource}" if subresource else resource,), (name,)),)
        case _:
            assert_never(request.grant)


def _union(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for items in lists for item in items))
