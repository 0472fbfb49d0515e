"""Decides what is wrong with a policy in itself: what can't work, and what would be looser than it reads.

The webhook and ``daypass policy check`` ask the same functions; each finding names its field, all are told at once.
"""

from collections.abc import Iterable, Iterator, Sequence

from daypass.domain import names
from daypass.domain.expressions import Expressions, InvalidExpressionError, UndecidedError
from daypass.domain.places import fill
from daypass.domain.policy import Approvers, Effect, IdentityPattern, Limits, Match, Policy, Stage
from daypass.domain.policy_set import cycles
from daypass.domain.violations import Violation

MIN_DURATION_SECONDS = 10
"""No request asks for less, so a lower maximum would match nothing that can be asked."""


def violations(policy: Policy, others: Iterable[Policy] = ()) -> tuple[Violation, ...]:
    """All that is wrong with a policy, beside those that exist; empty if nothing is.

    Rule: an Allow policy has exactly one of ``autoApprove: true`` and ``approvals`` and says what may be asked for; a
    Deny policy has neither, nor limits. Approver sets must be able to reach ``required`` (T10). ``unless`` leads
    to no cycle. Limits leave something to grant. Expressions are judged by ``expression_violations``.
    """
    return (
        *_effect(policy),
        *_match(policy.match),
        *_limits(policy.limits),
        *_stages(policy.stages),
        *_unless(policy, others),
    )


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


def _effect(policy: Policy) -> Iterator[Violation]:
    if policy.effect is Effect.DENY:
        if policy.stages:
            yield Violation("spec.approvals", "a Deny policy asks nobody: leave approvals out, or say effect: Allow")
        if policy.auto_approve:
            yield Violation("spec.autoApprove", "a Deny policy approves nothing: leave autoApprove out")
        if policy.limits != Limits():
            yield Violation("spec.limits", "a Deny policy grants nothing that limits could bound: leave limits out")
        return
    if policy.auto_approve and policy.stages:
        yield Violation("spec.autoApprove", "exactly one of autoApprove: true and approvals: remove one of them")
    if not policy.auto_approve and not policy.stages:
        yield Violation("spec.approvals", "an Allow policy needs approvals with a stage, or autoApprove: true")
    if policy.match.grants is None:
        yield Violation("spec.match.grants", "say what may be asked for: a policy gives only what it lists")


def _match(match: Match) -> Iterator[Violation]:
    path = "spec.match"
    lists = (
        ("namespaces", match.namespaces),
        ("requesters", match.requesters),
        ("subjects", match.subjects),
    )
    for field, items in lists:
        if items is not None and not items:
            yield Violation(f"{path}.{field}", "an empty list matches nothing: list something, or leave it out")
    if match.grants is not None and not match.grants.roles and not match.grants.rules:
        yield Violation(f"{path}.grants", "lists neither roles nor rules, so it matches nothing")
    yield from _patterns(f"{path}.requesters", match.requesters or (), ("User", "Group", "ServiceAccount"))
    yield from _patterns(f"{path}.subjects", match.subjects or (), ("User", "ServiceAccount"))


def _patterns(path: str, patterns: Sequence[IdentityPattern], kinds: Sequence[str]) -> Iterator[Violation]:
    for at, pattern in enumerate(patterns):
        if pattern.kind not in kinds:
            yield Violation(f"{path}[{at}].kind", f"must be one of {', '.join(kinds)}")
        if pattern.namespace and pattern.kind != "ServiceAccount":
            yield Violation(f"{path}[{at}].namespace", f"a {pattern.kind} is in no namespace: leave it out")


def _limits(limits: Limits) -> Iterator[Violation]:
    least = (
        ("maxDurationSeconds", limits.max_duration_seconds, MIN_DURATION_SECONDS),
        ("pendingTimeoutSeconds", limits.pending_timeout_seconds, 1),
        ("maxActivePerSubject", limits.max_active_per_subject, 1),
        ("cooldownSeconds", limits.cooldown_seconds, 0),
        ("maxPerDay", limits.max_per_day, 1),
    )
    for field, value, minimum in least:
        if value is not None and value < minimum:
            yield Violation(f"spec.limits.{field}", f"must be {minimum} or more: with {value} nothing could be granted")


def _stages(stages: Sequence[Stage]) -> Iterator[Violation]:
    seen: set[str] = set()
    for at, stage in enumerate(stages):
        path = f"spec.approvals[{at}]"
        if stage.name in seen:
            yield Violation(f"{path}.name", f"there is another stage {stage.name}: give each a name of its own")
        seen.add(stage.name)
        if stage.required < 1:
            yield Violation(f"{path}.required", "must be 1 or more: nobody's approval is none")
        yield from _approvers(f"{path}.approvers", stage.approvers)
        listed = _countable(stage.approvers)
        if not stage.approvers.groups and 0 < len(listed) < stage.required:
            yield Violation(
                f"{path}.required", f"{stage.required} must approve and only {len(listed)} may: list more or ask fewer"
            )
    yield from _together(stages)


def _approvers(path: str, approvers: Approvers) -> Iterator[Violation]:
    if not approvers.users and not approvers.groups and not approvers.service_accounts:
        yield Violation(path, "is empty, so nobody could approve: list users, groups or serviceAccounts")
    for at, group in enumerate(approvers.groups):
        if group.startswith(names.SYSTEM_PREFIX):
            yield Violation(f"{path}.groups[{at}]", f"{group} is a group of the system: list a group of people")
    for at, user in enumerate(approvers.users):
        if user.startswith(names.SERVICE_ACCOUNT_PREFIX):
            yield Violation(f"{path}.users[{at}]", "a ServiceAccount: list it under serviceAccounts")
        elif user.startswith(names.SYSTEM_PREFIX):
            yield Violation(f"{path}.users[{at}]", f"{user} is an identity of the system: list a person")


def _together(stages: Sequence[Stage]) -> Iterator[Violation]:
    """Stages that can't all be satisfied, because one person fills one place in a policy (T08).

    Judged are those that always apply, together, and each other one beside them; only stages without groups,
    because who is in a group is not known.
    """
    closed = [(at, stage) for at, stage in enumerate(stages) if not stage.approvers.groups and _reachable(stage)]
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


def _reachable(stage: Stage) -> bool:
    return 0 < stage.required <= len(_countable(stage.approvers))


def _fillable(stages: Sequence[Stage]) -> bool:
    people: dict[object, int] = {}
    for stage in stages:
        for one in _countable(stage.approvers):
            people.setdefault(one, len(people))
    able = [[people[one] for one in _countable(stage.approvers)] for stage in stages]
    places = [who for who, stage in zip(able, stages, strict=True) for _ in range(stage.required)]
    return all(seat is not None for seat in fill(places))


def _countable(approvers: Approvers) -> tuple[object, ...]:
    """The listed people and ServiceAccounts, each once; system identities never count."""
    users = (user for user in approvers.users if not user.startswith(names.SYSTEM_PREFIX))
    return tuple(dict.fromkeys([*users, *approvers.service_accounts]))


def _unless(policy: Policy, others: Iterable[Policy]) -> Iterator[Violation]:
    if policy.name in policy.match.unless:
        yield Violation("spec.match.unless", "names this policy itself: it would never match when it matches")
    elif policy.name in cycles([*(other for other in others if other.name != policy.name), policy]):
        yield Violation(
            "spec.match.unless", "leads back to this policy: in a circle each would step aside for the next"
        )
