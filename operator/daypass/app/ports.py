"""What the use cases need of the outside: the API server, time, signatures. ``kube`` and ``signing`` implement it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from daypass.domain.review import Review

Json: TypeAlias = Mapping[str, Any]
"""A Kubernetes object as decoded JSON: parsed by ``api`` before anything is decided on it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """An API resource; ``group`` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version


ACCESS_REQUESTS = Resource("daypass.dev", "v1alpha1", "accessrequests", "AccessRequest")
APPROVAL_POLICIES = Resource("daypass.dev", "v1alpha1", "approvalpolicies", "ApprovalPolicy", namespaced=False)
JOBS = Resource("batch", "v1", "jobs", "Job")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
PODS = Resource("", "v1", "pods", "Pod")
REPLICATION_CONTROLLERS = Resource("", "v1", "replicationcontrollers", "ReplicationController")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob")
WORKLOADS = (REPLICATION_CONTROLLERS, DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, CRON_JOBS, JOBS)
"""The built-in kinds that make pods or what makes pods, by group: those whose authors are stamped."""
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")


class ApiError(Exception):
    """The API server did not do it; ``message`` is its own text, ``code`` its HTTP status (0: no answer)."""

    def __init__(self, message: str, code: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason


class ConflictError(ApiError):
    """409 on a write with a precondition: somebody else was first."""


class AlreadyExistsError(ApiError):
    """409 on create: the name is taken (never adopted, T24)."""


class RefusedError(ApiError):
    """400, 403 or 422: the server understood and said no; trying again changes nothing by itself."""


class GoneError(ApiError):
    """410: the watch must list again."""


class UnavailableError(ApiError):
    """No answer, 401, 429 or 5xx: try again, after ``retry_after_seconds`` where the server asks for that."""

    def __init__(self, message: str, code: int = 0, reason: str = "", retry_after_seconds: float = 0) -> None:
        super().__init__(message, code, reason)
        self.retry_after_seconds = retry_after_seconds


class Objects(Protocol):
    """Reads and writes of single objects, each bounded in time."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        """The object as it is now (a live read), or None when there is none."""
        ...

    async def create(self, resource: Resource, body: Json, namespace: str = "") -> Json:
        """POST; raises AlreadyExistsError."""
        ...

    async def replace(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        """PUT; the body's resourceVersion is the precondition."""
        ...

    async def merge_patch(
        self, resource: Resource, name: str, patch: Json, namespace: str = "", subresource: str = ""
    ) -> Json:
        """RFC 7386; a resourceVersion in ``patch.metadata`` is a precondition."""
        ...

    async def delete(self, resource: Resource, name: str, uid: str, namespace: str = "") -> bool:
        """Delete with uid precondition and Background propagation; False when it was gone or is another."""
        ...


class Kinds(Protocol):
    """What the API server serves: for objects whose kind is known only by name."""

    async def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind, as an owner reference names it; None when it is not served. Raises ApiError."""
        ...

    async def of_plural(self, group: str, plural: str) -> Resource | None:
        """A resource in its group's preferred version; None when it is not served. Raises ApiError."""
        ...


class Clock(Protocol):
    """The API server's time (T32)."""

    def now(self) -> datetime:
        """UTC now, corrected by the measured skew."""
        ...


class Verifier(Protocol):
    """Checks signatures of reviews against the published public keys."""

    def genuine(self, review: Review) -> bool:
        """Whether the signature is ours and covers these very fields; unknown key ids are not."""
        ...


class Signer(Protocol):
    """Signs reviews; only the webhook has one."""

    def sign(self, review: Review) -> Review:
        """The review with ``key_id`` and ``signature`` filled in."""
        ...


class Canonical(Protocol):
    """RFC 8785."""

    def __call__(self, document: Json) -> bytes:
        """The one spelling of a JSON document; raises ValueError for what JSON can't hold."""
        ...
