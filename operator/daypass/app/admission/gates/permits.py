"""Find the approved request that covers a pod or an operation; status alone is never believed (T01)."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias

from daypass.app.admission.gates.earlier_requests import Earlier, standing
from daypass.app.ports import Clock
from daypass.domain import permits
from daypass.domain.conditions import State, state_of
from daypass.domain.matching import could_match
from daypass.domain.permits import ActionCall, Hands
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import AppliedStage, Effect, Policy, Stage
from daypass.domain.request import PolicyReference, Request, WorkloadGrant
from daypass.domain.review import Review

_Refusal: TypeAlias = Callable[[Request], str]

_UNANSWERED: Final = (None, State.AWAITING_APPROVAL, State.UNDECIDED, State.SCHEDULED)
REMEMBERED: Final = 4096
"""Requests whose reviews were verified."""


class PermitsKnown(Protocol):
    """What is known of requests, policies and published keys."""

    def permits(self, namespace: str) -> Sequence[Request]:
        """The requests for workloads and actions of a namespace, with their reviews and what was recorded."""
        ...

    def denied(self, namespace: str) -> Sequence[Request]:
        """The requests for workloads and actions of a namespace that were denied."""
        ...

    def policy(self, name: str) -> Policy | None:
        """The policy of that name."""
        ...

    def genuine(self, review: Review) -> bool:
        """Whether one of the published keys signed exactly this."""
        ...

    def keys(self) -> Hashable:
        """Another value whenever the published keys are others: what was verified before is verified again (T61)."""
        ...


@dataclass(slots=True)
class Permits:
    """The approved requests; the reviews of each are verified once, and again when they or the keys change."""

    known: PermitsKnown
    clock: Clock
    _verified: dict[str, tuple[tuple[Review, ...], Hashable, tuple[Review, ...]]] = field(default_factory=dict)

    def for_pod(self, pod: PodFacts, needed: Sequence[str]) -> Request | None:
        """A request that covers a pod, the one that ends first; None where there is none."""
        return next(iter(self.all_for_pod(pod, needed)), None)

    def all_for_pod(self, pod: PodFacts, needed: Sequence[str]) -> list[Request]:
        """Every request that covers a pod: where one has no pod left by the time it is used, the next may."""
        known = self.known.permits(pod.namespace)
        return _covering([one for one in known if permits.is_for_account(one, pod)], self._pod_refusal(pod, needed))

    def for_template(self, pod: PodFacts, needed: Sequence[str]) -> Request | None:
        """A request that covers the pods of a template, or would if they run what it is for.

        What they run is told once they are there: its digest is not looked at. One without a digest goes first.
        """
        found = [one for one in self.known.permits(pod.namespace) if permits.is_for_account(one, pod)]
        covering = [one for one in found if not self._pod_refusal(replace(pod, digest=_digest(one)), needed)(one)]
        return min(covering, key=lambda one: bool(_digest(one)), default=None)

    def near_pod(self, pod: PodFacts, needed: Sequence[str]) -> str:
        """Why a request that is in force does not cover a pod, such as ``request a has no pod left of 3``, or empty."""
        return self._near(pod.namespace, self._pod_refusal(pod, needed))

    def all_for_action(self, call: ActionCall) -> list[Request]:
        """Every request that covers an operation, the one that ends first in front."""
        return _covering(self.known.permits(call.namespace), self._action_refusal(call))

    def near_action(self, call: ActionCall) -> str:
        """Why a request that is in force does not cover an operation, or empty."""
        return self._near(call.namespace, self._action_refusal(call))

    def earlier_for_pod(self, pod: PodFacts, needed: Sequence[str]) -> Earlier:
        """What became so far of asking for a pod."""
        return self._earlier(pod.namespace, lambda one: not permits.difference(one, pod, needed))

    def earlier_for_action(self, call: ActionCall) -> Earlier:
        """What became so far of asking for an operation."""
        return self._earlier(call.namespace, lambda one: not permits.action_difference(one, call))

    def verified(self, permit: Request) -> Request:
        """The request with only those of its reviews that a published key has signed for it."""
        if not permit.reviews:
            return permit
        keys = self.known.keys()
        of, by, found = self._verified.get(permit.uid, ((), None, ()))
        if of != permit.reviews or by != keys:
            found = tuple(one for one in permit.reviews if one.request_uid == permit.uid and self.known.genuine(one))
            self._verified.pop(permit.uid, None)
            self._verified[permit.uid] = (permit.reviews, keys, found)
            if len(self._verified) > REMEMBERED:
                del self._verified[next(iter(self._verified))]
        return permit if found == permit.reviews else replace(permit, reviews=found)

    def unfounded(self, permit: Request) -> str:
        """Why policies do not bear out whom status says had to be asked, in the words "it …"; empty when they do.

        Rule: each recorded stage belongs to a recorded policy; where that policy is still the one that was recorded,
        it has such a stage, and a policy with stages is there with one at least. A policy that was edited since can't
        be compared, and does not touch what is active. Where nobody was asked, a policy that approves by itself must
        be among them, as it is known now: there is no signature to go by.
        """
        record = permit.record
        unheard = next((one.name for one in record.policies if self._is_ahead(one)), "")
        if unheard:
            # Fail closed: what it says now could not be compared; it is heard of in a moment.
            return f"is governed by policy {unheard} as nobody here knows it yet"
        governing = {reference.name: self._same(reference) for reference in record.policies}
        for applied in record.stages:
            if applied.policy not in governing:
                return f"names a stage of policy {applied.policy}, which does not govern it"
            policy = governing[applied.policy]
            if policy is not None and not any(_is_of(applied, stage) for stage in policy.stages):
                return f"names a stage {applied.stage.name} that policy {applied.policy} does not have"
        asked = {applied.policy for applied in record.stages}
        skipped = [name for name, policy in governing.items() if policy and policy.stages and name not in asked]
        if skipped:
            return f"names no stage of policy {skipped[0]}"
        if not asked and not any(self._approves(reference, permit) for reference in record.policies):
            # Fail closed: status says that nobody had to be asked, and no policy says so.
            return "was approved by nobody, and no policy that is known approves it by itself"
        return ""

    def _pod_refusal(self, pod: PodFacts, needed: Sequence[str]) -> _Refusal:
        now, hands = self.clock.now(), Hands(pod.authors)

        def refusal(permit: Request) -> str:
            return permits.mismatch(permit, pod, needed, now) or self._unproven(
                permit, hands, authors_unknown=pod.authors_unknown
            )

        return refusal

    def _action_refusal(self, call: ActionCall) -> _Refusal:
        now, hands = self.clock.now(), call.hands

        def refusal(permit: Request) -> str:
            return permits.action_mismatch(permit, call, now) or self._unproven(permit, hands)

        return refusal

    def _unproven(self, permit: Request, hands: Hands, *, authors_unknown: bool = False) -> str:
        return self.unfounded(permit) or permits.disapproval(
            self.verified(permit), hands, authors_unknown=authors_unknown
        )

    def _near(self, namespace: str, refusal: _Refusal) -> str:
        now = self.clock.now()
        for permit in self.known.permits(namespace):
            if permits.is_open(permit, now):
                why = refusal(permit)
                if why and why != permits.ELSE:
                    return f"request {permit.name} {why}"
        return ""

    def _earlier(self, namespace: str, fits: Callable[[Request], bool]) -> Earlier:
        """The request that waits for an answer, or else the one that was denied last."""
        for permit in self.known.permits(namespace):
            if state_of(permit.record) in _UNANSWERED and fits(permit):
                return Earlier(standing(permit), waits=True)
        denied = [one for one in self.known.denied(namespace) if fits(one)]
        last = max(denied, key=lambda one: one.record.end_time or one.creation_time, default=None)
        return Earlier() if last is None else Earlier(standing(last))

    def _same(self, reference: PolicyReference) -> Policy | None:
        """The policy as it was recorded, if it is still that."""
        policy = self.known.policy(reference.name)
        if policy is None or (policy.uid, policy.generation) != (reference.uid, reference.generation):
            return None
        return policy

    def _is_ahead(self, reference: PolicyReference) -> bool:
        policy = self.known.policy(reference.name)
        return policy is not None and policy.uid == reference.uid and reference.generation > policy.generation

    def _approves(self, reference: PolicyReference, permit: Request) -> bool:
        policy = self.known.policy(reference.name)
        return (
            policy is not None
            and policy.uid == reference.uid
            and policy.effect is Effect.ALLOW
            and policy.auto_approve
            and not policy.stages
            and could_match(policy, permit)
        )


def _digest(permit: Request) -> str:
    """Of what a request's pods run; empty where it is for any."""
    return permit.grant.pod_template_digest if isinstance(permit.grant, WorkloadGrant) else ""


def _covering(known: Sequence[Request], refusal: _Refusal) -> list[Request]:
    return sorted([one for one in known if not refusal(one)], key=_end)


def _is_of(applied: AppliedStage, stage: Stage) -> bool:
    """Whether a recorded stage is this one of the policy, or a stricter one."""
    one, other = applied.stage.approvers, stage.approvers
    return (
        applied.stage.name == stage.name
        and applied.stage.required >= stage.required
        and applied.stage.require_digest >= stage.require_digest
        and {*one.users} == {*other.users}
        and {*one.groups} == {*other.groups}
        and {*one.service_accounts} == {*other.service_accounts}
    )


def _end(permit: Request) -> tuple[str, str]:
    end = permit.record.expiration_time
    return (end.isoformat() if end is not None else "", permit.name)
