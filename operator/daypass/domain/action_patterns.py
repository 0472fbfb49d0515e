"""Decides whether an operation that a request asks for is among those that a policy lists."""

from typing import Final

from daypass.domain import globs
from daypass.domain.policy import ActionPattern
from daypass.domain.request import ActionGrant

ALL: Final = "*"


def covers(pattern: ActionPattern, action: ActionGrant) -> bool:
    """Whether all that a policy gives fits: verb, group, resource with its subresource, and name.

    Rule: ``*`` as a group is every group; as a resource every resource with its subresources, ``*/scale`` that one of
    every resource, ``pods/*`` every one of pods. Names are globs in which colons mean nothing, as RBAC names its own
    objects with them. A request names one operation exactly, so what covers it for an Allow policy overlaps with it
    for a Deny policy.
    """
    return (
        action.verb in pattern.verbs
        and (ALL in pattern.groups or action.group in pattern.groups)
        and any(_is_resource(one, action.resource, action.subresource) for one in pattern.resources)
        and (pattern.names is None or any(globs.matches_freely(one, action.name) for one in pattern.names))
    )


def _is_resource(pattern: str, resource: str, subresource: str) -> bool:
    if pattern == ALL:
        return True
    parent, _, below = pattern.partition("/")
    return parent in (ALL, resource) and (below == subresource or (below == ALL and bool(subresource)))
