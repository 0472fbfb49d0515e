"""The objects of a request and its grant as the controller and the webhook would write them, and one wrong thing each."""

import uuid
from typing import Any

from bed import Bed

Json = dict[str, Any]

CONTROLLER = "daypass-system/daypass-controller"
WEBHOOK = "daypass-system/daypass-webhook"
SETUP = "daypass-system/daypass-setup"
DIGEST = "a" * 64
EXPIRATION = "2099-01-01T00:00:00Z"
RBAC = "rbac.authorization.k8s.io"


def user_groups(user: str) -> list[str]:
    """The groups with which the API server authenticates the bed's people."""
    groups = {"alice": ["developers"], "erin": ["developers"], "admin": ["system:masters"]}
    return [*groups.get(user, ["approvers"]), "system:authenticated"]


def a_request(namespace: str, username: str = "alice", name: str = "", **spec: object) -> Json:
    """A request as the webhook leaves it: requester and subject filled in."""
    requester: Json = {"username": username, "groups": user_groups(username)}
    stated: Json = {
        "requester": requester,
        "subject": {"kind": "User", "name": username},
        "role": {"kind": "ClusterRole", "name": "view"},
        "durationSeconds": 600,
        "reason": "to see it work",
    }
    metadata = {"name": name or f"request-{uuid.uuid4().hex[:8]}", "namespace": namespace}
    return {
        "apiVersion": "daypass.dev/v1alpha1", "kind": "AccessRequest", "metadata": metadata, "spec": {**stated, **spec}
    }  # fmt: skip


def a_review(request: Json, author: Json, **changes: object) -> Json:
    """An entry of status.reviews as the webhook makes it of a review; the signature is only there."""
    entry = {
        "version": 1,
        "requestUID": request["metadata"]["uid"],
        "digest": DIGEST,
        "digestConfirmed": False,
        "decision": "Approve",
        "comment": "",
        "reviewer": author,
        "time": "2026-01-01T00:00:00Z",
        "keyID": "0" * 16,
        "signature": "c2lnbmVk",
    }
    return {**entry, **changes}


def a_person(bed: Bed, user: str) -> Json:
    """One of the bed's users as a reviewer: what the API server knows of them, ``extra`` included."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = bed.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, user=user)
    return dict(answer.json["status"]["userInfo"])


def a_dead_man(uid: str, namespace: str, **spec: object) -> Json:
    """The Job on which a grant hangs; ``spec`` overrides fields, None takes one out."""
    stated: Json = {
        "parallelism": 0,
        "activeDeadlineSeconds": 600,
        "ttlSecondsAfterFinished": 0,
        "manualSelector": True,
        "selector": {"matchLabels": {"daypass.dev/dead-man": uid}},
        "template": a_template(uid),
        **spec,
    }
    body = _grant_object("batch/v1", "Job", uid, namespace)
    owner = {"apiVersion": "daypass.dev/v1alpha1", "kind": "AccessRequest", "name": "request", "uid": uid}
    body["metadata"]["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": False}]
    return {**body, "spec": {key: value for key, value in stated.items() if value is not None}}


def a_template(uid: str) -> Json:
    """A pod template that satisfies Restricted and never becomes a pod."""
    container = {
        "name": "none",
        "image": "none",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "metadata": {"labels": {"daypass.dev/dead-man": uid}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }


def a_binding(uid: str, namespace: str, job_uid: str = "", **changes: object) -> Json:
    """The RoleBinding of a grant: ClusterRole view for alice."""
    body = _grant_object(f"{RBAC}/v1", "RoleBinding", uid, namespace)
    body["metadata"]["ownerReferences"] = [_job_owner(uid, job_uid)]
    body["subjects"] = [{"kind": "User", "apiGroup": RBAC, "name": "alice"}]
    body["roleRef"] = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    return {**body, **changes}


def a_role(uid: str, namespace: str, *rules: Json) -> Json:
    """The Role of a grant of rules."""
    body = _grant_object(f"{RBAC}/v1", "Role", uid, namespace)
    body["metadata"]["ownerReferences"] = [_job_owner(uid, "")]
    return {**body, "rules": list(rules)}


def path_of(kind: str, namespace: str, name: str = "", subresource: str = "") -> str:
    """The API's path of a collection or an object of ours or of a grant's."""
    groups = {"jobs": "batch/v1", "accessrequests": "daypass.dev/v1alpha1"}
    group = "api/v1" if kind in ("pods", "secrets", "configmaps") else f"apis/{groups.get(kind, f'{RBAC}/v1')}"
    return "/" + "/".join(part for part in (group, "namespaces", namespace, kind, name, subresource) if part)


def store(bed: Bed, request: Json, digest: str = DIGEST) -> Json:
    """Create a request as its requester, with the digest that the controller would have written."""
    namespace, name = request["metadata"]["namespace"], request["metadata"]["name"]
    user = request["spec"]["requester"]["username"]
    answer = bed.request("POST", path_of("accessrequests", namespace), request, user=user)
    assert answer.status == 201, answer.message
    path = path_of("accessrequests", namespace, name, "status")
    answer = bed.request("PATCH", path, {"status": {"digest": digest}}, user=CONTROLLER)
    assert answer.status == 200, answer.message
    return dict(answer.json)


def grant(bed: Bed, namespace: str, **spec: object) -> tuple[Json, Json]:
    """A request with its Job and binding, all as the controller makes them; returns Job and binding."""
    request = store(bed, a_request(namespace))
    uid = request["metadata"]["uid"]
    body = a_dead_man(uid, namespace, **spec)
    body["metadata"]["ownerReferences"][0]["name"] = request["metadata"]["name"]
    job = bed.request("POST", path_of("jobs", namespace), body, user=CONTROLLER)
    assert job.status == 201, job.message
    body = a_binding(uid, namespace, job.json["metadata"]["uid"])
    binding = bed.request("POST", path_of("rolebindings", namespace), body, user=CONTROLLER)
    assert binding.status == 201, binding.message
    return dict(job.json), dict(binding.json)


def _grant_object(api_version: str, kind: str, uid: str, namespace: str) -> Json:
    metadata = {
        "name": f"daypass-{uid}",
        "namespace": namespace,
        "labels": {"daypass.dev/request-uid": uid, "app.kubernetes.io/managed-by": "daypass"},
        "annotations": {"daypass.dev/request": "request", "daypass.dev/expiration-time": EXPIRATION},
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _job_owner(uid: str, job_uid: str) -> Json:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": f"daypass-{uid}", "uid": job_uid or str(uuid.uuid4())}
    return {**owner, "controller": True, "blockOwnerDeletion": False}
