"""What no gate may name, because the cluster, or Daypass itself, could not run behind it (T45)."""

from dataclasses import dataclass
from typing import Final

from daypass.domain import globs, names

UNGATED_GROUPS: Final = frozenset({"system:bootstrappers", "system:masters", "system:nodes"})
"""Groups of callers without whom a cluster that has broken can't be mended, and no node joins it."""
COMPONENT_PREFIXES: Final = ("system:kube-", "system:node:", "system:bootstrap:", "system:bootstrappers:")
"""Of users and groups: components, nodes, and what is about to become a node."""
UNGATED_API_GROUPS: Final = frozenset(
    {
        "*",
        names.GROUP,
        "admissionregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "events.k8s.io",
    }
)
"""Of the last five every component makes many calls in a second, the API server asks them itself at admission, or a node
gets its certificate by them."""
UNGATED_CORE: Final = frozenset({"events", "nodes", "secrets"})
"""Resources of the core group; of Secrets the chart forbids webhooks at all, for we would be shown them."""
CONNECTED: Final = frozenset({"pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"})
"""What admission sees as CONNECT, though RBAC calls it create or get."""

_COMPONENTS: Final = (
    *sorted(UNGATED_GROUPS),
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-proxy",
    "system:kube-scheduler",
    "system:node:a",
    "system:bootstrap:a",
    "system:bootstrappers:a",
    "system:bootstrappers:kubeadm:default-node-token",
)


def names_component(name: str) -> bool:
    """Whether the name of a user or group is that of nodes, of a component of the cluster or of its last administrators."""
    return name in UNGATED_GROUPS or name.startswith(COMPONENT_PREFIXES)


def covers_component(pattern: str) -> bool:
    """Whether a glob over users or groups covers one of those."""
    return names_component(pattern) or any(globs.matches(pattern, name) for name in _COMPONENTS)


def is_ungated_core(resource: str) -> bool:
    """Whether a resource of the core group can't be gated, its subresources included where they are the node's."""
    return resource in UNGATED_CORE or resource.startswith("nodes/")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where Daypass is installed, and where nothing is ever granted: what no gate covers."""

    own_namespace: str = "daypass-system"
    never: frozenset[str] = frozenset()
    """Besides kube-system and our own."""

    @property
    def namespaces(self) -> frozenset[str]:
        """All in which nothing is granted, and so nothing gated: without what runs there nobody could mend anything."""
        return self.never | {names.KUBE_SYSTEM, self.own_namespace}

    def ungated(self, namespace: str) -> str:
        """Why a namespace can't be gated, as a sentence about it; empty where it can."""
        if namespace == names.KUBE_SYSTEM:
            return f"{namespace} can't be gated: the cluster needs it to run"
        if namespace == self.own_namespace:
            return f"{namespace} can't be gated: Daypass itself runs there"
        if namespace in self.never:
            return f"{namespace} can't be gated: nothing is ever granted there, so nobody could approve anything"
        return ""


DEFAULT_BOUNDS: Final = Bounds()
"""Of an installation that says nothing else."""
