"""Between the contents of a grant's objects and their manifests.

What is compared is what was parsed back from the API server, so that defaults and the edits of others are seen alike:
anything that a parser here doesn't understand makes the content unequal, never equal.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from daypass.api.convert import rule_json, rules_from
from daypass.api.malformed import MalformedError
from daypass.app.ports import ACCESS_REQUESTS, JOBS, ROLE_BINDINGS, ROLES, Json, Resource
from daypass.domain import names
from daypass.domain.grants import (
    BindingContent,
    Found,
    FoundBinding,
    FoundJob,
    FoundRole,
    GrantKind,
    JobContent,
    RoleContent,
    SubjectReference,
    Tag,
)
from daypass.domain.permissions import RoleReference
from daypass.domain.request import Request
from daypass.domain.times import moment_from, rfc3339

RBAC_GROUP: Final = "rbac.authorization.k8s.io"
RESOURCES: Final[Mapping[GrantKind, Resource]] = {
    GrantKind.JOB: JOBS,
    GrantKind.ROLE: ROLES,
    GrantKind.BINDING: ROLE_BINDINGS,
}
UNUSED_IMAGE: Final = "pause"
"""Never pulled: no pod is ever made. A Job's template must name an image."""


def job_manifest(request: Request, tag: Tag, deadline_seconds: int) -> dict[str, Any]:
    """The dead-man Job: it makes no pod, and Kubernetes deletes it, and what hangs on it, at its deadline.

    Its selector is a label of its own, so that no pod of others is adopted (T65). The template satisfies Restricted,
    because admission looks at it though it is never used.
    """
    own = {names.LABEL_DEAD_MAN: request.uid}
    container = {
        "name": "none",
        "image": UNUSED_IMAGE,
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1m", "memory": "1Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {
        **_head(JOBS, request, tag, (ACCESS_REQUESTS, request.name)),
        "spec": {
            **job_settings(deadline_seconds),
            "backoffLimit": 0,
            "manualSelector": True,
            "selector": {"matchLabels": own},
            "template": {"metadata": {"labels": own}, "spec": pod},
        },
    }


def job_settings(deadline_seconds: int) -> dict[str, Any]:
    """What of a Job's spec can be put back when somebody changed it."""
    return {
        "parallelism": 0,
        "suspend": False,
        "activeDeadlineSeconds": deadline_seconds,
        "ttlSecondsAfterFinished": 0,
    }


def role_manifest(request: Request, content: RoleContent) -> dict[str, Any]:
    """The Role of a ``rules`` request."""
    head = _head(ROLES, request, content.tag, (JOBS, names.grant_name(request.uid)))
    return {**head, "rules": [rule_json(rule) for rule in content.rules]}


def binding_manifest(request: Request, content: BindingContent) -> dict[str, Any]:
    """The RoleBinding: one subject, one role."""
    head = _head(ROLE_BINDINGS, request, content.tag, (JOBS, names.grant_name(request.uid)))
    role = {"apiGroup": RBAC_GROUP, "kind": content.role.kind, "name": content.role.name}
    return {**head, "roleRef": role, "subjects": [_subject(subject) for subject in content.subjects]}


def metadata_of(request: Request, tag: Tag, owner: tuple[Resource, str]) -> dict[str, Any]:
    """Name, labels, annotations and the one owner of an object of a grant."""
    resource, name = owner
    return {
        "name": names.grant_name(request.uid),
        "namespace": request.namespace,
        "labels": {names.LABEL_REQUEST_UID: tag.request_uid, names.LABEL_MANAGED_BY: names.MANAGED_BY},
        "annotations": {
            names.ANNOTATION_REQUEST: tag.request_name,
            names.ANNOTATION_EXPIRATION: "" if tag.expiration is None else rfc3339(tag.expiration),
        },
        "ownerReferences": [
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": name,
                "uid": tag.owner_uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def _head(resource: Resource, request: Request, tag: Tag, owner: tuple[Resource, str]) -> dict[str, Any]:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata_of(request, tag, owner),
    }


def _subject(subject: SubjectReference) -> dict[str, str]:
    if subject.kind == "ServiceAccount":
        return {"kind": subject.kind, "namespace": subject.namespace, "name": subject.name}
    return {"kind": subject.kind, "apiGroup": RBAC_GROUP, "name": subject.name}


def job_from(body: Json) -> FoundJob:
    """A labelled Job as it is."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    uid = _labels(body["metadata"]).get(names.LABEL_REQUEST_UID, "")
    own = {names.LABEL_DEAD_MAN: uid}
    template = (spec.get("template") or {}).get("metadata") or {}
    armed = (
        spec.get("parallelism") == 0
        and not spec.get("suspend")
        and spec.get("ttlSecondsAfterFinished") == 0
        and not spec.get("managedBy")
    )
    shaped = (
        spec.get("manualSelector") is True
        and spec.get("selector") == {"matchLabels": own}
        and template.get("labels") == own
    )
    deadline = spec.get("activeDeadlineSeconds")
    conditions = status.get("conditions") or []
    return FoundJob(
        _found(body["metadata"]),
        JobContent(_tag(body["metadata"], ACCESS_REQUESTS), armed, shaped),
        created=_created(body["metadata"]),
        deadline_seconds=deadline if isinstance(deadline, int) else None,
        started=moment_from(status.get("startTime")),
        finished=any(
            condition.get("type") in {"Failed", "Complete"} and condition.get("status") == "True"
            for condition in conditions
        ),
    )


def role_from(body: Json) -> FoundRole:
    """A labelled Role as it is; rules that can't be understood are no rules, and so never equal."""
    try:
        rules = rules_from(body.get("rules") or [])
    except MalformedError:
        rules = ()
    return FoundRole(_found(body["metadata"]), RoleContent(_tag(body["metadata"], JOBS), rules))


def binding_from(body: Json) -> FoundBinding:
    """A labelled RoleBinding as it is."""
    reference = body.get("roleRef") or {}
    role = RoleReference(str(reference.get("kind", "")), str(reference.get("name", "")))
    subjects = tuple(
        SubjectReference(str(one.get("kind", "")), str(one.get("name", "")), str(one.get("namespace", "")))
        for one in body.get("subjects") or []
    )
    return FoundBinding(_found(body["metadata"]), BindingContent(_tag(body["metadata"], JOBS), role, subjects))


def _found(metadata: Mapping[str, Any]) -> Found:
    return Found(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        deleting="deletionTimestamp" in metadata,
    )


def _created(metadata: Mapping[str, Any]) -> datetime:
    created = moment_from(metadata.get("creationTimestamp"))
    if created is None:
        message = f"{metadata['name']} has no creationTimestamp"
        raise ValueError(message)
    return created


def _labels(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    return metadata.get("labels") or {}


def _tag(metadata: Mapping[str, Any], owner: Resource) -> Tag:
    annotations = metadata.get("annotations") or {}
    return Tag(
        request_uid=_labels(metadata).get(names.LABEL_REQUEST_UID, ""),
        request_name=annotations.get(names.ANNOTATION_REQUEST, ""),
        expiration=moment_from(annotations.get(names.ANNOTATION_EXPIRATION)),
        owner_uid=_owner_uid(metadata, owner),
        managed=_labels(metadata).get(names.LABEL_MANAGED_BY) == names.MANAGED_BY and not metadata.get("finalizers"),
    )


def _owner_uid(metadata: Mapping[str, Any], owner: Resource) -> str:
    references = metadata.get("ownerReferences") or []
    if len(references) != 1:
        return ""
    reference = references[0]
    fits = (reference.get("apiVersion"), reference.get("kind"), reference.get("controller")) == (
        owner.api_version,
        owner.kind,
        True,
    )
    return str(reference.get("uid", "")) if fits else ""
