"""Decides how much a grant could do, from its rules and never from its name (T27)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from daypass.domain.coverage import ALL
from daypass.domain.permissions import Rule
from daypass.domain.policy import RiskLevel
from daypass.domain.powers import POWERS, Power
from daypass.domain.wording import permission

READING: Final = frozenset({"get", "list", "watch"})
CONSTRAINED_IMPERSONATION: Final = ("impersonate:", "impersonate-on:")
MAX_FINDINGS: Final = 32


@dataclass(frozen=True, slots=True)
class Risk:
    """A level, and the findings behind it, the gravest first; each names a rule."""

    level: RiskLevel
    findings: tuple[str, ...] = ()


def assess(rules: Iterable[Rule]) -> Risk:
    """The risk of permissions bound in one namespace: the level of the gravest thing that a rule allows.

    Rule: the table of ``powers`` says what is High or Critical; any other change is Medium; reading what is not
    secret is Low. Wildcards count as all that they cover, verbs and resources that are not known as changes. Names
    narrow a finding's text and not its level. A ClusterRole's permissions on cluster-wide objects are judged as if
    they worked, though a RoleBinding does not give them: too high a level costs an approval, too low a grant.
    """
    return _assess(tuple(rules))


@lru_cache(maxsize=512)
def _assess(rules: tuple[Rule, ...]) -> Risk:
    """The same few roles are asked for again and again: what was judged once is kept."""
    found: dict[str, tuple[RiskLevel, list[Rule]]] = {}
    for rule in rules:
        for level, power in dict.fromkeys(_powers(rule)):
            found.setdefault(power, (level, []))[1].append(rule)
    gravest_first = sorted(found.items(), key=lambda item: -item[1][0])
    level = gravest_first[0][1][0] if gravest_first else RiskLevel.LOW
    return Risk(level, tuple(_finding(power, sources) for power, (_, sources) in gravest_first[:MAX_FINDINGS]))


def _finding(power: str, sources: Sequence[Rule]) -> str:
    more = len(sources) - 1
    return f"{power}: {permission(sources[0])}" + (f" (and {more} more)" if more else "")


def _powers(rule: Rule) -> Iterator[tuple[RiskLevel, str]]:
    if ALL in rule.verbs and ALL in rule.resources and ALL in rule.api_groups:
        yield (RiskLevel.CRITICAL, "may do everything")
        return
    plain = True
    for power in _named_powers(rule):
        plain = False
        yield power
    if ALL in rule.resources or ALL in rule.api_groups:
        level = RiskLevel.HIGH if _writes(rule) else RiskLevel.MEDIUM
        yield (level, "has a wildcard, which covers kinds that come later too")
    elif plain and _writes(rule):
        yield (RiskLevel.MEDIUM, "may change objects")


def _named_powers(rule: Rule) -> Iterator[tuple[RiskLevel, str]]:
    if any(verb == "impersonate" or verb.startswith(CONSTRAINED_IMPERSONATION) for verb in rule.verbs):
        yield (RiskLevel.CRITICAL, "may impersonate others")
    for resource in rule.resources:
        for power in _powers_over(resource):
            if _group_fits(rule, power) and _verb_fits(rule, power):
                yield (power.level, power.text)


def _powers_over(resource: str) -> Iterable[Power]:
    if resource == ALL:
        return ALL_POWERS
    parent, slash, subresource = resource.partition("/")
    if parent == ALL and slash:
        return tuple(power for power in ALL_POWERS if power.resource.partition("/")[2] == subresource)
    return POWERS.get(resource, ())


def _group_fits(rule: Rule, power: Power) -> bool:
    return ALL in rule.api_groups or power.group in rule.api_groups


def _verb_fits(rule: Rule, power: Power) -> bool:
    return ALL in rule.verbs or ALL in power.verbs or any(verb in power.verbs for verb in rule.verbs)


def _writes(rule: Rule) -> bool:
    return any(verb not in READING for verb in rule.verbs)


ALL_POWERS: Final = tuple(power for powers in POWERS.values() for power in powers)
