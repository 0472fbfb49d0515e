"""Decides whether a policy speaks of a request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from daypass.domain import action_patterns, coverage, globs, privileges
from daypass.domain.expressions import Expressions, Facts, InvalidExpressionError, UndecidedError
from daypass.domain.identity import Identity, SubjectKind
from daypass.domain.label_selectors import selects
from daypass.domain.policy import Effect, Grants, IdentityPattern, Policy
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import ActionGrant, Request, RoleGrant, RulesGrant, WorkloadGrant
from daypass.domain.risk import Risk


class Fit(Enum):
    """How a policy stands to a request."""

    MATCHES = "Matches"
    DIFFERS = "Differs"
    CONDITIONS_FAIL = "ConditionsFail"
    """All but its conditions fit: those messages tell a requester what to change."""
    UNDECIDED = "Undecided"


@dataclass(frozen=True, slots=True)
class Fitting:
    """How a policy stands to a request, and what to tell people of it.

    ``messages`` are those of the conditions that hold (MATCHES) or do not (CONDITIONS_FAIL), or what could not be
    evaluated (UNDECIDED).
    """

    fit: Fit
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A request with all that a policy may ask of it; ``labels`` and ``facts`` are None if they could not be read."""

    request: Request
    risk: Risk
    labels: Mapping[str, str] | None
    facts: Facts | None
    expressions: Expressions


_DIFFERS: Final = Fitting(Fit.DIFFERS)


def fitting(policy: Policy, question: Question, policies: PolicySet) -> Fitting:
    """How a policy stands to a request, those named in its ``unless`` considered.

    Rule: where a policy that ``unless`` names matches by itself, this one steps aside. Only the named policy's own
    match is looked at, not its ``unless``. One that is missing, that can't be evaluated or that is part of a
    cycle leaves the whole undecided: a cycle, in which each would step aside for the next, would leave none, Deny
    policies included (T11).
    """
    own = own_fitting(policy, question)
    if not policy.match.unless or own.fit is Fit.DIFFERS or own.fit is Fit.UNDECIDED:
        return own
    unknown: list[str] = []
    aside = False
    for name in policy.match.unless:
        named = policies.find(name)
        if named is None:
            # Fail closed: nobody can tell whether a policy that is not there would have matched (T10).
            unknown.append(f"unless names policy {name}, which does not exist")
            continue
        other = own_fitting(named, question)
        if other.fit is Fit.UNDECIDED:
            unknown += [f"unless names policy {name}: {message}" for message in other.messages]
        aside = aside or other.fit is Fit.MATCHES
    if policies.is_cyclic(policy.name):
        # Fail closed: in a cycle each policy would step aside for another, and none would be left.
        unknown.append("its unless leads back to itself")
    if unknown:
        return Fitting(Fit.UNDECIDED, tuple(unknown))
    return _DIFFERS if aside else own


def own_fitting(policy: Policy, question: Question) -> Fitting:
    """How a policy's own match stands to a request: all given fields must match, conditions are looked at last."""
    match = policy.match
    if not could_match(policy, question.request):
        return _DIFFERS
    if match.namespace_selector is not None:
        if question.labels is None:
            # Fail closed: a namespace whose labels could not be read fits no selector and fails none (T11).
            return Fitting(Fit.UNDECIDED, (f"the labels of namespace {question.request.namespace} could not be read",))
        try:
            if not selects(match.namespace_selector, question.labels):
                return _DIFFERS
        except UndecidedError as error:
            return Fitting(Fit.UNDECIDED, (str(error),))
    return _conditions(policy, question)


def could_match(policy: Policy, request: Request) -> bool:
    """Whether a policy matches as far as the request alone tells, without labels, conditions and ``unless``.

    Rule: a field that is absent asks nothing, with two exceptions in an Allow policy, which gives only what it
    lists (T09, T18, T21): without ``subjects`` the subject must be the requester, without ``grants`` there is
    nothing to ask for. A Deny policy without them denies all.
    """
    match = policy.match
    allows = policy.effect is Effect.ALLOW
    if match.grants is None:
        if allows:
            # Fail closed: an Allow policy that lists no grants (refused at admission) gives none.
            return False
    elif not _fits_grants(match.grants, request, policy.effect):
        return False
    if match.namespaces is not None and not globs.matches_any(match.namespaces, request.namespace):
        return False
    if match.requesters is not None and not _is_requester(match.requesters, request, policy.effect):
        return False
    if match.subjects is not None:
        return _is_subject(match.subjects, request, policy.effect)
    return not allows or request.subject.username == request.requester.username


def holds(source: str, question: Question) -> bool:
    """Whether an expression is true of the request; raises UndecidedError for all but a clear yes or no (T19)."""
    if question.facts is None:
        # Fail closed: an expression that saw no labels where there are some could decide otherwise (T11).
        message = f"the labels of namespace {question.request.namespace} could not be read"
        raise UndecidedError(message)
    try:
        value = question.expressions.compile(source)(question.facts)
    except InvalidExpressionError as error:
        raise UndecidedError(str(error)) from error
    if value is True:
        return True
    if value is False:
        return False
    # Fail closed: an error as a value would be true in Python (T19).
    message = f"{source} gives no bool"
    raise UndecidedError(message)


def _conditions(policy: Policy, question: Question) -> Fitting:
    met: list[str] = []
    failed: list[str] = []
    unknown: list[str] = []
    for number, condition in enumerate(policy.match.conditions):
        try:
            (met if holds(condition.expression, question) else failed).append(condition.message)
        except UndecidedError as error:
            # Fail closed: could not decide, even where another condition is false: a broken policy shows (T19).
            unknown.append(f"condition {number + 1} can't be evaluated: {error}")
    if unknown:
        return Fitting(Fit.UNDECIDED, tuple(unknown))
    return Fitting(Fit.CONDITIONS_FAIL, tuple(failed)) if failed else Fitting(Fit.MATCHES, tuple(met))


def _fits_grants(grants: Grants, request: Request, effect: Effect) -> bool:
    """Whether what is asked for is within what an Allow policy lists, or touches what a Deny policy lists."""
    match request.grant:
        case RoleGrant(role):
            return role in grants.roles
        case RulesGrant(rules):
            match effect:
                case Effect.ALLOW:
                    return bool(rules) and all(coverage.covers(grants.rules, rule) for rule in rules)
                case Effect.DENY:
                    return any(coverage.overlaps(denied, rule) for denied in grants.rules for rule in rules)
                case _:
                    assert_never(effect)
        case WorkloadGrant(privileges=wanted):
            match effect:
                case Effect.ALLOW:
                    return bool(wanted) and not privileges.missing(grants.privileges, wanted)
                case Effect.DENY:
                    return any(privileges.overlaps(denied, one) for denied in grants.privileges for one in wanted)
                case _:
                    assert_never(effect)
        case ActionGrant():
            return any(action_patterns.covers(pattern, request.grant) for pattern in grants.actions)
        case _:
            assert_never(request.grant)


def _is_requester(patterns: Sequence[IdentityPattern], request: Request, effect: Effect) -> bool:
    requester = request.requester
    named = _names(patterns, requester, request.namespace)
    return _with_authors(patterns, request, effect, requester.username, named=named)


def _is_subject(patterns: Sequence[IdentityPattern], request: Request, effect: Effect) -> bool:
    subject = request.subject
    account = (subject.namespace, subject.name) if subject.kind is SubjectKind.SERVICE_ACCOUNT else None
    named = any(_fits(one, subject.username, account, request.namespace) for one in patterns)
    return _with_authors(patterns, request, effect, subject.username, named=named)


def _with_authors(
    patterns: Sequence[IdentityPattern], request: Request, effect: Effect, username: str, *, named: bool
) -> bool:
    """Whether patterns speak of a request, given whether they name its requester or subject, who has this username.

    Rule: of a workload every author asks. An Allow policy must name them all, a Deny policy one of them (T69): else
    whoever gets a hand in somebody's workload has that person's leave, and a Deny policy for them is evaded. Where
    somebody had a hand in it whom nobody knows, an Allow policy that names people does not speak of it. Groups are
    known of the requester alone.
    """
    if not isinstance(request.grant, WorkloadGrant):
        return named
    others = (Identity(author) for author in request.grant.authors if author != username)
    match effect:
        case Effect.ALLOW:
            everybody = all(_names(patterns, author, request.namespace) for author in others)
            return named and everybody and not request.grant.authors_unknown
        case Effect.DENY:
            return named or any(_names(patterns, author, request.namespace) for author in others)
        case _:
            assert_never(effect)


def _names(patterns: Iterable[IdentityPattern], who: Identity, request_namespace: str) -> bool:
    """Whether patterns name somebody, by groups too."""
    for pattern in patterns:
        if pattern.kind == "Group":
            if globs.any_matches(pattern.name, who.groups):
                return True
        elif _fits(pattern, who.username, who.service_account, request_namespace):
            return True
    return False


def _fits(pattern: IdentityPattern, username: str, account: tuple[str, str] | None, request_namespace: str) -> bool:
    """Whether a pattern names somebody; a ServiceAccount pattern without a namespace means the request's own."""
    if pattern.kind == "User":
        return globs.matches(pattern.name, username)
    if pattern.kind != "ServiceAccount" or account is None:
        return False
    namespace, name = account
    in_namespace = globs.matches(pattern.namespace, namespace) if pattern.namespace else namespace == request_namespace
    return in_namespace and globs.matches(pattern.name, name)
