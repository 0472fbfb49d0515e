"""P3: how long one decision takes, with 10, 100 and 1,000 policies; ``python -m bench.decide`` prints it alone.

The policies are those of a company: one for each team (its namespaces, its groups, view and edit, a CEL condition, a
ticket pattern, two stages), and three that speak of everybody, a Deny policy with a CEL condition among them. The
request is a team's for a role like ``edit`` with 15 rules. So what is measured has three matching policies, three CEL
evaluations, one pattern and the risk of 15 rules in it. The worst case is 100 policies of which each
could match as far as the index knows.
"""

import statistics
import timeit
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from time import process_time

from bench.figures import Figure
from daypass.domain.evaluation import Verdict, World, evaluate
from daypass.domain.expressions import Expressions
from daypass.domain.identity import Identity, subject_of
from daypass.domain.permissions import ResolvedRole, RoleReference, Rule
from daypass.domain.policy import (
    Approvers,
    Effect,
    Expression,
    Grants,
    IdentityPattern,
    Limits,
    Match,
    Policy,
    RiskLevel,
    Stage,
)
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import Request, RoleGrant
from daypass.expressions.cel import CelExpressions

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EDIT = RoleReference("ClusterRole", "edit")
VIEW = RoleReference("ClusterRole", "view")
WRITING = ("create", "delete", "deletecollection", "patch", "update")
READING = ("get", "list", "watch")
RULES = (
    Rule(READING, ("",), ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy")),
    Rule(("impersonate",), ("",), ("serviceaccounts",)),
    Rule(WRITING, ("",), ("pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy")),
    Rule(("create",), ("",), ("pods/eviction",)),
    Rule(WRITING, ("",), ("configmaps", "events", "persistentvolumeclaims", "secrets", "serviceaccounts", "services")),
    Rule(("create",), ("",), ("serviceaccounts/token",)),
    Rule(WRITING, ("apps",), ("daemonsets", "deployments", "deployments/scale", "replicasets", "statefulsets")),
    Rule(WRITING, ("autoscaling",), ("horizontalpodautoscalers",)),
    Rule(WRITING, ("batch",), ("cronjobs", "jobs")),
    Rule(WRITING, ("networking.k8s.io",), ("ingresses", "networkpolicies")),
    Rule(READING, ("",), ("configmaps", "endpoints", "pods", "replicationcontrollers", "services", "pods/log")),
    Rule(READING, ("apps",), ("daemonsets", "deployments", "replicasets", "statefulsets", "controllerrevisions")),
    Rule(READING, ("batch",), ("cronjobs", "jobs")),
    Rule(READING, ("policy",), ("poddisruptionbudgets",)),
    Rule(READING, ("networking.k8s.io",), ("ingresses", "networkpolicies")),
)


def _match(
    conditions: tuple[Expression, ...], namespaces: tuple[str, ...] | None = None, group: str | None = None
) -> Match:
    requesters = None if group is None else (IdentityPattern("Group", group),)
    return Match(namespaces, None, requesters, None, Grants((VIEW, EDIT)), conditions)


def _policy(name: str, match: Match, *stages: Stage, limits: Limits | None = None) -> Policy:
    return Policy(name, f"uid-{name}", 1, Effect.ALLOW, match, limits or Limits(), stages=stages)


def _team(number: int, namespace: str) -> Policy:
    wants_agent = Expression("requester.kind == 'ServiceAccount' || 'people' in requester.groups", "people or agents")
    return _policy(
        f"team-{number}",
        _match((wants_agent,), (namespace, f"{namespace}-*"), f"team-{number}"),
        Stage("team", 1, Approvers(groups=(f"team-{number}-leads",))),
        Stage("security", 1, Approvers(groups=("security",)), risk_at_least=RiskLevel.HIGH, require_digest=True),
        limits=Limits(max_duration_seconds=3600, max_active_per_subject=3, ticket_pattern="^OPS-[0-9]+$"),
    )


def _everybody() -> tuple[Policy, ...]:
    not_for_long = (Expression("request.durationSeconds <= 28800", "eight hours at most"),)
    production = (
        Expression("'env' in request.namespaceLabels && request.namespaceLabels['env'] == 'frozen'", "frozen"),
    )
    asks = Stage("any", 1, Approvers(groups=("approvers",)))
    freeze = Policy("freeze", "uid-freeze", 1, Effect.DENY, Match(conditions=production))
    return (_policy("long", _match(not_for_long), asks), _policy("shops", _match((), ("shop-*",)), asks), freeze)


def company(count: int) -> PolicySet:
    """Policies of many teams, each in namespaces of its own."""
    return PolicySet([*_everybody(), *(_team(number, f"shop-{number}") for number in range(count - 3))])


def crowd(count: int) -> PolicySet:
    """Policies of many teams that share one namespace: the index tells none of them apart."""
    return PolicySet([*_everybody(), *(_team(number, "shop-5") for number in range(count - 3))])


def a_request() -> Request:
    """What a member of team 5 asks in its namespace."""
    requester = Identity("alice", groups=("people", "team-5", "system:authenticated"))
    return Request(
        "uid", "shop-5", "name", 1, NOW, requester, subject_of(requester), RoleGrant(EDIT), 900, "a reason", {}, "OPS-1"
    )


def microseconds(policies: Sequence[Policy], expressions: Expressions, runs: int = 5) -> list[float]:
    """One decision, as the mean of many in each run, in processor time: other work on the machine does not count."""
    request = a_request()
    world = World(NOW, {"env": "prod"}, RULES, ResolvedRole("uid", RULES))
    found = evaluate(request, policies, world, expressions)
    assert found.verdict is Verdict.GOVERNED, found
    assert len(found.policies) == 3
    loops = 500
    timer = timeit.Timer(lambda: evaluate(request, policies, world, expressions), timer=process_time)
    return [seconds / loops * 1e6 for seconds in timer.repeat(runs, loops)]


def figures() -> Iterable[Figure]:
    """The lines of the table."""
    expressions = CelExpressions()
    few, hundred, thousand = (microseconds(company(count), expressions) for count in (10, 100, 1000))
    crowded = microseconds(crowd(100), expressions)
    ratio = statistics.median(thousand) / statistics.median(few)
    yield Figure("P3", "decision, 100 policies", text_of(hundred), "≤ 100 µs", statistics.median(hundred) <= 100)
    yield Figure("P3", "decision, 100 policies, none ruled out by the index", text_of(crowded), "", None)
    yield Figure("P3", "decision, 10 policies", text_of(few), "", None)
    yield Figure(
        "P3", "decision, 1,000 policies", f"{text_of(thousand)}: {ratio:.2f} times 10 policies", "≤ 2 times", ratio <= 2
    )


def text_of(values: Sequence[float]) -> str:
    """Microseconds, median and extremes."""
    return f"{statistics.median(values):.1f} µs (min {min(values):.1f}, max {max(values):.1f}, {len(values)} runs)"


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.number} {figure.what}: {figure.measured}   [goal {figure.goal}]")
