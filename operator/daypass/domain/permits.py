"""Decides whether an approved request covers a pod or an operation, and says why not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from daypass.domain.conditions import State, state_of, was_granted
from daypass.domain.identity import Identity
from daypass.domain.pod_facts import PodFacts
from daypass.domain.privileges import missing
from daypass.domain.quorum import Tally, by_two_at_least, tally
from daypass.domain.request import ActionGrant, Request, WorkloadGrant
from daypass.domain.review import Review, ReviewDecision
from daypass.domain.times import rfc3339

ELSE: Final = "is about something else"
"""What there is no point in telling the caller."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who has a hand in something, by username and by group, and so does not count among those who approved it."""

    usernames: Collection[str]
    groups: Collection[str] = ()

    def approved(self, vote: Review) -> bool:
        """Whether one of them said Approve."""
        who = vote.reviewer
        own = who.username in self.usernames or any(group in self.groups for group in who.groups)
        return own and vote.decision is ReviewDecision.APPROVE


@dataclass(frozen=True, slots=True)
class ActionCall:
    """One operation as admission sees it, spelled as a request would ask for it."""

    namespace: str
    """Where it is asked for: the object's own, and for objects of the whole cluster that of the caller."""
    verb: str
    """create, update, delete or connect."""
    group: str
    resource: str
    subresource: str
    name: str
    object_digest: str
    """Of the object as it would be, of a deletion over the object's uid; empty where there is neither."""
    caller: Identity
    keys: tuple[str, ...]
    """What makes two calls one use (T47): by the first a use is reserved, any of them is this very call."""
    parties: tuple[str, ...] = ()
    """Usernames whom a binding gives a role."""
    party_groups: tuple[str, ...] = ()
    """The same for groups."""

    @property
    def hands(self) -> Hands:
        """Whose approval does not count: the caller's, and theirs who gain by it (T44, T55)."""
        return Hands(frozenset((self.caller.username, *self.parties)), frozenset(self.party_groups))


def closed(permit: Request, now: datetime) -> str:
    """Why nothing passes under a request at this time, in the words "it …"; empty while it is in force.

    Rule: granted as last recorded, between its start and its end by the API server's time, neither ended nor being
    deleted. So a permit ends on time whatever the controller does.
    """
    record, state = permit.record, state_of(permit.record)
    if state is not State.ACTIVE or not was_granted(record) or record.end_time is not None:
        return f"is {state.value}" if state is not None and state is not State.ACTIVE else "is not active"
    if permit.deletion_time is not None:
        return "is being deleted"
    if record.start_time is None or record.expiration_time is None:
        # Fail closed: what has no end written down is not in force.
        return "has no end"
    if now < record.start_time:
        return f"starts at {rfc3339(record.start_time)}"
    if now >= record.expiration_time:
        return f"ended at {rfc3339(record.expiration_time)}"
    return ""


def is_open(permit: Request, now: datetime) -> bool:
    """Whether something may pass under a request at this time."""
    return not closed(permit, now)


def most_uses(permit: Request) -> int:
    """How many pods or operations a request lets through in all."""
    match permit.grant:
        case WorkloadGrant(max_pods=most) | ActionGrant(max_uses=most):
            return most
        case _:
            return 0


def is_spent(permit: Request) -> bool:
    """Whether nothing more passes under a request, however long it is in force."""
    return len(permit.record.uses) >= most_uses(permit)


def refusal(permit: Request, pod: PodFacts, needed: Sequence[str], now: datetime) -> str:
    """Why an approved request does not cover a pod, in the words "it …"; empty when it does.

    ``permit.reviews`` are genuine: the caller has left out the others. Whether a request that asks nobody was left to
    policy is for the caller to know.

    Rule: the namespace, the ServiceAccount and, where the request says it, the digest of what runs are the same; its
    privileges cover all that are needed; it is in force; a pod is left, or this very pod is among those admitted;
    and it was approved by enough people who had no hand in this pod (T55), two at least where not all of those are
    known (T69).
    """
    return mismatch(permit, pod, needed, now) or disapproval(
        permit, Hands(pod.authors), authors_unknown=pod.authors_unknown
    )


def mismatch(permit: Request, pod: PodFacts, needed: Sequence[str], now: datetime) -> str:
    """The same without a look at reviews: most requests are about something else."""
    return difference(permit, pod, needed) or closed(permit, now) or _none_left(permit, "pod", (pod.uid,))


def is_for_account(permit: Request, pod: PodFacts) -> bool:
    """Whether a request is for pods of this pod's ServiceAccount: of all others there is nothing more to ask."""
    grant = permit.grant
    return (
        isinstance(grant, WorkloadGrant)
        and grant.service_account_name == pod.service_account
        and permit.namespace == pod.namespace
    )


def difference(permit: Request, pod: PodFacts, needed: Sequence[str]) -> str:
    """In what a request, whatever became of it, is not for a pod, in the words "it …"; empty where it is."""
    grant = permit.grant
    if not isinstance(grant, WorkloadGrant) or permit.namespace != pod.namespace:
        return ELSE
    if grant.service_account_name != pod.service_account:
        return f"is for pods of ServiceAccount {grant.service_account_name}"
    lacking = missing(grant.privileges, needed)
    if lacking:
        return f"does not name {', '.join(lacking)}"
    if grant.pod_template_digest and grant.pod_template_digest != pod.digest:
        return "is for pods that run something else: its podTemplateDigest differs"
    return ""


def action_mismatch(permit: Request, call: ActionCall, now: datetime) -> str:
    """Why a request does not cover an operation, in the words "it …", but for who approved it; empty when it does.

    Rule: as for pods; the operation, the object's name and, where the request says it, the content are the same, and
    the caller is the request's subject.
    """
    return action_difference(permit, call) or closed(permit, now) or _none_left(permit, "use", call.keys)


def action_difference(permit: Request, call: ActionCall) -> str:
    """In what a request, whatever became of it, is not for an operation, in the words "it …"; empty where it is."""
    grant = permit.grant
    if not isinstance(grant, ActionGrant) or permit.namespace != call.namespace:
        return ELSE
    asked = (grant.verb, grant.group, grant.resource, grant.subresource, grant.name)
    if asked != (call.verb, call.group, call.resource, call.subresource, call.name):
        return ELSE
    if permit.subject.username != call.caller.username:
        return f"is for {permit.subject.username}"
    if grant.object_digest and grant.object_digest != call.object_digest:
        what = "another object of that name" if call.verb == "delete" else "another content"
        return f"is for {what}: its objectDigest differs"
    return ""


def disapproval(permit: Request, hands: Hands, *, authors_unknown: bool = False) -> str:
    """Why the approvals of a request do not count for what these people have a hand in, in the words "it …"; else empty.

    Rule: the recorded stages are filled by reviews of the recorded digest that came in time, none of them by
    those; where an author is unknown, each stage by two people at least. A Deny, Revoke or Release that the
    controller has not acted on yet ends it here. With no stages nobody was asked, and there is nothing to count.
    """
    record = permit.record
    stages = tuple(map(by_two_at_least, record.stages)) if authors_unknown else record.stages
    votes = [vote for vote in permit.reviews if _counts(permit, vote)]
    result = tally(permit, stages, [vote for vote in votes if not hands.approved(vote)])
    if _taken_back(result):
        return "was taken back"
    if result.complete:
        return ""
    own = sorted({vote.reviewer.username for vote in votes if hands.approved(vote)})
    if own:
        return f"was approved by {', '.join(own)}, who had a hand in this and so does not count"
    if authors_unknown and tally(permit, record.stages, votes).complete:
        return "was approved by one person alone, and not everybody is known who had a hand in this"
    # Fail closed: status says that it was approved, and no genuine reviews say so (T01).
    return "was not approved by anybody whose review can be verified"


def _counts(permit: Request, vote: Review) -> bool:
    if vote.decision is ReviewDecision.RELEASE:
        return True
    digest, deadline = permit.record.digest, permit.record.pending_deadline_time
    if not digest or vote.digest != digest:
        return False
    return vote.decision is not ReviewDecision.APPROVE or deadline is None or vote.time <= deadline


def _taken_back(result: Tally) -> bool:
    return any(vote is not None for vote in (result.denial, result.revocation, result.release))


def _none_left(permit: Request, what: str, keys: Collection[str]) -> str:
    if not is_spent(permit) or any(use.key in keys for use in permit.record.uses):
        return ""
    return f"has no {what} left of {most_uses(permit)}"
