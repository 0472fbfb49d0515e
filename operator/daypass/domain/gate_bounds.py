"""What no gate may name, because the cluster, or Daypass itself, could not run behind it (T45)."""

from typing import Final

from daypass.domain import globs, names

UNGATED_GROUPS: Final = frozenset({"system:masters", "system:nodes"})
"""Groups of callers without whom a cluster that has broken can't be mended."""
UNGATED_API_GROUPS: Final = frozenset(
    {
        "*",
        names.GROUP,
        "admissionregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "coordination.k8s.io",
        "events.k8s.io",
    }
)
"""Of the last four every component makes many calls in a second, or the API server asks them itself at admission."""
UNGATED_CORE: Final = frozenset({"events", "nodes", "secrets"})
"""Resources of the core group; of Secrets the chart forbids webhooks at all, for we would be shown them."""
CONNECTED: Final = frozenset({"pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"})
"""What admission sees as CONNECT, though RBAC calls it create or get."""

_COMPONENT_PREFIXES: Final = ("system:kube-", "system:node:")
_COMPONENTS: Final = (
    *UNGATED_GROUPS,
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-proxy",
    "system:kube-scheduler",
)


def is_component(name: str) -> bool:
    """Whether a user or group is a node, a component of the cluster or its last administrator."""
    return name in _COMPONENTS or name.startswith(_COMPONENT_PREFIXES)


def covers_component(pattern: str) -> bool:
    """Whether a glob over users or groups covers one of those."""
    return is_component(pattern) or any(globs.matches(pattern, name) for name in (*_COMPONENTS, "system:node:n"))


def is_ungated_core(resource: str) -> bool:
    """Whether a resource of the core group can't be gated, its subresources included where they are the node's."""
    return resource in UNGATED_CORE or resource.startswith("nodes/")
