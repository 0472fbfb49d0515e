"""Decides whether a request asks again for what is already asked."""

from collections.abc import Hashable, Iterable
from typing import assert_never

from daypass.domain.permissions import Rule
from daypass.domain.request import Grant, Request, RoleGrant, RulesGrant


def is_pending(request: Request) -> bool:
    """Whether a request still waits for its decision: neither approved, nor ended, nor being deleted."""
    record = request.record
    return record.approved_time is None and record.end_time is None and request.deletion_time is None


def equal_pending(request: Request, others: Iterable[Request]) -> Request | None:
    """The pending request that this one repeats, if there is one (T16)."""
    key = equality_key(request)
    return next(
        (one for one in others if one.uid != request.uid and equality_key(one) == key and is_pending(one)), None
    )


def equality_key(request: Request) -> Hashable:
    """What two requests share that ask for the same, for an index of those that are pending.

    Rule: the same namespace, requester, subject, grant and start. Rules are compared by what they list, whatever
    the order. Duration, reason and ticket make no difference, or a flood would only have to vary them (T16).
    """
    asked = (request.namespace, request.requester.username, request.subject.username, request.start_time)
    return (*asked, _grant_key(request.grant))


def _grant_key(grant: Grant) -> Hashable:
    match grant:
        case RoleGrant(role):
            return role
        case RulesGrant(rules):
            return frozenset(_rule_key(rule) for rule in rules)
        case _:
            assert_never(grant)


def _rule_key(rule: Rule) -> Hashable:
    lists = (rule.verbs, rule.api_groups, rule.resources, rule.resource_names, rule.non_resource_urls)
    return tuple(frozenset(items) for items in lists)
