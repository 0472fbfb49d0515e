"""Requests, policies and reviews for tests: say what matters to the case, and the rest is ordinary.

a_request(role="edit").approved_by("bob").build()
a_policy("shop-edit", a_stage("team", groups=("leads",), required=2))
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from daypass.domain.expressions import Facts, InvalidExpressionError, Predicate, UndecidedError
from daypass.domain.identity import Identity, Subject, SubjectKind, subject_of
from daypass.domain.names import service_account_username
from daypass.domain.permissions import ResolvedRole, RoleReference, Rule
from daypass.domain.policy import (
    ActionPattern,
    AppliedStage,
    Approvers,
    Effect,
    Expression,
    Grants,
    IdentityPattern,
    LabelRequirement,
    Limits,
    Match,
    Policy,
    RiskLevel,
    Stage,
)
from daypass.domain.request import (
    ActionGrant,
    Grant,
    PolicyReference,
    Record,
    Request,
    RoleGrant,
    RulesGrant,
    WorkloadGrant,
)
from daypass.domain.review import Review, ReviewDecision

NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DIGEST: Final = "ab" * 32
READ_PODS: Final = Rule(verbs=("get", "list"), api_groups=("",), resources=("pods",))
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "alice": ("developers",),
    "erin": ("developers",),
    "bob": ("approvers",),
    "carol": ("approvers",),
    "dave": ("approvers", "security"),
}
"""Who belongs where unless a test says otherwise: as on the test bed, and dave is in security too."""


def a_person(name: str, *, groups: tuple[str, ...] | None = None, uid: str = "") -> Identity:
    """Somebody as the API server authenticated them; ``shop/agent`` is a ServiceAccount."""
    namespace, slash, account = name.partition("/")
    if slash:
        accounts = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return Identity(service_account_username(namespace, account), uid, accounts if groups is None else groups)
    return Identity(name, uid, (*(GROUPS.get(name, ()) if groups is None else groups), "system:authenticated"))


def a_subject(name: str) -> Subject:
    """``alice`` is a User, ``shop/agent`` a ServiceAccount."""
    namespace, slash, account = name.partition("/")
    return Subject(SubjectKind.SERVICE_ACCOUNT, account, namespace) if slash else Subject(SubjectKind.USER, name)


def a_role(name: str) -> RoleReference:
    """``edit`` is a ClusterRole, ``Role/deployer`` a Role."""
    kind, slash, role = name.partition("/")
    return RoleReference(kind, role) if slash else RoleReference("ClusterRole", name)


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """A request to be: each method gives another builder."""

    made: Request

    def build(self) -> Request:
        """The request."""
        return self.made

    def reviewed(
        self,
        decision: ReviewDecision,
        *people: str | Identity,
        digest_confirmed: bool = False,
        digest: str = DIGEST,
        comment: str = "",
    ) -> "RequestBuilder":
        """The same with a review of each of these people."""
        made = self.made
        for who in people:
            time = NOON + timedelta(minutes=1 + len(made.reviews))
            review = a_review(
                who,
                decision,
                digest_confirmed=digest_confirmed,
                digest=digest,
                comment=comment,
                time=time,
                uid=made.uid,
            )
            made = replace(made, reviews=(*made.reviews, review))
        return RequestBuilder(made)

    def approved_by(self, *people: str | Identity, digest_confirmed: bool = False) -> "RequestBuilder":
        """Somebody said Approve."""
        return self.reviewed(ReviewDecision.APPROVE, *people, digest_confirmed=digest_confirmed)

    def denied_by(self, *people: str | Identity) -> "RequestBuilder":
        """Somebody said Deny."""
        return self.reviewed(ReviewDecision.DENY, *people)

    def revoked_by(self, *people: str | Identity) -> "RequestBuilder":
        """Somebody said Revoke."""
        return self.reviewed(ReviewDecision.REVOKE, *people)

    def released_by(self, *people: str | Identity) -> "RequestBuilder":
        """Somebody said Release."""
        return self.reviewed(ReviewDecision.RELEASE, *people)

    def recorded(self, record: Record) -> "RequestBuilder":
        """What the controller wrote down so far."""
        return RequestBuilder(replace(self.made, record=record))

    def governed_by(self, *policies: str) -> "RequestBuilder":
        """The policies that status names."""
        references = tuple(PolicyReference(name, f"uid-{name}", 1) for name in policies)
        return self.recorded(replace(self.made.record, policies=references, digest=DIGEST))

    def granted(self, at: datetime = NOON, *, until: datetime | None = None) -> "RequestBuilder":
        """Approved and activated at that time."""
        end = until or at + timedelta(seconds=self.made.duration_seconds)
        return self.recorded(replace(self.made.record, approved_time=at, start_time=at, expiration_time=end))

    def scheduled(self, approved: datetime = NOON) -> "RequestBuilder":
        """Approved for later."""
        return self.recorded(replace(self.made.record, approved_time=approved))

    def ended(self, at: datetime = NOON) -> "RequestBuilder":
        """In a final state since then."""
        return self.recorded(replace(self.made.record, end_time=at))

    def with_(self, **changes: object) -> "RequestBuilder":
        """The same with other values in fields of Request."""
        return RequestBuilder(replace(self.made, **changes))  # type: ignore[arg-type]


def a_request(
    *,
    role: str | None = None,
    rules: Sequence[Rule] = (),
    requester: str | Identity = "alice",
    subject: str | Subject | None = None,
    namespace: str = "shop",
    duration: int = 900,
    ticket: str = "",
    uid: str = "request-1",
    created: datetime = NOON,
    start: datetime | None = None,
    grant: Grant | None = None,
) -> RequestBuilder:
    """A request of alice for ClusterRole view in namespace shop, if nothing else is said."""
    who = a_person(requester) if isinstance(requester, str) else requester
    if isinstance(subject, str):
        subject = a_subject(subject)
    grant = grant or (RulesGrant(tuple(rules)) if rules else RoleGrant(a_role(role or "view")))
    spec = {"reason": "a test", "durationSeconds": duration, "grant": repr(grant)}
    return RequestBuilder(
        Request(
            uid=uid,
            namespace=namespace,
            name=f"name-of-{uid}",
            generation=1,
            creation_time=created,
            requester=who,
            subject=subject or subject_of(who),
            grant=grant,
            duration_seconds=duration,
            reason="a test",
            spec=spec,
            ticket=ticket,
            start_time=start,
            record=Record(digest=DIGEST),
        )
    )


def a_workload(
    *privileges: str,
    account: str = "agent",
    digest: str = "",
    pods: int = 1,
    authors: tuple[str, ...] = (),
    **more: bool,
) -> WorkloadGrant:
    """Leave for pods of ServiceAccount agent to use HostNamespaces, if nothing else is said."""
    asked = privileges or ("HostNamespaces",)
    return WorkloadGrant(account, asked, digest, pods, authors=authors, authors_unknown=more.get("unknown", False))


def an_action(text: str = "delete persistentvolumeclaims data", *, group: str = "", uses: int = 1) -> ActionGrant:
    """Leave for one operation, as ``VERB RESOURCE[/SUBRESOURCE] NAME``."""
    verb, target, name = text.split()
    resource, _, subresource = target.partition("/")
    return ActionGrant(verb, group, resource, subresource, name, max_uses=uses)


def a_review(
    who: str | Identity,
    decision: ReviewDecision = ReviewDecision.APPROVE,
    *,
    digest_confirmed: bool = False,
    digest: str = DIGEST,
    comment: str = "",
    time: datetime = NOON,
    uid: str = "request-1",
) -> Review:
    """A review as admission recorded it."""
    return Review(
        version=1,
        request_uid=uid,
        digest=digest,
        decision=decision,
        reviewer=a_person(who) if isinstance(who, str) else who,
        time=time,
        key_id="0123456789abcdef",
        signature="c2lnbmVk",
        comment=comment,
        digest_confirmed=digest_confirmed,
    )


def a_stage(
    name: str = "team",
    *,
    required: int = 1,
    users: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    service_accounts: tuple[tuple[str, str], ...] = (),
    risk_at_least: RiskLevel | None = None,
    when: str | None = None,
    require_digest: bool = False,
) -> Stage:
    """A stage of group approvers, if nothing else is said."""
    if not users and not groups and not service_accounts:
        groups = ("approvers",)
    return Stage(name, required, Approvers(users, groups, service_accounts), risk_at_least, when, require_digest)


def an_applied(*stages: Stage, policy: str = "p") -> tuple[AppliedStage, ...]:
    """Stages as they apply to a request, of one policy."""
    return tuple(AppliedStage(policy, stage) for stage in stages)


def a_policy(
    name: str = "p",
    *stages: Stage,
    roles: tuple[str, ...] | None = ("view", "edit"),
    rules: tuple[Rule, ...] = (),
    privileges: tuple[str, ...] = (),
    actions: tuple[ActionPattern, ...] = (),
    namespaces: tuple[str, ...] | None = ("shop",),
    selector: tuple[LabelRequirement, ...] | None = None,
    requesters: tuple[IdentityPattern, ...] | None = None,
    subjects: tuple[IdentityPattern, ...] | None = None,
    conditions: tuple[str | Expression, ...] = (),
    unless: tuple[str, ...] = (),
    limits: Limits | None = None,
    auto: bool = False,
    generation: int = 1,
) -> Policy:
    """An Allow policy for view and edit in namespace shop that asks one of group approvers, if nothing else is said."""
    match = Match(
        namespaces=namespaces,
        namespace_selector=selector,
        requesters=requesters,
        subjects=subjects,
        grants=None if roles is None else Grants(tuple(map(a_role, roles)), rules, privileges, actions),
        conditions=tuple(_condition(one) for one in conditions),
        unless=unless,
    )
    return Policy(
        name=name,
        uid=f"uid-{name}",
        generation=generation,
        effect=Effect.ALLOW,
        match=match,
        limits=limits or Limits(),
        auto_approve=auto,
        stages=() if auto else stages or (a_stage(),),
    )


def a_deny(name: str = "freeze", **given: object) -> Policy:
    """A Deny policy that matches everything, if nothing else is said."""
    fields: dict[str, object] = {"roles": None, "namespaces": None, **given}
    made = a_policy(name, **fields)  # type: ignore[arg-type]
    return replace(made, effect=Effect.DENY, stages=())


def a_resolved(*rules: Rule, uid: str = "role-uid") -> ResolvedRole:
    """A role as it is now."""
    return ResolvedRole(uid, rules or (READ_PODS,))


def user(name: str) -> IdentityPattern:
    """A pattern for users."""
    return IdentityPattern("User", name)


def group(name: str) -> IdentityPattern:
    """A pattern for groups."""
    return IdentityPattern("Group", name)


def account(name: str, namespace: str = "") -> IdentityPattern:
    """A pattern for ServiceAccounts."""
    return IdentityPattern("ServiceAccount", name, namespace)


class PlainExpressions:
    """The port of expressions without CEL.

    It knows ``true``, ``false``, ``broken`` (can't be evaluated), ``garbled`` (does not compile), ``object`` (an error
    as a value, true in Python), and what a test adds.
    """

    def __init__(self, **more: Callable[[Facts], bool]) -> None:
        """Know these sources too; in their names ``_`` is a space."""
        self.more = {name.replace("_", " "): predicate for name, predicate in more.items()}
        self.asked: list[str] = []

    def compile(self, source: str) -> Predicate:
        """What the source stands for."""
        self.asked.append(source)
        if source == "garbled":
            raise InvalidExpressionError("garbled: no such overload")
        if source == "broken":
            return _broken
        if source == "object":
            return lambda _: object()  # type: ignore[return-value]
        if source in self.more:
            return self.more[source]
        return lambda _: {"true": True, "false": False}[source]

    def matches(self, pattern: str, text: str) -> bool:
        """Python's own patterns will do."""
        try:
            return re.search(pattern, text) is not None
        except re.error as error:
            raise UndecidedError(f"{pattern} is no pattern: {error}") from error


def _broken(_: Facts) -> bool:
    raise UndecidedError("division by zero")


def _condition(one: str | Expression) -> Expression:
    return one if isinstance(one, Expression) else Expression(one, f"says {one}")
