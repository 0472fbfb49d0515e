"""Decides how risky is what a request asks for, and says it in words."""

from typing import Final, assert_never

from daypass.domain import privileges
from daypass.domain.permissions import Rule
from daypass.domain.request import ActionGrant, Grant, RoleGrant, RulesGrant, WorkloadGrant
from daypass.domain.risk import MAX_FINDINGS, Risk, assess
from daypass.domain.wording import permission

_RBAC_VERBS: Final = {"update": ("update", "patch"), "connect": ("get", "create")}


def risk_of(grant: Grant, rules: tuple[Rule, ...]) -> Risk:
    """What the grant could do; ``rules`` are those that a role or exact rules would give.

    Of a permit, first comes what Daypass itself found of the workload or the operation; the level is that of its
    privileges, or of the permission that lets somebody do the operation.
    """
    match grant:
        case RoleGrant() | RulesGrant():
            return assess(rules)
        case WorkloadGrant(privileges=asked, findings=findings):
            risk = privileges.assess(asked)
        case ActionGrant(findings=findings):
            risk = assess((_as_permission(grant),))
        case _:
            assert_never(grant)
    return Risk(risk.level, (*findings[:MAX_FINDINGS], *risk.findings))


def in_words(grant: Grant) -> str:
    """What is asked for, as a part of a sentence."""
    match grant:
        case RoleGrant(role):
            return f"{role.kind} {role.name}"
        case RulesGrant():
            return "these rules"
        case WorkloadGrant(account, asked):
            return f"permission for pods of ServiceAccount {account} to use {', '.join(asked)}"
        case ActionGrant():
            return f"permission to {permission(_as_permission(grant, plain=True))}"
        case _:
            assert_never(grant)


def _as_permission(action: ActionGrant, *, plain: bool = False) -> Rule:
    """The permission of RBAC that lets somebody do the operation; ``plain`` keeps the verb of admission."""
    resource = f"{action.resource}/{action.subresource}" if action.subresource else action.resource
    verbs = (action.verb,) if plain else _RBAC_VERBS.get(action.verb, (action.verb,))
    return Rule(verbs, (action.group,), (resource,), (action.name,))
