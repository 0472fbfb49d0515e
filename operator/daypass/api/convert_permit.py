"""Between JSON and domain values: requests for a workload or an action, and their uses."""

from collections.abc import Mapping
from sys import intern
from typing import Any

from daypass.api.convert_json import Json, identity_json, subject_json, time_json
from daypass.api.request_permit import Action, Workload
from daypass.api.request_status import Use as UseModel
from daypass.domain import names
from daypass.domain.identity import Identity, Subject
from daypass.domain.request import ActionGrant, OwnerReference, Use, WorkloadGrant


def workload_of(workload: Workload) -> WorkloadGrant:
    """The domain value of a model that was read already."""
    owner = workload.owner
    return WorkloadGrant(
        service_account_name=intern(workload.service_account_name),
        privileges=tuple(map(intern, workload.privileges)),
        pod_template_digest=workload.pod_template_digest or "",
        max_pods=workload.max_pods,
        owner=None
        if owner is None
        else OwnerReference(intern(owner.api_version), intern(owner.kind), owner.name, owner.uid),
        authors=tuple(map(intern, workload.authors)),
        authors_unknown=workload.authors_unknown,
        findings=tuple(workload.findings),
    )


def action_of(action: Action) -> ActionGrant:
    """The domain value of a model that was read already."""
    return ActionGrant(
        verb=intern(action.verb),
        group=intern(action.group),
        resource=intern(action.resource),
        subresource=intern(action.subresource or ""),
        name=action.name,
        object_digest=action.object_digest or "",
        max_uses=action.max_uses,
        findings=tuple(action.findings),
        parties=tuple(map(intern, action.parties)),
        party_groups=tuple(map(intern, action.party_groups)),
    )


def use_of(use: UseModel) -> Use:
    """The domain value of a model that was read already."""
    return Use(use.key, intern(use.kind), use.name, use.uid, use.time, use.confirmed)


def use_json(use: Use) -> Json:
    """An entry of ``status.uses``."""
    return {
        "key": use.key,
        "kind": use.kind,
        "name": use.name,
        "uid": use.uid,
        "time": time_json(use.time),
        "confirmed": use.confirmed,
    }


def grant_json(grant: WorkloadGrant | ActionGrant) -> Json:
    """``workload`` or ``action`` of a request's spec, without what is empty or what is the default."""
    if isinstance(grant, WorkloadGrant):
        owner = grant.owner
        return {
            "workload": _given(
                {
                    "serviceAccountName": grant.service_account_name,
                    "privileges": list(grant.privileges),
                    "podTemplateDigest": grant.pod_template_digest,
                    "maxPods": grant.max_pods,
                    "owner": owner
                    and {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid},
                    "authors": list(grant.authors),
                    "authorsUnknown": grant.authors_unknown,
                    "findings": list(grant.findings),
                }
            )
        }
    return {
        "action": {
            "group": grant.group,
            **_given(
                {
                    "verb": grant.verb,
                    "resource": grant.resource,
                    "subresource": grant.subresource,
                    "name": grant.name,
                    "objectDigest": grant.object_digest,
                    "maxUses": grant.max_uses,
                    "findings": list(grant.findings),
                    "parties": list(grant.parties),
                    "partyGroups": list(grant.party_groups),
                }
            ),
        }
    }


def request_json(
    namespace: str,
    name: str,
    grant: WorkloadGrant | ActionGrant,
    *,
    reason: str,
    duration_seconds: int,
    requester: Identity | None = None,
    subject: Subject | None = None,
    labels: Mapping[str, str] | None = None,
) -> Json:
    """An AccessRequest for a permit, to be created, or to be pasted by a person (without requester and subject)."""
    metadata: Json = {"name": name, "namespace": namespace}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "AccessRequest",
        "metadata": {**metadata, **({"labels": dict(labels)} if labels else {})},
        "spec": {
            **({"requester": identity_json(requester)} if requester is not None else {}),
            **({"subject": subject_json(subject)} if subject is not None else {}),
            **grant_json(grant),
            "durationSeconds": duration_seconds,
            "reason": reason,
        },
    }


def _given(fields: Mapping[str, Any]) -> Json:
    """The fields that say something."""
    return {key: value for key, value in fields.items() if value}
