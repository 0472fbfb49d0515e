"""Decides whether an operation that a request asks for is among those that a policy lists."""

from typing import Final

from daypass.domain import globs
from daypass.domain.policy import ActionPattern
from daypass.domain.request import ActionGrant

ALL: Final = "*"
PROXIES: Final = frozenset({"pods/proxy", "services/proxy"})
"""Whose names are more than the object's."""


def owner_targets(resource: str) -> tuple[str, ...]:
    """Where an object's owners can be written: itself, or a subresource whose write takes metadata along."""
    return (resource, f"{resource}/status", *(("namespaces/finalize",) if resource == "namespaces" else ()))


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
        and is_named(pattern, action.resource, action.subresource, action.name)
    )


def is_named(pattern: ActionPattern, resource: str, subresource: str, name: str) -> bool:
    """Whether the names that a policy lists fit an object's; where it lists none, every one fits.

    Rule: a proxy goes to one object by several names, ``NAME``, ``NAME:PORT`` and ``SCHEME:NAME:PORT``. There a glob fits
    the whole or the name in it (T58).
    """
    if pattern.names is None:
        return True
    spelled = {name}
    if f"{resource}/{subresource}" in PROXIES:
        first, *rest = name.split(":")
        spelled.add(rest[0] if len(rest) > 1 else first)
    return any(globs.matches_freely(one, each) for one in pattern.names for each in spelled)


def _is_resource(pattern: str, resource: str, subresource: str) -> bool:
    if pattern == ALL:
        return True
    parent, _, below = pattern.partition("/")
    return parent in (ALL, resource) and (below == subresource or (below == ALL and bool(subresource)))
