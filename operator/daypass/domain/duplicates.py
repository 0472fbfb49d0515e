"""Decides whether a request asks again for what is already asked."""

import itertools
from collections.abc import Hashable, Iterable
from typing import Final, assert_never

from daypass.domain.permissions import Rule
from daypass.domain.request import ActionGrant, Grant, Request, RoleGrant, RulesGrant, WorkloadGrant

MAX_ATOMS: Final = 2_000
"""As much of a request is compared; two that agree in so much are equal for this purpose."""


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

    Rule: the same namespace, requester, subject, grant and start, where a start that is past is none. Rules are
    compared by what they allow, however it is spread over them. How many pods or uses, what Daypass
    found, duration, reason and ticket make no difference, or a flood would only have to vary them (T16).
    """
    begins = request.start_time
    start = begins if begins is not None and begins > request.creation_time else None
    asked = (request.namespace, request.requester.username, request.subject.username, start)
    return (*asked, _grant_key(request.grant))


def _grant_key(grant: Grant) -> Hashable:
    match grant:
        case RoleGrant(role):
            return role
        case RulesGrant(rules):
            atoms = itertools.chain.from_iterable(map(_atoms, rules))
            return frozenset(itertools.islice(atoms, MAX_ATOMS))
        case WorkloadGrant(account, privileges, digest):
            return ("workload", account, frozenset(privileges), digest)
        case ActionGrant(verb, group, resource, subresource, name, digest):
            return ("action", verb, group, resource, subresource, name, digest)
        case _:
            assert_never(grant)


def _atoms(rule: Rule) -> Iterable[Hashable]:
    """Each single thing that a rule allows: a verb on a resource of a group, by any name or by one."""
    return itertools.product(rule.api_groups, rule.resources, rule.resource_names or ("",), rule.verbs)
