"""How people read what Daypass says of them: approvers and permissions in a few words."""

from typing import Final

from daypass.domain.permissions import Rule
from daypass.domain.policy import Approvers

_LONGEST: Final = 200


def people(approvers: Approvers) -> str:
    """Whom a stage asks, such as ``group security or user bob``."""
    groups = (f"group {name}" for name in approvers.groups)
    users = (f"user {name}" for name in approvers.users)
    accounts = (f"ServiceAccount {namespace}/{name}" for namespace, name in approvers.service_accounts)
    return " or ".join([*groups, *users, *accounts]) or "nobody"


def permission(rule: Rule) -> str:
    """What a rule allows, such as ``get, list secrets named a, b`` or ``patch deployments.apps/scale``."""
    targets = [_target(group, resource) for resource in rule.resources for group in rule.api_groups]
    text = f"{', '.join(rule.verbs)} {', '.join([*targets, *rule.non_resource_urls])}"
    if rule.resource_names:
        text += f" named {', '.join(rule.resource_names)}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _target(group: str, resource: str) -> str:
    parent, slash, subresource = resource.partition("/")
    return f"{parent}.{group}{slash}{subresource}" if group else resource
