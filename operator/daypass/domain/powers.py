"""The table behind risk: which permissions are more than they look, and why.

Sources: the RBAC good practices of the Kubernetes documentation, KEP-5284 (constrained impersonation), and what was
seen of the built-in ``edit`` and ``admin`` (T27, T28).
"""

from dataclasses import dataclass
from typing import Final

from daypass.domain import names
from daypass.domain.policy import RiskLevel


@dataclass(frozen=True, slots=True)
class Power:
    """What some verbs on one resource let their holder do; ``*`` in verbs means any."""

    level: RiskLevel
    group: str
    resource: str
    verbs: frozenset[str]
    text: str


_C, _H = RiskLevel.CRITICAL, RiskLevel.HIGH
_ANY: Final = "*"
_CREATE: Final = "create"
_WRITE: Final = "create update patch"
_READ: Final = "get list watch"
_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_ADMISSION_POLICIES: Final = (
    "validatingadmissionpolicies validatingadmissionpolicybindings "
    "mutatingadmissionpolicies mutatingadmissionpolicybindings"
)
_CERTIFICATES: Final = "certificates.k8s.io"

_TABLE: Final[tuple[tuple[RiskLevel, str, str, str, str], ...]] = (
    # Becoming somebody else.
    (_C, "", "serviceaccounts/token", _CREATE, "may mint tokens of ServiceAccounts"),
    (_C, "", "users groups serviceaccounts", "impersonate", "may impersonate others"),
    (_C, "authentication.k8s.io", "uids", "impersonate", "may impersonate others"),
    (_C, _CERTIFICATES, "certificatesigningrequests/approval", "update patch", "may approve certificates"),
    (_C, _CERTIFICATES, "certificatesigningrequests/status", "update patch", "may issue certificates"),
    (_C, _CERTIFICATES, "signers", "approve sign attest", "may approve certificates"),
    # Access that outlives the grant (T28).
    (_C, _RBAC, "rolebindings clusterrolebindings", _WRITE, "may bind roles, which outlives the grant"),
    (_C, _RBAC, "roles clusterroles", _WRITE, "may write roles, which outlives the grant"),
    (_C, _RBAC, "roles clusterroles", "escalate", "may escalate: write roles beyond its own permissions"),
    (_C, _RBAC, "roles clusterroles", "bind", "may bind roles beyond its own permissions"),
    (_C, "", "secrets", _CREATE, "may create token Secrets, which outlive the grant"),
    (_C, "batch", "cronjobs", _WRITE, "may schedule CronJobs, which outlive the grant"),
    # What every call passes through.
    (_C, _ADMISSION, "mutatingwebhookconfigurations validatingwebhookconfigurations", _WRITE, "may set up webhooks"),
    (
        _C,
        _ADMISSION,
        _ADMISSION_POLICIES,
        f"{_WRITE} delete deletecollection",
        "may change admission policies",
    ),
    (
        _C,
        _ADMISSION,
        "mutatingwebhookconfigurations validatingwebhookconfigurations",
        "delete deletecollection",
        "may remove webhooks",
    ),
    (_C, "apiregistration.k8s.io", "apiservices", _WRITE, "may take over an API"),
    (_C, "apiextensions.k8s.io", "customresourcedefinitions", f"{_WRITE} delete deletecollection", "may change APIs"),
    (_C, names.GROUP, "approvalpolicies", f"{_WRITE} delete deletecollection", "may change approval policies"),
    # By accessrequests/status alone one's own requests are released, and nothing else: every other review takes this verb.
    (_C, names.GROUP, "accessrequests", "approve", "may review access requests"),
    # Nodes.
    (_C, "", "nodes/proxy", _ANY, "may run commands through the kubelet, past admission and audit"),
    (_H, "", "nodes", f"{_WRITE} delete deletecollection", "may change nodes"),
    (_H, "", "nodes/status", "update patch", "may change nodes"),
    (_H, "", "persistentvolumes", _WRITE, "may make volumes, host paths included"),
    # Secrets and running containers.
    (_H, "", "secrets", _READ, "may read Secrets"),
    (_H, "", "secrets", "update patch", "may change Secrets"),
    (_H, "", "pods/exec", "get create", "may run commands in containers"),
    (_H, "", "pods/attach", "get create", "may attach to containers"),
    (_H, "", "pods/portforward", "get create", "may reach ports of pods past network policies"),
    (_H, "", "pods/ephemeralcontainers", "update patch", "may add containers to running pods"),
    (_H, "", "pods/proxy services/proxy", _ANY, "may reach ports of pods past network policies"),
    # A workload runs as any ServiceAccount of its namespace and mounts any of its Secrets.
    (_H, "", "pods replicationcontrollers", _WRITE, "may run workloads as other ServiceAccounts"),
    (
        _H,
        "apps",
        "deployments daemonsets statefulsets replicasets",
        _WRITE,
        "may run workloads as other ServiceAccounts",
    ),
    (_H, "extensions", "deployments daemonsets replicasets", _WRITE, "may run workloads as other ServiceAccounts"),
    (_H, "batch", "jobs", _WRITE, "may run workloads as other ServiceAccounts"),
    (_H, "", "podtemplates", _WRITE, "may run workloads as other ServiceAccounts"),
    (_H, "", "namespaces", _WRITE, "may change namespaces, their Pod Security labels included"),
    (_H, "security.openshift.io", "securitycontextconstraints", "use", "may use security context constraints"),
)


def _by_resource() -> dict[str, tuple[Power, ...]]:
    powers: dict[str, tuple[Power, ...]] = {}
    for level, group, resources, verbs, text in _TABLE:
        for resource in resources.split():
            power = Power(level, group, resource, frozenset(verbs.split()), text)
            powers[resource] = (*powers.get(resource, ()), power)
    return powers


POWERS: Final = _by_resource()
"""By resource, so that judging a rule costs one look-up for each resource that it names."""
