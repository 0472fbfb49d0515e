"""What may be asked for under a policy: the model of ``spec.match.grants``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from daypass.api import fields
from daypass.api.schema import OpenObject, Rule, atomic
from daypass.domain import gate_bounds

_MEANT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "patch": "update, which includes patch",
        "deletecollection": "delete, which includes deletecollection",
        **dict.fromkeys(("exec", "attach", "portforward", "proxy"), "connect"),
    }
)
_READING: Final = frozenset({"get", "list", "watch"})


def _no_verb_of_rbac(verb: object) -> object:
    """Say which verb of admission was meant by one of RBAC; all else is judged by the list of verbs."""
    meant = _MEANT.get(verb) if isinstance(verb, str) else None
    kind, text = "verb", "{verb} is {meant}"
    if meant is not None:
        raise PydanticCustomError(kind, text, {"verb": verb, "meant": meant})
    if verb in _READING:
        text = "{verb} only reads: admission is asked about create, update, delete and connect"
        raise PydanticCustomError(kind, text, {"verb": verb})
    return verb


ActionVerb: TypeAlias = Annotated[Literal["create", "update", "delete", "connect"], BeforeValidator(_no_verb_of_rbac)]

CONNECTED: Final = ", ".join(f"'{resource}'" for resource in sorted(gate_bounds.CONNECTED))
"""As a list of CEL holds them."""
CONNECT_IS_A_VERB: Final = Rule(
    f"'connect' in self.verbs || self.resources.all(one, !(one in [{CONNECTED}]))",
    "exec, attach, port-forward and proxy are the verb connect, whatever verb RBAC asks for: add connect to verbs",
    lambda pattern: "connect" in pattern.verbs or not gate_bounds.CONNECTED.intersection(pattern.resources),
)
CONNECT_NEEDS_A_SUBRESOURCE: Final = Rule(
    "self.verbs != ['connect'] || self.resources.all(one, one == '*' || one.contains('/'))",
    "connect goes to a subresource, such as pods/exec",
    lambda pattern: pattern.verbs != ["connect"] or all(one == "*" or "/" in one for one in pattern.resources),
)


class RoleName(OpenObject):
    """A role that may be asked for."""

    kind: Literal["Role", "ClusterRole"] = Field(description="Role or ClusterRole.")
    name: fields.RoleName = Field(description="Name of the role, exactly.")


class RuleBound(OpenObject):
    """Permissions that may be asked for: a request may ask for less, never for more."""

    api_groups: list[fields.ApiGroup] = Field(
        **atomic(16, 1), description='API groups of the resources; "" is the core group, * is every group.'
    )
    resources: list[fields.ResourceName] = Field(
        **atomic(32, 1), description="Resources in the plural, with a subresource after a slash, such as pods/log."
    )
    resource_names: list[fields.ResourceName] = Field(
        default=[], **atomic(32), description="Names of single objects; every object of the resources when empty."
    )
    verbs: list[fields.Verb] = Field(**atomic(16, 1), description="Verbs, such as get, list, watch, patch.")


class WorkloadBound(OpenObject):
    """Privileges that may be asked for: a request may ask for fewer, never for more."""

    privileges: list[fields.PrivilegePattern] = Field(
        **atomic(64, 1),
        description="Privileges by the names of the Pod Security Standards' controls, such as HostNamespaces; with"
        " CONTROL:VALUE only that value, in which * stands for any characters, such as HostPathVolumes:/var/*."
        " The profiles Baseline and Restricted stand for all their controls. In an Allow policy all privileges of a"
        " request must be among these, in a Deny policy one of them.",
    )


class ActionBound(OpenObject):
    """Operations by verb, API group, resource and name."""

    verbs: list[ActionVerb] = Field(
        **atomic(4, 1),
        description="What is done: create, update (which includes patch), delete, or connect (exec, attach,"
        " port-forward, proxy).",
    )
    groups: list[fields.ApiGroup] = Field(
        **atomic(16, 1), description='API groups of the resources; "" is the core group, * is every group.'
    )
    resources: list[fields.ResourceName] = Field(
        **atomic(32, 1),
        description="Resources in the plural, with a subresource after a slash, such as pods/exec; * is every resource.",
    )
    names: list[fields.ObjectNameGlob] | None = Field(
        default=None, **atomic(64, 1), description="Names of the objects, or globs over them. Default: every name."
    )

    rules: ClassVar[tuple[Rule, ...]] = (CONNECT_IS_A_VERB, CONNECT_NEEDS_A_SUBRESOURCE)


class Grants(OpenObject):
    """What may be asked for. What is not listed does not match."""

    roles: list[RoleName] | None = Field(
        default=None, **atomic(64, 1), description="Roles that a request of kind role may name."
    )
    permissions: Annotated[
        list[RuleBound] | None,
        Field(
            alias="rules",
            **atomic(16, 1),
            description="Permissions that cover each rule of a request of kind rules: an upper bound.",
        ),
    ] = None
    workload: WorkloadBound | None = Field(
        default=None, description="What a request for a workload may ask for: privileges of pods."
    )
    actions: list[ActionBound] | None = Field(
        default=None,
        **atomic(16, 1),
        description="What a request for an action may ask for: operations.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.roles) || has(self.rules) || has(self.workload) || has(self.actions)",
            "grants must list roles, rules, workload or actions",
            lambda grants: (grants.roles, grants.permissions, grants.workload, grants.actions) != (None,) * 4,
        ),
    )
