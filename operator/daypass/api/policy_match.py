"""Which requests a policy speaks of: the model of ``spec.match``."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from daypass.api import fields
from daypass.api.policy_grants import Grants
from daypass.api.schema import OpenObject, Rule, atomic

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63, pattern="^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")]

NAMESPACE_ONLY_FOR_ACCOUNTS = Rule(
    "self.kind == 'ServiceAccount' || !has(self.__namespace__)",
    "only kind ServiceAccount has a namespace",
    lambda pattern: pattern.kind == "ServiceAccount" or pattern.namespace is None,
)
NO_SYSTEM_USERS = Rule(
    "self.kind != 'User' || !self.name.startsWith('system:')",
    "kind User must not start with system: (for a ServiceAccount use kind ServiceAccount, namespace and name)",
    lambda pattern: pattern.kind != "User" or not pattern.name.startswith("system:"),
)
ACCOUNTS_BY_NAME_ALONE = Rule(
    "self.kind != 'ServiceAccount' || !self.name.contains(':') && !self.name.contains('/')",
    "name is the ServiceAccount's own name: its namespace goes into namespace",
    lambda pattern: pattern.kind != "ServiceAccount" or not {":", "/"} & set(pattern.name),
)


class SubjectPattern(OpenObject):
    """Users or ServiceAccounts by name. In name and namespace, * stands for any characters but a colon."""

    kind: Literal["User", "ServiceAccount"] = Field(description="User or ServiceAccount.")
    name: fields.Principal = Field(description="Name, or a glob over names.")
    namespace: fields.NamespaceGlob | None = Field(
        default=None,
        description="Namespace of the ServiceAccount, or a glob over namespaces. Default: the request's own namespace.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (NAMESPACE_ONLY_FOR_ACCOUNTS, ACCOUNTS_BY_NAME_ALONE, NO_SYSTEM_USERS)


class RequesterPattern(OpenObject):
    """Callers by name or by group. In name and namespace, * stands for any characters but a colon."""

    kind: Literal["User", "Group", "ServiceAccount"] = Field(
        description="User, ServiceAccount, or Group for all callers that the API server counts in it."
    )
    name: fields.Principal = Field(description="Name, or a glob over names.")
    namespace: fields.NamespaceGlob | None = Field(
        default=None,
        description="Namespace of the ServiceAccount, or a glob over namespaces. Default: the request's own namespace.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (NAMESPACE_ONLY_FOR_ACCOUNTS, ACCOUNTS_BY_NAME_ALONE, NO_SYSTEM_USERS)


class LabelRequirement(OpenObject):
    """One requirement on the labels of the namespace."""

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="In and NotIn compare with values; Exists and DoesNotExist look at the key alone."
    )
    values: list[LabelValue] = Field(
        default=[], **atomic(32), description="Values for In and NotIn; empty for Exists and DoesNotExist."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values; Exists and DoesNotExist have none",
            lambda one: (one.operator in {"In", "NotIn"}) == bool(one.values),
        ),
    )


class LabelSelector(OpenObject):
    """A label selector, as everywhere in Kubernetes."""

    match_labels: dict[LabelKey, LabelValue] = Field(
        default={}, max_length=32, description="Labels that must have exactly these values."
    )
    match_expressions: list[LabelRequirement] = Field(
        default=[], **atomic(32), description="Further requirements; all of them must hold."
    )


class Condition(OpenObject):
    """A CEL expression of type bool over the facts of a request, with the words for people."""

    expression: fields.CelSource = Field(
        description="The expression, such as request.ticket.matches('^OPS-[0-9]+$'). In an Allow policy, false means"
        " that the policy does not match; in a Deny policy, the request is denied where all are true."
        " One that can't be evaluated leaves the request undecided."
    )
    message: fields.Message = Field(
        description="What a person reads when this expression is why a request was denied: one line."
    )


class Match(OpenObject):
    """Which requests the policy speaks of: all fields that are given must match."""

    namespaces: list[fields.NamespaceGlob] | None = Field(
        default=None,
        **atomic(64, 1),
        description="Namespaces of the request, or globs over them, such as shop-*. Default: every namespace.",
    )
    namespace_selector: LabelSelector | None = Field(
        default=None, description="Labels of the request's namespace. Default: any."
    )
    requesters: list[RequesterPattern] | None = Field(
        default=None, **atomic(64, 1), description="Who asks: one of these. Default: anyone."
    )
    subjects: list[SubjectPattern] | None = Field(
        default=None,
        **atomic(64, 1),
        description="Who receives the access: one of these. Default: in an Allow policy the requester only,"
        " in a Deny policy anyone.",
    )
    grants: Grants | None = Field(
        default=None,
        description="What is asked for. An Allow policy needs it; in a Deny policy the default is anything.",
    )
    conditions: list[Condition] = Field(
        default=[], **atomic(16), description="CEL expressions that must all be true for the policy to match."
    )
    unless: list[fields.ObjectName] = Field(
        default=[],
        **atomic(16),
        description="Names of policies for which this one steps aside: where one of them matches by itself,"
        " this one does not.",
    )
