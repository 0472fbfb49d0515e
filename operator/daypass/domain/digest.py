"""Decides what an approver agrees to: everything that the digest covers."""

import hashlib
from collections.abc import Iterable

from daypass.domain.permissions import ResolvedRole, Rule
from daypass.domain.policy import Policy
from daypass.domain.request import PolicyReference, Request

VERSION = 1


def document(
    request: Request, role: ResolvedRole | None, subject_uid: str, policies: Iterable[Policy | PolicyReference]
) -> dict[str, object]:
    """The document behind ``status.digest``: if anything in it changes, every review of it is void.

    Rule: the request's uid and namespace (T12), the whole spec as stored (T04), the role's uid and rules (T22, T23),
    the subject's uid, so that a ServiceAccount made anew under the name is another, and uid and generation of each
    governing policy (T14), by name. ``role`` is None for a grant of exact rules: those are in the spec.
    """
    governing = sorted(policies, key=lambda policy: policy.name)
    return {
        "version": VERSION,
        "request": {"uid": request.uid, "namespace": request.namespace},
        "spec": dict(request.spec),
        "role": None if role is None else {"uid": role.uid, "rules": [_rule(rule) for rule in role.rules]},
        "subjectUID": subject_uid,
        "policies": [{"name": one.name, "uid": one.uid, "generation": one.generation} for one in governing],
    }


def digest_of(canonical: bytes) -> str:
    """SHA-256 in hex of the canonical JSON (RFC 8785) of the document."""
    return hashlib.sha256(canonical).hexdigest()


def _rule(rule: Rule) -> dict[str, list[str]]:
    return {
        "verbs": list(rule.verbs),
        "apiGroups": list(rule.api_groups),
        "resources": list(rule.resources),
        "resourceNames": list(rule.resource_names),
        "nonResourceURLs": list(rule.non_resource_urls),
    }
