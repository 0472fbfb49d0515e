"""Decides whether permissions are within other permissions, as RBAC itself would judge it.

Source of the rules: ``k8s.io/component-helpers/auth/rbac/validation`` (``Covers``), by which the API server refuses
privilege escalation.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Final, TypeVar

from daypass.domain.permissions import Rule

ALL: Final = "*"

T = TypeVar("T")


def covers(granted: Iterable[Rule], wanted: Rule) -> bool:
    """Whether everything that a rule allows is allowed by the granted rules together.

    Rule: each single permission (verb, group, resource, name) of the wanted rule is within one granted rule.
    ``*`` covers all; a resource covers itself only, so ``pods`` covers no ``pods/exec``; ``*/scale`` covers that
    subresource of every resource. A granted rule without names covers all names; one with names covers those only,
    and never a wanted rule without names. A rule that allows nothing is covered by anything.
    """
    rules = tuple(granted)
    verbs = {_mask(rules, _verb_covered, verb) for verb in wanted.verbs}
    urls = {_mask(rules, _url_covered, url) for url in wanted.non_resource_urls}
    groups = {_mask(rules, _group_covered, group) for group in wanted.api_groups}
    resources = {_mask(rules, _resource_covered, resource) for resource in wanted.resources}
    names = {_mask(rules, _name_covered, name) for name in wanted.resource_names or (None,)}
    return all(v & u for v, u in product(verbs, urls)) and all(
        v & g & r & n for v, g, r, n in product(verbs, groups, resources, names)
    )


def missing(granted: Iterable[Rule], wanted: Iterable[Rule]) -> tuple[Rule, ...]:
    """What the wanted rules allow and the granted ones do not, one rule for each resource, for a message to people."""
    rules = tuple(granted)
    gaps: list[Rule] = []
    for rule in wanted:
        if not covers(rules, rule):
            gaps += _gaps(rules, rule)
    return tuple(gaps)


def overlaps(one: Rule, other: Rule) -> bool:
    """Whether some single permission is in both rules.

    By this a Deny policy binds a request of exact rules: were it bound by ``covers``, one harmless rule more
    would take a request out of the Deny policy's reach (T09).
    """
    if not _share(one.verbs, other.verbs):
        return False
    if any(_urls_meet(a, b) for a, b in product(one.non_resource_urls, other.non_resource_urls)):
        return True
    return (
        _share(one.api_groups, other.api_groups)
        and any(_resources_meet(a, b) for a, b in product(one.resources, other.resources))
        and (not one.resource_names or not other.resource_names or _share(one.resource_names, other.resource_names))
    )


def _gaps(granted: Sequence[Rule], wanted: Rule) -> Iterator[Rule]:
    parts = [
        replace(wanted, api_groups=(group,), resources=(resource,), non_resource_urls=())
        for group, resource in product(wanted.api_groups, wanted.resources)
    ]
    parts += [Rule(wanted.verbs, non_resource_urls=(url,)) for url in wanted.non_resource_urls]
    for part in parts:
        verbs = tuple(verb for verb in part.verbs if not covers(granted, replace(part, verbs=(verb,))))
        if verbs:
            yield replace(part, verbs=verbs)


def _mask(granted: Sequence[Rule], covered: Callable[[Rule, T], bool], value: T) -> int:
    """Which granted rules cover one value of one field, as bits.

    A single permission is covered where the masks of its four values share a bit, so values of equal masks are
    judged once, and a request with thousands of combinations costs no more than one with few (T51).
    """
    return sum(1 << bit for bit, rule in enumerate(granted) if covered(rule, value))


def _verb_covered(granted: Rule, verb: str) -> bool:
    return ALL in granted.verbs or verb in granted.verbs


def _group_covered(granted: Rule, group: str) -> bool:
    return ALL in granted.api_groups or group in granted.api_groups


def _share(one: Sequence[str], other: Sequence[str]) -> bool:
    if ALL in one or ALL in other:
        return bool(one) and bool(other)
    return any(item in other for item in one)


def _resource_covered(granted: Rule, resource: str) -> bool:
    if ALL in granted.resources or resource in granted.resources:
        return True
    _, slash, subresource = resource.partition("/")
    return bool(slash) and f"*/{subresource}" in granted.resources


def _name_covered(granted: Rule, name: str | None) -> bool:
    return not granted.resource_names or name in granted.resource_names


def _url_covered(granted: Rule, url: str) -> bool:
    return any(_url_within(pattern, url) for pattern in granted.non_resource_urls)


def _url_within(pattern: str, url: str) -> bool:
    if pattern in (ALL, url):
        return True
    return pattern.endswith(ALL) and url.startswith(pattern.rstrip(ALL))


def _urls_meet(one: str, other: str) -> bool:
    return _url_within(one, other) or _url_within(other, one)


def _resources_meet(one: str, other: str) -> bool:
    if one == other or ALL in (one, other):
        return True
    return _any_parent(one, other) or _any_parent(other, one)


def _any_parent(pattern: str, resource: str) -> bool:
    return pattern.startswith("*/") and resource.partition("/")[2] == pattern[2:]
