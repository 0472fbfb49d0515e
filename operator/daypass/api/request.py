"""What an AccessRequest asks: the model of its spec."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from daypass.api import fields
from daypass.api.request_permit import Action, Workload
from daypass.api.schema import CheckedObject, Rule, SpecObject, atomic


class Requester(SpecObject):
    """Who created the request, as the API server authenticated them. Filled in at admission; leave it out."""

    username: fields.Username = Field(description="Username of the caller who created the request.")
    uid: fields.Uid = Field(default="", description="Uid of that caller; empty for users of client certificates.")
    groups: list[fields.GroupName] = Field(
        default=[], **atomic(1024), description="Groups of that caller when the request was created."
    )


class Subject(CheckedObject):
    """Who receives the access: one User or one ServiceAccount, never a Group."""

    kind: Literal["User", "ServiceAccount"] = Field(
        description="User for a person or another authenticated client, ServiceAccount for a workload."
    )
    name: fields.Username = Field(description="The username, or the name of the ServiceAccount.")
    namespace: fields.NamespaceName | None = Field(
        default=None, description="Namespace of the ServiceAccount; not given for a User."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.kind != 'ServiceAccount' || has(self.__namespace__)",
            "a ServiceAccount needs its namespace",
            lambda subject: subject.kind != "ServiceAccount" or subject.namespace is not None,
        ),
        Rule(
            "self.kind != 'User' || !has(self.__namespace__)",
            "a User has no namespace; for a workload use kind ServiceAccount",
            lambda subject: subject.kind != "User" or subject.namespace is None,
        ),
        Rule(
            "self.kind != 'User' || !self.name.startsWith('system:')",
            "a User must not start with system: (for a ServiceAccount use kind ServiceAccount, namespace and name)",
            lambda subject: subject.kind != "User" or not subject.name.startswith("system:"),
        ),
        Rule(
            f"self.kind != 'ServiceAccount' || {fields.SUBDOMAIN.expression.replace('self', 'self.name')}",
            f"the name of a ServiceAccount {fields.SUBDOMAIN.message}",
            lambda subject: subject.kind != "ServiceAccount" or fields.SUBDOMAIN.allows(subject.name),
        ),
    )


class RoleReference(SpecObject):
    """An existing role, bound in the request's namespace for as long as the grant lasts."""

    kind: Literal["Role", "ClusterRole"] = Field(
        description="Role for one of the request's namespace, ClusterRole for one of the cluster."
        " Either way it is bound in the request's namespace only."
    )
    name: fields.RoleName = Field(description="Name of the Role or ClusterRole.")


class PolicyRule(SpecObject):
    """Exact permissions: every verb on every resource named here. apiGroups, resources and verbs are needed."""

    api_groups: list[fields.ApiGroup] = Field(
        **atomic(16, 1), description='API groups of the resources; "" is the core group.'
    )
    resources: list[fields.ResourceName] = Field(
        **atomic(32, 1), description="Resources in the plural, with a subresource after a slash, such as pods/log."
    )
    resource_names: list[fields.ResourceName] = Field(
        default=[], **atomic(32), description="Names of single objects; every object of the resources when empty."
    )
    verbs: list[fields.Verb] = Field(**atomic(16, 1), description="Verbs, such as get, list, watch, patch.")


class Agent(SpecObject):
    """The agent behind the request, in its own words."""

    name: fields.Word = Field(default="", description="Name of the agent.")
    model: fields.Word = Field(default="", description="Model that the agent runs on.")
    run: fields.Word = Field(default="", description="Identifier of the agent's run or conversation.")
    tool: fields.Word = Field(default="", description="Tool that will use the access.")


class Data(SpecObject):
    """The data that will be touched, in the requester's words."""

    classification: fields.Word = Field(
        default="",
        description="Classification of the data, such as internal; policies see it as request.dataClassification.",
    )
    description: fields.Paragraph = Field(default="", description="What the data is.")


class Context(SpecObject):
    """What helps a reviewer to decide. All of it is the requester's own claim, checked by nobody."""

    agent: Agent | None = Field(default=None, description="The agent behind the request.")
    data: Data | None = Field(default=None, description="The data that will be touched.")
    links: list[fields.Link] = Field(
        default=[], **atomic(8), description="Web addresses of tickets, incidents, pull requests or logs."
    )


IMMUTABLE: Final = Rule(
    "self.spec == oldSelf.spec",
    "a request never changes after it was created; create another one",
    reason="FieldValueForbidden",
    field_path=".spec",
)


_ALL_BUT_ONE: Final = 3


class AccessRequestSpec(CheckedObject):
    """What is asked. It never changes after creation."""

    requester: Requester | None = Field(
        default=None,
        description="Who created the request, as the API server authenticated them."
        " Filled in at admission; leave it out: a value that differs is refused.",
    )
    subject: Subject | None = Field(
        default=None, description="Who receives the access. Default: the requester, filled in at admission."
    )
    role: RoleReference | None = Field(
        default=None, description="An existing role to be bound. Give exactly one of role, rules, workload and action."
    )
    permissions: Annotated[
        list[PolicyRule] | None,
        Field(
            alias="rules",
            **atomic(16, 1),
            description="Exact permissions, for which a Role is made that lives as long as the grant."
            " Give exactly one of role, rules, workload and action.",
        ),
    ] = None
    workload: Workload | None = Field(
        default=None,
        description="Pods that shall run with privileges, where a policy's gate wants an approved request."
        " Give exactly one of role, rules, workload and action.",
    )
    action: Action | None = Field(
        default=None,
        description="One operation that shall be done, where a policy's gate wants an approved request."
        " Give exactly one of role, rules, workload and action.",
    )
    duration_seconds: int = Field(
        ge=fields.MIN_DURATION_SECONDS,
        le=fields.MAX_DURATION_SECONDS,
        description="How long the access lasts, in seconds, counted from its activation: from 10 to 2592000 (30 days).",
    )
    start_time: fields.Time | None = Field(
        default=None,
        description="When the access starts, or later if it is approved later (RFC 3339, such as"
        " 2026-01-31T12:00:00Z). Default: on approval.",
    )
    reason: fields.Reason = Field(
        description="Why the access is needed, for the reviewer: one line of plain text, 1 to 1024 characters."
    )
    ticket: fields.Word = Field(
        default="", description="The ticket that this work belongs to, such as OPS-123. A policy may demand a pattern."
    )
    context: Context | None = Field(
        default=None, description="What helps a reviewer to decide: the requester's own claims, which nobody checks."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.role), has(self.rules), has(self.workload), has(self.action)].exists_one(given, given)",
            "exactly one of role, rules, workload and action must be given",
            lambda spec: [spec.role, spec.permissions, spec.workload, spec.action].count(None) == _ALL_BUT_ONE,
        ),
    )
