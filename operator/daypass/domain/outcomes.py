"""What a request comes to: a state, its times, what must be there, and the sentence that a person reads."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from daypass.domain import deadlines, names
from daypass.domain.conditions import State, was_approved
from daypass.domain.evaluation import Evaluation
from daypass.domain.plan import NOTHING, Wants
from daypass.domain.quorum import StageProgress, Tally
from daypass.domain.request import Request, WorkloadGrant
from daypass.domain.review import Review
from daypass.domain.times import rfc3339
from daypass.domain.wording import AUTHORS_UNKNOWN, TWO_AT_LEAST, people

_PATIENT: Final = frozenset(
    {
        *(("apps/v1", kind) for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")),
        ("v1", "ReplicationController"),
    }
)
"""Whose controllers try ever more seldom to make what was refused; that of Jobs does each minute."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision on one request at one moment."""

    state: State
    message: str
    wants: Wants = NOTHING
    wake: datetime | None = None
    """When to look again though nothing happened."""
    approved: bool | None = None
    """Where the table of conditions says "as it was"."""
    approval: str = "Approved."
    approved_time: datetime | None = None
    start_time: datetime | None = None
    expiration_time: datetime | None = None
    end_time: datetime | None = None
    pending_deadline_time: datetime | None = None
    keep_status: bool = False
    """Nothing of status is written: it says what there is to say."""

    def waking(self, moment: datetime) -> "Outcome":
        """The same, looked at again at that moment if that is earlier."""
        return replace(self, wake=moment if self.wake is None else min(self.wake, moment))


def ended(request: Request, state: State, message: str, now: datetime, *, end: datetime | None = None) -> Outcome:
    """A final state, with the times that were recorded."""
    record = request.record
    return Outcome(
        state,
        message,
        approved=was_approved(record),
        approval=approval_so_far(request),
        approved_time=record.approved_time,
        start_time=record.start_time,
        expiration_time=record.expiration_time,
        end_time=end or deadlines.floor(now),
        pending_deadline_time=record.pending_deadline_time,
    )


def released(request: Request, review: Review, now: datetime) -> Outcome:
    """The requester or the subject gave it back; what was never approved stays so."""
    return ended(request, State.RELEASED, f"Released by {_said(review)}", now)


def denied(request: Request, review: Review, now: datetime) -> Outcome:
    """Somebody who was asked said no."""
    return replace(ended(request, State.DENIED, f"Denied by {_said(review)}", now), approved=False)


def revoked(request: Request, review: Review | None, now: datetime) -> Outcome:
    """Somebody who was asked took it back."""
    by = _said(review) if review is not None else "an approver."
    return _once_approved(ended(request, State.REVOKED, f"Revoked by {by}", now))


def expired(request: Request, end: datetime, now: datetime) -> Outcome:
    """Its time is over. What went without us went at its deadline."""
    outcome = ended(request, State.EXPIRED, "The time of the grant is over.", now, end=min(end, deadlines.floor(now)))
    begin = outcome.start_time or deadlines.expiration(end, -request.duration_seconds)
    return _once_approved(
        replace(outcome, start_time=begin, expiration_time=end, approved_time=outcome.approved_time or begin)
    )


def used_up(request: Request, now: datetime) -> Outcome:
    """Every operation that it let through was done."""
    count = len(request.record.uses)
    message = f"{'Its one use is' if count == 1 else f'All its {count} uses are'} spent (UsedUp)."
    return _once_approved(ended(request, State.EXPIRED, message, now))


def missed(begin: datetime, end: datetime, approved_time: datetime, approval_text: str, now: datetime) -> Outcome:
    """Approved while a controller was at work that may have granted it; its time has passed since."""
    message = "The time of the grant passed while the controller was restarted; make a new request."
    return Outcome(
        State.EXPIRED,
        message,
        approved=True,
        approval=approval_text,
        approved_time=approved_time,
        start_time=begin,
        expiration_time=end,
        end_time=deadlines.floor(now),
    )


def timed_out(request: Request, deadline: datetime, now: datetime) -> Outcome:
    """Nobody answered in time."""
    message = f"Not approved by {rfc3339(deadline)}."
    return replace(
        ended(request, State.TIMED_OUT, message, now),
        approved=False,
        approved_time=None,
        pending_deadline_time=deadline,
    )


def undecided(request: Request, message: str, deadline: datetime) -> Outcome:
    """Nobody can say yet: what stands in the way is said, and nothing is granted."""
    record = request.record
    return Outcome(
        State.UNDECIDED,
        message or "The request can't be decided.",
        approved=was_approved(record),
        approval=approval_so_far(request),
        approved_time=record.approved_time,
        pending_deadline_time=deadline,
        wake=None if was_approved(record) else deadline,
    )


def waiting(request: Request, tally: Tally, deadline: datetime) -> Outcome:
    """People are asked: says whom."""
    said = [_whom(stage) for stage in tally.progress if not stage.satisfied]
    if isinstance(request.grant, WorkloadGrant) and request.grant.authors_unknown:
        said.append(f"{TWO_AT_LEAST}, because {AUTHORS_UNKNOWN}")
    message = f"Waiting for {'; '.join(said)}; until {rfc3339(deadline)}."
    return Outcome(State.AWAITING_APPROVAL, message, pending_deadline_time=deadline, wake=deadline)


def scheduled(start: datetime, approved_time: datetime, approval_text: str) -> Outcome:
    """Approved for later."""
    return Outcome(
        State.SCHEDULED,
        f"Approved; starts at {rfc3339(start)}.",
        approved=True,
        approval=approval_text,
        approved_time=approved_time,
        wake=start,
    )


def about_to_begin(begin: datetime, end: datetime, approved_time: datetime, approval_text: str) -> Outcome:
    """Its dead-man Job is there already, and within a second its time begins."""
    return replace(
        scheduled(begin, approved_time, approval_text), wants=Wants(chain=True, binding=False, expiration=end)
    )


def active(begin: datetime, end: datetime, approved_time: datetime, approval_text: str) -> Outcome:
    """The access is given."""
    return Outcome(
        State.ACTIVE,
        f"Access is given until {rfc3339(end)}.",
        Wants(chain=True, binding=True, expiration=end),
        approved=True,
        approval=approval_text,
        approved_time=approved_time,
        start_time=begin,
        expiration_time=end,
        wake=end,
    )


def let_through(
    request: Request, begin: datetime, end: datetime, approved_time: datetime, approval_text: str
) -> Outcome:
    """A permit is in force: admission lets through what it covers, and there is nothing to make."""
    return replace(
        active(begin, end, approved_time, approval_text),
        message=f"{_until(end)}{_hurry(request)}",
        wants=NOTHING,
    )


def let_go(outcome: Outcome) -> Outcome:
    """The same where pods are held for it: they go by themselves, and no controller has to be hurried."""
    return outcome if outcome.expiration_time is None else replace(outcome, message=_until(outcome.expiration_time))


def _until(end: datetime) -> str:
    return f"What it asks for is let through until {rfc3339(end)}."


def _hurry(request: Request) -> str:
    """How pods that were refused are made without waiting for their controller, which may be long in trying again."""
    what = _hurried(request)
    if not what:
        return ""
    return (
        " Pods that were refused are made at their controller's next try, in up to 17 minutes; at once after:"
        f" kubectl annotate {what} -n {request.namespace} --overwrite retry={request.name}"
    )


def _hurried(request: Request) -> str:
    """What to annotate; empty where there is nothing, or where its controller tries again soon."""
    if not isinstance(request.grant, WorkloadGrant):
        return ""
    owner = request.grant.owner
    if owner is None:
        # A person's request does not say whose pods it is for; one that Daypass made is for a pod of nobody.
        return "" if request.name.startswith(names.MADE_PREFIX) else "KIND NAME"
    return f"{owner.kind.lower()} {owner.name}" if (owner.api_version, owner.kind) in _PATIENT else ""


def held_back(begin: datetime, end: datetime, approved_time: datetime, approval_text: str) -> Outcome:
    """The dead-man Job is not at work: no access until it is (T66)."""
    return replace(
        active(begin, end, approved_time, approval_text),
        state=State.SCHEDULED,
        message="Waiting for the dead-man Job to start: kube-controller-manager has not taken it up.",
        wants=Wants(chain=True, binding=False, expiration=end),
    )


def suspended(drift: str, begin: datetime, end: datetime, approved_time: datetime, approval_text: str) -> Outcome:
    """What was approved is not what the role gives now: no access until it is again (T23)."""
    return replace(
        active(begin, end, approved_time, approval_text),
        state=State.SUSPENDED,
        message=drift,
        wants=Wants(chain=True, binding=False, expiration=end),
    )


def failed(outcome: Outcome, message: str, now: datetime) -> Outcome:
    """The grant could not be made: nothing of it stays."""
    return replace(
        outcome,
        state=State.FAILED,
        message=message,
        wants=NOTHING,
        wake=None,
        start_time=None,
        expiration_time=None,
        end_time=deadlines.floor(now),
    )


def approval(tally: Tally | None, evaluation: Evaluation | None) -> str:
    """Who agreed, or which policy needs nobody to."""
    people = sorted({name for stage in (tally.progress if tally else ()) for name in stage.approved_by})
    if people:
        return f"Approved by {', '.join(people)}."
    policies = ", ".join(policy.name for policy in (evaluation.policies if evaluation else ()))
    return f"Approved by policy {policies}."


def _once_approved(outcome: Outcome) -> Outcome:
    return replace(outcome, approved=True)


def approval_so_far(request: Request) -> str:
    """What was said when it was approved."""
    recorded = request.record.condition("Approved")
    return recorded.message if recorded is not None and recorded.status == "True" else "Approved."


def _whom(stage: StageProgress) -> str:
    have, need = len(stage.approved_by), stage.stage.required
    demand = ", with the digest" if stage.stage.require_digest else ""
    who = people(stage.stage.approvers)
    return f"policy {stage.policy}, stage {stage.stage.name} ({have} of {need}): {who}{demand}"


def _said(review: Review) -> str:
    return f"{review.reviewer.username}: {review.comment}" if review.comment else f"{review.reviewer.username}."
