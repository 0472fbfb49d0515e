"""Writes domain values as JSON, as the custom resources spell them."""

from datetime import datetime
from typing import Any

from daypass.domain.identity import Identity, Subject, SubjectKind
from daypass.domain.permissions import Rule
from daypass.domain.policy import Approvers
from daypass.domain.request import Condition
from daypass.domain.review import Review
from daypass.domain.reviews import signed_document
from daypass.domain.times import rfc3339

Json = dict[str, Any]


def time_json(time: datetime | None) -> str | None:
    """RFC 3339, UTC, whole seconds; None stays None, which a merge patch takes as "no such field"."""
    return None if time is None else rfc3339(time)


def review_json(review: Review) -> Json:
    """An entry of ``status.reviews``: what is signed, and the signature."""
    return {**signed_document(review), "signature": review.signature}


def condition_json(condition: Condition) -> dict[str, Any]:
    """A condition as the API spells it."""
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": time_json(condition.last_transition_time),
    }


def identity_json(identity: Identity) -> Json:
    """The requester of a request: username, uid where there is one, groups."""
    who: Json = {"username": identity.username, "groups": list(identity.groups)}
    return {**who, "uid": identity.uid} if identity.uid else who


def subject_json(subject: Subject) -> Json:
    """The subject of a request."""
    if subject.kind is SubjectKind.SERVICE_ACCOUNT:
        return {"kind": "ServiceAccount", "namespace": subject.namespace, "name": subject.name}
    return {"kind": "User", "name": subject.name}


def rule_json(rule: Rule) -> Json:
    """A PolicyRule of RBAC, without its empty lists."""
    lists = {
        "apiGroups": rule.api_groups,
        "resources": rule.resources,
        "resourceNames": rule.resource_names,
        "nonResourceURLs": rule.non_resource_urls,
        "verbs": rule.verbs,
    }
    return {key: list(value) for key, value in lists.items() if value}


def approvers_json(approvers: Approvers) -> Json:
    """The approvers of a stage, without empty lists."""
    lists: Json = {
        "users": list(approvers.users),
        "groups": list(approvers.groups),
        "serviceAccounts": [{"namespace": namespace, "name": name} for namespace, name in approvers.service_accounts],
    }
    return {key: value for key, value in lists.items() if value}
