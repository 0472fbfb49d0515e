"""Reads the roles of RBAC as the API server has them."""

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from daypass.api.malformed import malformed
from daypass.domain.permissions import ResolvedRole, Rule


class _RbacRule(BaseModel):
    """The slice of a PolicyRule; a field that RBAC has not got yet makes the rule unreadable (T63)."""

    model_config = ConfigDict(strict=True, extra="forbid")

    verbs: list[str]
    apiGroups: list[str] | None = None  # noqa: N815 - as on the wire
    resources: list[str] | None = None
    resourceNames: list[str] | None = None  # noqa: N815
    nonResourceURLs: list[str] | None = None  # noqa: N815


class _Metadata(BaseModel):
    uid: str = Field(min_length=1)


class _Role(BaseModel):
    model_config = ConfigDict(strict=True)

    metadata: _Metadata
    rules: list[_RbacRule] | None = None


_RULES = TypeAdapter(list[_RbacRule])


def role_from(body: object) -> ResolvedRole:
    """A Role or ClusterRole; its rules are those in force, aggregated ones included. Raises MalformedError."""
    try:
        role = _Role.model_validate(body)
    except ValidationError as error:
        raise malformed(error, "") from None
    return ResolvedRole(role.metadata.uid, tuple(map(_rule, role.rules or ())))


def rules_from(body: object) -> tuple[Rule, ...]:
    """A list of RBAC rules, such as the spec of a request has. Raises MalformedError."""
    if body is None:
        return ()
    try:
        return tuple(map(_rule, _RULES.validate_python(body)))
    except ValidationError as error:
        raise malformed(error, "rules") from None


def _rule(rule: _RbacRule) -> Rule:
    return Rule(
        verbs=tuple(rule.verbs),
        api_groups=tuple(rule.apiGroups or ()),
        resources=tuple(rule.resources or ()),
        resource_names=tuple(rule.resourceNames or ()),
        non_resource_urls=tuple(rule.nonResourceURLs or ()),
    )
