"""Which workloads and operations need an approved request: the model of ``spec.gate``."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from daypass.api import fields
from daypass.api.policy_grants import CONNECT_IS_A_VERB, CONNECT_NEEDS_A_SUBRESOURCE, ActionVerb
from daypass.api.policy_match import (
    ACCOUNTS_BY_NAME_ALONE,
    NAMESPACE_ONLY_FOR_ACCOUNTS,
    NO_SYSTEM_USERS,
    LabelKey,
    LabelValue,
)
from daypass.api.schema import OpenObject, Rule, atomic
from daypass.domain import gate_bounds

_NAMESPACES: Final = (
    "Namespaces that the gate looks at, or globs over them. Default: those of match.namespaces, and if that is not"
    " given either, every namespace. kube-system and Daypass's own are never looked at."
)
_REQUEST: Final = (
    "Whether Daypass makes the request itself when it refuses, so that an approver only has to answer. Default: the"
    " refusal shows the request, ready to paste."
)

_NOT_KUBE_SYSTEM: Final = Rule(
    "self != 'kube-system'",
    "kube-system can't be gated: the cluster needs it to run",
    lambda namespace: namespace != "kube-system",
)
_NO_COMPONENTS: Final = Rule(
    "self.kind != 'Group' || !(self.name in ["
    + ", ".join(f"'{group}'" for group in sorted(gate_bounds.UNGATED_GROUPS))
    + "]) && "
    + " && ".join(f"!self.name.startsWith('{prefix}')" for prefix in gate_bounds.COMPONENT_PREFIXES),
    "nodes, components of the cluster and system:masters can't be gated: name the agents, or a group of theirs",
    lambda one: one.kind != "Group" or not gate_bounds.names_component(one.name),
)
_NOT_OF_KUBE_SYSTEM: Final = Rule(
    "self.kind != 'ServiceAccount' || !has(self.__namespace__) || self.__namespace__ != 'kube-system'",
    "ServiceAccounts of kube-system can't be gated: the cluster needs them to run",
    lambda one: one.kind != "ServiceAccount" or one.namespace != "kube-system",
)
_GATEABLE_GROUP: Final = Rule(
    "!(self in [" + ", ".join(f"'{group}'" for group in sorted(gate_bounds.UNGATED_API_GROUPS)) + "])",
    "operations on this API group can't be gated: the cluster, and Daypass itself, need them to run",
    lambda group: group not in gate_bounds.UNGATED_API_GROUPS,
)
_CORE: Final = ", ".join(f"'{resource}'" for resource in sorted(gate_bounds.UNGATED_CORE))
_BINDINGS: Final = ("rolebindings", "clusterrolebindings")


GateNamespace = Annotated[str, *fields.bounded(63, fields.NAMESPACE_GLOB, _NOT_KUBE_SYSTEM, least=1)]
GatedGroup = Annotated[str, *fields.bounded(253, fields.API_GROUP, _GATEABLE_GROUP)]


class GatedIdentity(OpenObject):
    """A user, a ServiceAccount or a group. In name and namespace, * stands for any characters but a colon."""

    kind: Literal["User", "Group", "ServiceAccount"] = Field(
        description="User, ServiceAccount, or Group for all callers that the API server counts in it."
    )
    name: fields.Principal = Field(description="Name, or a glob over names.")
    namespace: fields.NamespaceGlob | None = Field(
        default=None,
        description="Namespace of the ServiceAccount, or a glob over namespaces. Default: the namespace of the object"
        " that is looked at; any, where that is of the whole cluster.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        NAMESPACE_ONLY_FOR_ACCOUNTS,
        ACCOUNTS_BY_NAME_ALONE,
        NO_SYSTEM_USERS,
        _NO_COMPONENTS,
        _NOT_OF_KUBE_SYSTEM,
    )


class BindingSubject(OpenObject):
    """Whom a RoleBinding names. In name and namespace, * stands for any characters but a colon."""

    kind: Literal["User", "Group", "ServiceAccount"] = Field(description="Kind of the subject.")
    name: fields.Principal = Field(description="Name, or a glob over names.")
    namespace: fields.NamespaceGlob | None = Field(
        default=None,
        description="Namespace of the ServiceAccount, or a glob over namespaces. Default: the namespace of the"
        " RoleBinding; any, in a ClusterRoleBinding.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (NAMESPACE_ONLY_FOR_ACCOUNTS, ACCOUNTS_BY_NAME_ALONE, NO_SYSTEM_USERS)


class OwnerKind(OpenObject):
    """A kind of object that owns pods."""

    group: fields.GroupOfResource = Field(description='API group of the kind, such as batch; "" is the core group.')
    kind: fields.Kind = Field(description="The kind, such as Job.")


class WorkloadGate(OpenObject):
    """Which pods need an approved request: those of agents that use one of the privileges."""

    namespaces: list[GateNamespace] | None = Field(default=None, **atomic(64, 1), description=_NAMESPACES)
    agents: list[GatedIdentity] | None = Field(
        default=None,
        **atomic(64, 1),
        description="A pod is looked at if one of these is its ServiceAccount, creates it, or made or changed the"
        " workload that it belongs to. Default: every pod of the namespaces.",
    )
    owner_kinds: list[OwnerKind] | None = Field(
        default=None,
        **atomic(32, 1),
        description="Beside the pods of agents, pods are looked at of which one of the owners, or of theirs, is of one of"
        " these kinds, whether it controls them or not.",
    )
    pod_labels: dict[LabelKey, LabelValue] = Field(
        default={},
        max_length=32,
        description="Beside the pods of agents, pods that carry all of these labels are looked at. Whoever makes a"
        " pod chooses its labels, so nothing should depend on these alone.",
    )
    privileges: list[fields.PrivilegePattern] = Field(
        **atomic(64, 1),
        description="What needs an approval: names of the Pod Security Standards' controls, such as HostNamespaces or"
        " HostPathVolumes:/var/*, those that Daypass adds (ServiceAccountPower, SecretMount, TokenMount, Devices,"
        " VolumeClaims), or a profile, Baseline or Restricted.",
    )
    on_missing: Literal["Deny", "Hold"] = Field(
        default="Deny",
        description="Deny refuses a pod that no approved request covers. Hold lets it in but not be scheduled, and makes"
        " the request: once that is approved, the pod goes on by itself. Default: Deny.",
    )
    request: bool = Field(default=False, description=_REQUEST + " Hold always makes it.")


class ActionGate(OpenObject):
    """Operations by verb, API group, resource, name and caller."""

    namespaces: list[GateNamespace] | None = Field(
        default=None,
        **atomic(64, 1),
        description=_NAMESPACES + " Objects of the whole cluster are always looked at.",
    )
    verbs: list[ActionVerb] = Field(
        **atomic(4, 1),
        description="What is done: create, update (which includes patch), delete, or connect (exec, attach,"
        " port-forward, proxy).",
    )
    groups: list[GatedGroup] = Field(
        **atomic(16, 1), description='API groups of the resources; "" is the core group. There is no wildcard.'
    )
    resources: list[fields.Resource] = Field(
        **atomic(32, 1),
        description="Resources in the plural, with a subresource after a slash, such as persistentvolumeclaims or"
        " pods/exec. There is no wildcard.",
    )
    names: list[fields.ObjectNameGlob] | None = Field(
        default=None, **atomic(64, 1), description="Names of the objects, or globs over them. Default: every name."
    )
    by: list[GatedIdentity] | None = Field(
        default=None,
        **atomic(64, 1),
        description="Whose operations need an approval. Default: everybody's, but for the components of the cluster.",
    )
    binding_subjects: list[BindingSubject] | None = Field(
        default=None,
        **atomic(64, 1),
        description="Only RoleBindings and ClusterRoleBindings that name one of these, however they spell it."
        " Default: any.",
    )
    request: bool = Field(default=False, description=_REQUEST)

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!('' in self.groups) || self.resources.all(one, !(one in [{_CORE}]) && !one.startsWith('nodes/'))",
            "nodes, events and secrets can't be gated: the cluster needs them to run, and Daypass must not see Secrets",
            lambda gate: "" not in gate.groups or not any(map(gate_bounds.is_ungated_core, gate.resources)),
        ),
        CONNECT_IS_A_VERB,
        CONNECT_NEEDS_A_SUBRESOURCE,
        Rule(
            "!has(self.bindingSubjects) || self.groups == ['rbac.authorization.k8s.io']"
            " && self.resources.all(one, one in ['rolebindings', 'clusterrolebindings'])",
            "bindingSubjects goes with groups: [rbac.authorization.k8s.io] and resources rolebindings and"
            " clusterrolebindings alone: nothing else has subjects",
            lambda gate: (
                gate.binding_subjects is None
                or (gate.groups == ["rbac.authorization.k8s.io"] and set(_BINDINGS).issuperset(gate.resources))
            ),
        ),
    )


class Gate(OpenObject):
    """Which workloads and operations need an approved request."""

    mode: Literal["Enforce", "Warn", "Audit"] = Field(
        default="Enforce",
        description="What happens to what no approved request covers. Enforce stops it. Warn lets it pass and warns the"
        " caller. Audit lets it pass and only records it, in the audit log and in metrics. Default: Enforce.",
    )
    workloads: WorkloadGate | None = Field(default=None, description="Which pods need an approved request.")
    actions: list[ActionGate] | None = Field(
        default=None,
        **atomic(16, 1),
        description="Operations that need an approved request: those that fit any of these entries.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.workloads) || has(self.actions)",
            "a gate must say which workloads or actions need an approved request",
            lambda gate: bool(gate.parts),
        ),
    )

    @property
    def parts(self) -> tuple["WorkloadGate | ActionGate", ...]:
        """Each part that has namespaces of its own."""
        return (*([self.workloads] if self.workloads else []), *(self.actions or ()))


class GrantTerms(OpenObject):
    """What an Allow policy says of the access itself."""

    on_expiry: Literal["Keep", "Evict"] = Field(
        default="Keep",
        description="What becomes of the pods that were admitted under a request when it ends: Keep lets them run on,"
        " Evict evicts them. Default: Keep.",
    )
