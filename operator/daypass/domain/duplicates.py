"""Decides whether a request asks again for what is already asked."""

from collections.abc import Hashable, Iterable
from typing import TypeAlias, assert_never

from daypass.domain.permissions import Rule
from daypass.domain.request import Grant, Request, RoleGrant, RulesGrant

_Key: TypeAlias = frozenset[object]


def is_pending(request: Request) -> bool:
    """Whether a request still waits for its decision: neither approved, nor ended, nor being deleted."""
    record = request.record
    return record.approved_time is None and record.end_time is None and request.deletion_time is None


def equal_pending(request: Request, others: Iterable[Request]) -> Request | None:
    """The pending request that this one repeats, if there is one (T16).

    Rule: the same namespace, requester, subject, grant and start. Rules are compared by what they list, whatever
    the order. Duration, reason and ticket make no difference, or a flood would only have to vary them.
    """
    asked = what_is_asked(request)
    for other in others:
        if other.uid != request.uid and is_pending(other) and what_is_asked(other) == asked:
            return other
    return None


def what_is_asked(request: Request) -> Hashable:
    """What two requests share that ask for the same: a key under which they can be found without a search."""
    who = (request.requester.username, request.subject.username)
    return (request.namespace, *who, request.start_time, _key(request.grant))


def _key(grant: Grant) -> _Key:
    match grant:
        case RoleGrant(role):
            return frozenset({role})
        case RulesGrant(rules):
            return frozenset(_rule_key(rule) for rule in rules)
        case _:
            assert_never(grant)


def _rule_key(rule: Rule) -> tuple[frozenset[str], ...]:
    lists = (rule.verbs, rule.api_groups, rule.resources, rule.resource_names, rule.non_resource_urls)
    return tuple(frozenset(items) for items in lists)
