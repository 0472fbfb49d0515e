"""RBAC permissions as values: the rules of a Role, or those that a request spells out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One RBAC PolicyRule; an empty ``resource_names`` means every name."""

    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleReference:
    """A Role of the request's namespace, or a ClusterRole bound in that namespace."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ResolvedRole:
    """A role as the API server has it now: its uid and its rules."""

    uid: str
    rules: tuple[Rule, ...]
