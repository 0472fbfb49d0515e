"""How people read what Daypass says of them: approvers and permissions in a few words."""

from collections.abc import Sequence
from typing import Final, assert_never

from daypass.domain.conditions import State
from daypass.domain.permissions import Rule
from daypass.domain.policy import Approvers
from daypass.domain.request import ActionGrant, Grant, RoleGrant, RulesGrant, WorkloadGrant

JUDGED_ANEW: Final = (
    "To have it judged anew, delete the pod: its owner makes another; one without an owner you make again."
)
"""The way out for whoever reads that a pod stays held."""
TWO_AT_LEAST: Final = "two people at least"
AUTHORS_UNKNOWN: Final = "not everybody is known who had a hand in the workload"
"""Why (T69)."""
_LONGEST: Final = 200
_COLUMN: Final = 17
"""What is left of 80 characters for the column ACCESS of ``kubectl get``."""


def people(approvers: Approvers) -> str:
    """Whom a stage asks, such as ``group security or user bob``."""
    groups = (f"group {name}" for name in approvers.groups)
    users = (f"user {name}" for name in approvers.users)
    accounts = (f"ServiceAccount {namespace}/{name}" for namespace, name in approvers.service_accounts)
    return " or ".join([*groups, *users, *accounts]) or "nobody"


def fate(state: State, message: str) -> str:
    """How a state reads after a request's name, given what Ready says: ``was denied by bob: no``, ``is Expired: …``."""
    if is_by_a_person(state, message):
        return f"was {message[:1].lower()}{message[1:]}"
    verdict = "was denied" if state is State.DENIED else f"is {state.value}"
    return f"{verdict}: {message}" if message else verdict


def is_by_a_person(state: State, message: str) -> bool:
    """Whether somebody's review brought a request there, given what Ready says: ``Denied by bob: no``."""
    return message.startswith(f"{state.value} by ")


def permission(rule: Rule) -> str:
    """What a rule allows, such as ``get, list secrets named a, b`` or ``patch deployments.apps/scale``."""
    targets = [_target(group, resource) for resource in rule.resources for group in rule.api_groups]
    text = f"{', '.join(rule.verbs)} {', '.join([*targets, *rule.non_resource_urls])}"
    if rule.resource_names:
        text += f" named {', '.join(rule.resource_names)}"
    return _cut(text, _LONGEST)


def access(grant: Grant) -> str:
    """What is asked for, in one column: a role, resources, privileges or an operation; cut where it is too long."""
    match grant:
        case RoleGrant(role):
            return _cut(role.name, _COLUMN)
        case RulesGrant(rules):
            return _first([resource for rule in rules for resource in rule.resources])
        case WorkloadGrant(privileges=privileges):
            return _first(privileges if len(privileges) == 1 else [one.partition(":")[0] for one in privileges])
        case ActionGrant(verb, _, resource, subresource):
            return _cut(f"{verb} {resource}{'/' if subresource else ''}{subresource}", _COLUMN)
        case _:
            assert_never(grant)


def _first(texts: Sequence[str]) -> str:
    """The first of different texts, and how many more there are."""
    different = list(dict.fromkeys(texts))
    more = f" +{len(different) - 1}" if len(different) > 1 else ""
    return _cut(different[0] if different else "", _COLUMN - len(more)) + more


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _target(group: str, resource: str) -> str:
    parent, slash, subresource = resource.partition("/")
    return f"{parent}.{group}{slash}{subresource}" if group else resource
