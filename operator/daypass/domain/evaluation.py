"""Decides which policies govern a request, and what they come to together.

*A request that a Deny policy matches is denied. A request that no Allow policy matches is denied. Otherwise every
Allow policy that matches must be satisfied: their stages add up and the strictest limit holds. A policy steps aside
only for those it names itself in* ``unless``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, assert_never

from daypass.domain.expressions import Expressions, UndecidedError
from daypass.domain.facts import facts
from daypass.domain.limits import Breach, breaches, pending_timeout_seconds
from daypass.domain.matching import Fit, Fitting, Question, could_match, fitting, holds
from daypass.domain.permissions import ResolvedRole, Rule
from daypass.domain.policy import AppliedStage, Effect, Policy, RiskLevel
from daypass.domain.policy_set import PolicySet
from daypass.domain.quorum import by_two_at_least
from daypass.domain.request import Request, RoleGrant, WorkloadGrant
from daypass.domain.request_risk import in_words, risk_of
from daypass.domain.risk import Risk
from daypass.domain.wording import AUTHORS_UNKNOWN, TWO_AT_LEAST

DENIED_BY_POLICY: Final = "DeniedByPolicy"
NO_POLICY_MATCHES: Final = "NoPolicyMatches"
CONDITIONS_NOT_MET: Final = "ConditionsNotMet"
LIMIT_EXCEEDED: Final = "LimitExceeded"
ROLE_UNRESOLVED: Final = "RoleUnresolved"
POLICY_UNDECIDED: Final = "PolicyUndecided"
NO_STAGE_APPLIES: Final = "NoStageApplies"
GOVERNED: Final = "Governed"

MOST_MESSAGES: Final = 16


class Verdict(Enum):
    """What the policies come to."""

    GOVERNED = "Governed"
    """Granted once every stage is satisfied; with no stages, at once."""
    DENIED = "Denied"
    UNDECIDED = "Undecided"
    """Something could not be read or evaluated: never granted, and tried again."""


@dataclass(frozen=True, slots=True)
class World:
    """What the decision needs to know beside the request and the policies.

    ``namespace_labels`` are None if they could not be read; ``rules`` are those that the grant would give; ``role``
    is None where exact rules are asked for, or where the role could not be resolved; ``peers`` are other requests of
    the same subject, in any namespace.
    """

    now: datetime
    namespace_labels: Mapping[str, str] | None
    rules: tuple[Rule, ...] = ()
    role: ResolvedRole | None = None
    subject_uid: str = ""
    peers: Sequence[Request] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A policy that could not be evaluated, and why."""

    policy: str
    message: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdict, why, and what follows: whom to ask, for how long, and what a person reads of it.

    ``policies`` are those that govern (GOVERNED) or that deny (DeniedByPolicy), by name; else none.
    """

    verdict: Verdict
    reason: str
    message: str
    policies: tuple[Policy, ...]
    stages: tuple[AppliedStage, ...]
    risk: Risk
    pending_timeout_seconds: int
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The policies by how they stand to the request."""

    allowing: tuple[Policy, ...]
    denying: tuple[Policy, ...]
    denials: tuple[str, ...]
    hints: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the policies that allow demand; ``idle`` are those in which no stage applies."""

    stages: tuple[AppliedStage, ...]
    broken: tuple[Breach, ...]
    idle: tuple[Fault, ...]
    faults: tuple[Fault, ...]


def evaluate(request: Request, policies: Sequence[Policy], world: World, expressions: Expressions) -> Evaluation:
    """What the policies say of a request. Give a ``PolicySet`` where many requests meet the same policies.

    Rule, in this order: a role that is not resolved leaves it undecided; a Deny policy that matches denies; a policy
    that can't be evaluated leaves it undecided; no Allow policy denies, with the messages of those that failed on
    conditions only; a broken limit of any Allow policy that matches denies; one in which no stage applies leaves it
    undecided (T19). Else they govern, all of them.
    Policies are chosen here and never by the request (T09); what could not be decided is never granted (T11).
    """
    known = PolicySet.of(policies)
    risk = risk_of(request.grant, world.rules)
    if isinstance(request.grant, RoleGrant) and world.role is None:
        # Fail closed: a role that was not resolved has no risk and no verbs, and would fit too much (T11, T22).
        unread = f"{request.grant.role.kind} {request.grant.role.name} could not be read"
        return Evaluation(Verdict.UNDECIDED, ROLE_UNRESOLVED, unread, (), (), risk, pending_timeout_seconds(()))
    labels = world.namespace_labels
    known_facts = None if labels is None else facts(request, labels, risk, world.now, world.rules)
    question = Question(request, risk, labels, known_facts, expressions)
    found = _sort(known, question)
    if found.denying:
        return _denied(DENIED_BY_POLICY, found.denials, risk, found.denying)
    timeout = pending_timeout_seconds(found.allowing)
    terms = _terms(found.allowing, world, question)
    faults = (*found.faults, *terms.faults)
    if faults:
        return _undecided(POLICY_UNDECIDED, faults, risk, timeout)
    if not found.allowing:
        reason = CONDITIONS_NOT_MET if found.hints else NO_POLICY_MATCHES
        return _denied(reason, found.hints or (_no_policy(request),), risk)
    if terms.broken:
        return _denied(LIMIT_EXCEEDED, [breach.message for breach in terms.broken], risk)
    if terms.idle:
        return _undecided(NO_STAGE_APPLIES, terms.idle, risk, timeout)
    message = f"governed by {', '.join(policy.name for policy in found.allowing)}"
    if terms.stages and _has_unknown_authors(request):
        message += f"; each stage asks {TWO_AT_LEAST}, because {AUTHORS_UNKNOWN}"
    return Evaluation(Verdict.GOVERNED, GOVERNED, message, found.allowing, terms.stages, risk, timeout)


def refusal_at_admission(
    request: Request, policies: Sequence[Policy], world: World, expressions: Expressions
) -> tuple[str, ...]:
    """Why a request need not be created: the limits that it breaks in every policy that could match; else nothing.

    Rule: a policy could match if namespaces, requesters, subjects and grants do; labels, conditions and ``unless`` are
    left to the controller, which decides with the world as it is then. If no policy could match, that is for the
    controller to record, and nothing is refused here. A limit that can't be evaluated is not broken. So nothing is
    refused that the controller would grant (T16).
    """
    refusals: list[str] = []
    for policy in PolicySet.of(policies).candidates(request):
        if policy.effect is not Effect.ALLOW or not could_match(policy, request):
            continue
        try:
            broken = breaches(policy, request, world.peers, world.now, expressions)
        except UndecidedError:
            return ()
        if not broken:
            return ()
        refusals += [breach.message for breach in broken]
    return tuple(refusals)


def _sort(policies: PolicySet, question: Question) -> _Sorted:
    allowing: list[Policy] = []
    denying: list[Policy] = []
    denials: list[str] = []
    hints: list[str] = []
    faults: list[Fault] = []
    for policy in policies.candidates(question.request):
        result = fitting(policy, question, policies)
        match result.fit:
            case Fit.DIFFERS:
                continue
            case Fit.UNDECIDED:
                faults += [Fault(policy.name, message) for message in result.messages]
            case Fit.CONDITIONS_FAIL:
                if policy.effect is Effect.ALLOW:
                    hints += [f"{message} (policy {policy.name})" for message in result.messages]
            case Fit.MATCHES:
                if policy.effect is Effect.ALLOW:
                    allowing.append(policy)
                else:
                    denying.append(policy)
                    denials += _denials(policy, result)
            case _:
                assert_never(result.fit)
    return _Sorted(tuple(allowing), tuple(denying), tuple(denials), tuple(hints), tuple(faults))


def _terms(policies: Sequence[Policy], world: World, question: Question) -> _Terms:
    """The terms of the Allow policies that match: their stages add up, and every limit holds."""
    stages: list[AppliedStage] = []
    broken: list[Breach] = []
    idle: list[Fault] = []
    faults: list[Fault] = []
    risk = question.risk
    for policy in policies:
        try:
            broken += breaches(policy, question.request, world.peers, world.now, question.expressions)
            applying = _applying(policy, question)
        except UndecidedError as error:
            faults.append(Fault(policy.name, str(error)))
            continue
        stages += applying
        if not applying and not _leaves_it_to_policy(policy):
            # Fail closed: a policy with stages of which none applies would owe nothing (T19).
            idle.append(Fault(policy.name, f"none of its stages applies at risk {risk.level.label}"))
    return _Terms(tuple(stages), tuple(broken), tuple(idle), tuple(faults))


def _denials(policy: Policy, result: Fitting) -> list[str]:
    if not result.messages:
        return [f"policy {policy.name} denies requests like this one"]
    return [f"{message} (policy {policy.name})" for message in result.messages]


def _applying(policy: Policy, question: Question) -> list[AppliedStage]:
    """The stages of a policy that apply: ``riskAtLeast`` and ``when`` must both hold."""
    asked = by_two_at_least if _has_unknown_authors(question.request) else _as_it_is
    return [
        asked(AppliedStage(policy.name, stage))
        for stage in policy.stages
        if question.risk.level >= (stage.risk_at_least or RiskLevel.LOW)
        and (stage.when is None or holds(stage.when, question))
    ]


def _as_it_is(applied: AppliedStage) -> AppliedStage:
    return applied


def _has_unknown_authors(request: Request) -> bool:
    return isinstance(request.grant, WorkloadGrant) and request.grant.authors_unknown


def _leaves_it_to_policy(policy: Policy) -> bool:
    """Whether a policy approves by itself; one that has stages too (refused at admission) asks them (T10)."""
    return policy.auto_approve and not policy.stages


def _no_policy(request: Request) -> str:
    what = in_words(request.grant)
    subject = request.subject.username
    other = f" to {subject}" if subject != request.requester.username else ""
    return f"no policy lets {request.requester.username} be granted {what}{other} in namespace {request.namespace}"


def _denied(reason: str, messages: Sequence[str], risk: Risk, policies: tuple[Policy, ...] = ()) -> Evaluation:
    return Evaluation(Verdict.DENIED, reason, _told(messages), policies, (), risk, pending_timeout_seconds(()))


def _undecided(reason: str, faults: tuple[Fault, ...], risk: Risk, timeout: int) -> Evaluation:
    message = _told([f"policy {fault.policy}: {fault.message}" for fault in faults])
    return Evaluation(Verdict.UNDECIDED, reason, message, (), (), risk, timeout, faults)


def _told(messages: Sequence[str]) -> str:
    """The messages as one; of very many the first, so that the text always fits into a condition of the status."""
    shown = "; ".join(dict.fromkeys(messages[:MOST_MESSAGES]))
    more = len(messages) - MOST_MESSAGES
    return f"{shown}; and {more} more" if more > 0 else shown
