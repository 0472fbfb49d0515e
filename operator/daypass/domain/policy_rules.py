"""Decides what is wrong with a policy that its schema can't say: approvers that are too few, circles, and gates.

What the schema says (``api.policy``) has been refused by then: nobody gets a policy in another way. The webhook and
``daypass policy check`` ask the same functions; each finding names its field, all are told at once.
"""

from collections.abc import Iterable, Iterator, Sequence

from daypass.domain import gate_rules
from daypass.domain.expressions import Expressions, InvalidExpressionError, UndecidedError
from daypass.domain.gate_bounds import DEFAULT_BOUNDS, Bounds
from daypass.domain.places import fill
from daypass.domain.policy import Approvers, Policy, Stage
from daypass.domain.policy_set import cycles
from daypass.domain.violations import Violation


def violations(policy: Policy, others: Iterable[Policy] = (), bounds: Bounds = DEFAULT_BOUNDS) -> tuple[Violation, ...]:
    """What is wrong with a policy by itself and beside those that exist; empty if nothing is.

    Rule: its stages can all be satisfied (T10), ``unless`` leads to no cycle, and its gate names nothing that the
    cluster or Daypass needs to run, nor privileges that there are not (``gate_rules``). Expressions are judged by
    ``expression_violations``.
    """
    return (*_together(policy.stages), *_unless(policy, others), *gate_rules.violations(policy, bounds))


def expression_violations(policy: Policy, expressions: Expressions) -> tuple[Violation, ...]:
    """Every expression of a policy that does not compile to a bool, and a ticket pattern that is none (T19, T51)."""
    sources = [
        (f"spec.match.conditions[{at}].expression", condition.expression)
        for at, condition in enumerate(policy.match.conditions)
    ]
    sources += [
        (f"spec.approvals[{at}].when", stage.when) for at, stage in enumerate(policy.stages) if stage.when is not None
    ]
    found: list[Violation] = []
    for path, source in sources:
        try:
            expressions.compile(source)
        except (InvalidExpressionError, UndecidedError) as error:
            found.append(Violation(path, str(error)))
    if policy.limits.ticket_pattern is not None:
        try:
            expressions.matches(policy.limits.ticket_pattern, "")
        except UndecidedError as error:
            found.append(Violation("spec.limits.ticketPattern", str(error)))
    return tuple(found)


def unresolved(policy: Policy, others: Iterable[Policy]) -> tuple[Violation, ...]:
    """Names in ``unless`` that are no policy: a warning, because policies of one commit arrive in any order.

    Until it is there, what the policy matches is undecided (T10).
    """
    known = {other.name for other in others} | {policy.name}
    return tuple(
        Violation(f"spec.match.unless[{at}]", f"there is no policy {name}: what this policy matches stays undecided")
        for at, name in enumerate(policy.match.unless)
        if name not in known
    )


def _together(stages: Sequence[Stage]) -> Iterator[Violation]:
    """Stages that can't all be satisfied, because one person fills one place in a policy (T08, T10).

    Judged are those that always apply, together, and each other one beside them; only stages without groups,
    because who is in a group is not known. Somebody who is listed twice is one person.
    """
    closed = [(at, stage) for at, stage in enumerate(stages) if not stage.approvers.groups]
    always = [(at, stage) for at, stage in closed if stage.when is None and stage.risk_at_least is None]
    sometimes = [one for one in closed if one not in always]
    if not _fillable([stage for _, stage in always]):
        yield Violation("spec.approvals", "the stages list too few people: one person fills one place in a policy")
        return
    for at, stage in sometimes:
        if not _fillable([*(one for _, one in always), stage]):
            yield Violation(
                f"spec.approvals[{at}].approvers",
                "lists too few people beside the stages that always apply: one person fills one place in a policy",
            )


def _fillable(stages: Sequence[Stage]) -> bool:
    people: dict[object, int] = {}
    for stage in stages:
        for one in _countable(stage.approvers):
            people.setdefault(one, len(people))
    able = [[people[one] for one in _countable(stage.approvers)] for stage in stages]
    places = [who for who, stage in zip(able, stages, strict=True) for _ in range(stage.required)]
    return all(seat is not None for seat in fill(places))


def _countable(approvers: Approvers) -> tuple[object, ...]:
    """The listed people and ServiceAccounts, each once."""
    return tuple(dict.fromkeys([*approvers.users, *approvers.service_accounts]))


def _unless(policy: Policy, others: Iterable[Policy]) -> Iterator[Violation]:
    if policy.name in policy.match.unless:
        yield Violation("spec.match.unless", "names this policy itself: it would never match when it matches")
    elif policy.name in cycles([*(other for other in others if other.name != policy.name), policy]):
        yield Violation(
            "spec.match.unless", "leads back to this policy: in a circle each would step aside for the next"
        )
