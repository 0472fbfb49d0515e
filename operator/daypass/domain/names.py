"""Names that are part of Daypass's contract with a cluster."""

from typing import Final

GROUP: Final = "daypass.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

LABEL_REQUEST_UID: Final = f"{GROUP}/request-uid"
"""On every object of a grant; only the controller may create or change such objects."""
LABEL_DEAD_MAN: Final = f"{GROUP}/dead-man"
"""Selector of the dead-man Job; pods that carry it are refused (T65)."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "daypass"
ANNOTATION_REQUEST: Final = f"{GROUP}/request"
"""Name of the request, for people; the uid label is what decides."""
ANNOTATION_EXPIRATION: Final = f"{GROUP}/expiration-time"
"""RFC 3339 end of the grant, on the Job, the Role and the RoleBinding."""

SCHEDULING_GATE: Final = f"{GROUP}/approval"
"""Keeps a held pod from being scheduled; only the controller takes it off (T53)."""
LABEL_HELD: Final = f"{GROUP}/held"
"""``true`` on held pods, by which the controller finds them."""
ANNOTATION_HELD_FOR: Final = f"{GROUP}/held-for"
"""On held pods: for what they were held, as a hash (T55); only the controller takes it off."""
MADE_PREFIX: Final = "daypass-"
"""How the names of requests begin that Daypass makes itself; refused from others."""
LABEL_CAUSE: Final = f"{GROUP}/cause"
"""On requests that Daypass made itself: what for, as a hash (T56)."""
ANNOTATION_AUTHORS: Final = f"{GROUP}/authors"
"""On workloads: the usernames of who made or changed it, one a line."""
ANNOTATION_MIRROR: Final = "kubernetes.io/config.mirror"
"""Of the kubelet, on the pods that show its static ones."""
ANNOTATION_DIGEST_ONLY: Final = f"{GROUP}/digest-only"
"""``true`` on a dry run that only asks what a pod would be like: no gate refuses it, and nothing comes of it."""

CONTROLLER: Final = "daypass-controller"
WEBHOOK: Final = "daypass-webhook"
SERVING_SECRET: Final = "daypass-serving"  # noqa: S105 - the name of a Secret, not a secret
SIGNING_SECRET: Final = "daypass-signing"  # noqa: S105
PATHS_SECRET: Final = "daypass-webhook-paths"  # noqa: S105
PUBLIC_KEYS_CONFIG_MAP: Final = "daypass-signing-keys"
MUTATING_CONFIGURATION: Final = "daypass-requests"
VALIDATING_CONFIGURATION: Final = "daypass-validation"
GATES_CONFIGURATION: Final = "daypass-gates"
"""ValidatingWebhookConfiguration, computed from the gates by the controller."""
HOLDS_CONFIGURATION: Final = "daypass-holds"
"""MutatingWebhookConfiguration, computed from the gates that hold."""
GATES_ENDPOINT_CONFIG_MAP: Final = "daypass-gates-endpoint"
"""Where those two call us: entries ``gates`` and ``holds``, each a clientConfig in JSON, written by setup."""

KUBE_SYSTEM: Final = "kube-system"
SYSTEM_PREFIX: Final = "system:"
SERVICE_ACCOUNT_PREFIX: Final = "system:serviceaccount:"
ALL_ACCOUNTS: Final = "system:serviceaccounts"
"""The group of every ServiceAccount; behind a colon, that of those of one namespace."""
AUTHENTICATED: Final = "system:authenticated"
EVERYBODY: Final = (AUTHENTICATED, "system:unauthenticated")
"""The two groups of which every caller is in one."""


def grant_name(request_uid: str) -> str:
    """The name of the Job, Role and RoleBinding of a request: from its uid, never from text (T24)."""
    return f"daypass-{request_uid}"


def service_account_username(namespace: str, name: str) -> str:
    """The username as which the API server authenticates a ServiceAccount."""
    return f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups of every ServiceAccount of a namespace, as the API server authenticates it."""
    return (ALL_ACCOUNTS, f"{ALL_ACCOUNTS}:{namespace}", AUTHENTICATED)
