"""The state machine of a request: what should be, from what is known now.

Three phases. Until it is granted a request is *pending*: policy and people decide. Once granted it is *held* until it
ends; policies no longer matter. What has ended *rests*: final states are final. Each phase is one pure function.

A permit (a request for a workload or an action) goes the same way without any object: it begins when status says so
and ends by the clock, so nothing can be taken away from it, and nothing of it is left behind.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from daypass.domain import deadlines, outcomes
from daypass.domain.conditions import State, state_of, was_approved, was_granted
from daypass.domain.evaluation import Evaluation, Verdict
from daypass.domain.grants import FoundJob, Observed
from daypass.domain.limits import DEFAULT_PENDING_TIMEOUT_SECONDS
from daypass.domain.outcomes import Outcome
from daypass.domain.quorum import Tally
from daypass.domain.request import Request
from daypass.domain.uses import used_up


class Phase(Enum):
    """Where a request is in its life."""

    PENDING = "pending"
    HELD = "held"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of a pending request."""

    evaluation: Evaluation | None
    """None when it could not be evaluated: then ``trouble`` says why."""
    tally: Tally | None = None
    trouble: str = ""
    """What could not be read or evaluated."""
    missing: str = ""
    """What the request needs and there is not: a role, a ServiceAccount, a permission of the operator."""
    decided_at: datetime | None = None
    """Time of the latest review that counted."""


def phase_of(request: Request) -> Phase:
    """Which of the three functions decides.

    Until status says that the grant began, everything is judged again, though its objects may be there already: a
    controller may have been killed between making them and writing it down (T37).
    """
    state = state_of(request.record)
    if state is not None and state.final:
        return Phase.RESTING
    return Phase.PENDING if request.record.start_time is None else Phase.HELD


def rest(request: Request, retention_seconds: int) -> Outcome:
    """A final state stays as it is; what is left of the grant goes, and after the retention time the request too."""
    state = state_of(request.record)
    ended = request.record.end_time or request.creation_time
    return Outcome(
        state=state or State.FAILED,
        message="",
        keep_status=True,
        wake=ended + timedelta(seconds=retention_seconds),
        end_time=ended,
    )


def await_answer(
    request: Request, observed: Observed, findings: Findings, now: datetime, handover: datetime | None
) -> Outcome:
    """What becomes of a pending request.

    In this order: withdrawn, impossible, denied by policy, denied by a person, revoked before it began, undecided,
    approved, out of time, waiting. ``handover``: see ``deadlines.activation``.
    """
    evaluation, tally = findings.evaluation, findings.tally
    if request.deletion_time is not None:
        return Outcome(state_of(request.record) or State.UNDECIDED, "", keep_status=True)
    if tally is not None and tally.release is not None:
        return outcomes.released(request, tally.release, now)
    if findings.missing:
        return outcomes.ended(request, State.FAILED, findings.missing, now)
    if evaluation is not None and evaluation.verdict is Verdict.DENIED:
        return outcomes.ended(request, State.DENIED, evaluation.message, now)
    if tally is not None and tally.denial is not None:
        return outcomes.denied(request, tally.denial, now)
    if tally is not None and tally.revocation is not None:
        return outcomes.revoked(request, tally.revocation, now)
    deadline = pending_deadline(request, evaluation)
    if evaluation is None or tally is None or evaluation.verdict is Verdict.UNDECIDED:
        # Fail closed: what can't be decided waits, and times out; it is never granted (T11, T19).
        if now >= deadline and not was_approved(request.record):
            return outcomes.timed_out(request, deadline, now)
        undecided = outcomes.undecided(request, findings.trouble or _message(evaluation), deadline)
        return undecided.waking(deadlines.retry_due(request.creation_time, now))
    if tally.complete:
        return _approved(request, observed, findings, now, handover)
    if now >= deadline:
        return outcomes.timed_out(request, deadline, now)
    return outcomes.waiting(request, tally, deadline)


def pending_deadline(request: Request, evaluation: Evaluation | None) -> datetime:
    """Until when an answer counts: the strictest limit of the policies, from creation; what stands, if undecided."""
    if evaluation is None or evaluation.verdict is Verdict.UNDECIDED:
        recorded = request.record.pending_deadline_time
        if recorded is not None:
            return recorded
    seconds = DEFAULT_PENDING_TIMEOUT_SECONDS if evaluation is None else evaluation.pending_timeout_seconds
    return request.creation_time + timedelta(seconds=seconds)


def _message(evaluation: Evaluation | None) -> str:
    return "" if evaluation is None else evaluation.message


def _approved(
    request: Request, observed: Observed, findings: Findings, now: datetime, handover: datetime | None
) -> Outcome:
    """Everyone agreed: wait for ``startTime``, or begin; go on where a Job says that it was begun."""
    # What policy allows by itself after people were asked was decided just now; before that, when it was made.
    by_policy = request.creation_time if state_of(request.record) is None else now
    decided = findings.decided_at or by_policy
    approved_time = request.record.approved_time or deadlines.floor(now)
    approval = outcomes.approval(findings.tally, findings.evaluation)
    if request.start_time is not None:
        if now < request.start_time:
            return outcomes.scheduled(request.start_time, approved_time, approval)
        decided = max(decided, request.start_time)
    if request.permits:
        # Status alone says that it began: a former controller that did not write it has let nothing through (T37).
        begin = deadlines.floor(now)
        end = deadlines.expiration(begin, request.duration_seconds)
        return outcomes.let_through(request, begin, end, approved_time, approval)
    begin = deadlines.activation(decided, now, handover)
    end = deadlines.expiration(begin, request.duration_seconds)
    persisted = observed.job.content.tag.expiration if observed.job is not None else None
    if persisted is not None:
        latest = deadlines.expiration(deadlines.floor(now), request.duration_seconds)
        if latest < persisted <= latest + deadlines.CLOCK_STEP:
            # Our clock was set back since the Job was made (T32): nobody has access for longer than was approved.
            begin = deadlines.expiration(persisted, -request.duration_seconds)
            return outcomes.about_to_begin(begin, persisted, approved_time, approval)
        # Fail closed: an end later than that of a grant which begins now is not ours.
        end = min(persisted, latest)
        begin = deadlines.expiration(end, -request.duration_seconds)
    if end <= now:
        # Fail closed: a former controller may have granted this, and the grant have ended, without a trace (T37).
        return outcomes.missed(begin, end, approved_time, approval, now)
    return outcomes.active(begin, end, approved_time, approval)


def hold(request: Request, observed: Observed, tally: Tally, drift: str, now: datetime) -> Outcome:
    """What becomes of a grant that was begun.

    In this order: its request is being deleted, released, revoked, over, used up, taken away by others, its dead-man
    Job not at work, its role not what was approved (``drift`` says how), and otherwise it is active. An approver's Deny
    that came too late to prevent the grant ends it. A permit has no objects and no role: of them nothing is asked.
    """
    end = request.record.expiration_time
    if end is None:
        # Fail closed: a grant of which nobody knows the end is none.
        return outcomes.ended(request, State.FAILED, "Nobody knows when the grant ends.", now)
    if request.deletion_time is not None:
        return outcomes.ended(request, State.REVOKED, "RequestDeleted: the request was deleted.", now)
    if tally.release is not None:
        return outcomes.released(request, tally.release, now)
    if tally.revocation is not None or tally.denial is not None:
        return outcomes.revoked(request, tally.revocation or tally.denial, now)
    if now >= end:
        return outcomes.expired(request, end, now)
    if request.permits:
        return _in_force(request, end, now)
    job = observed.job
    if job is None or job.finished or job.found.deleting:
        if deadlines.ended_by_deadline(end, now):
            return outcomes.expired(request, end, now)
        return outcomes.ended(request, State.REVOKED, "DeletedByOthers: the dead-man Job is gone.", now)
    if was_granted(request.record) and not _same_binding(request, observed):
        return outcomes.ended(request, State.REVOKED, "DeletedByOthers: the RoleBinding is gone.", now)
    return _live(request, job, end, drift, now)


def _in_force(request: Request, end: datetime, now: datetime) -> Outcome:
    """A permit whose time runs: until every operation that it lets through has been done."""
    if used_up(request):
        return outcomes.used_up(request, now)
    begin = request.record.start_time or end - timedelta(seconds=request.duration_seconds)
    approved_time = request.record.approved_time or begin
    outcome = outcomes.let_through(request, begin, end, approved_time, outcomes.approval_so_far(request))
    said = request.record.condition("Ready")
    # What was said when it began stays: whether pods waited for it then is known no more.
    return (
        outcome
        if said is None or state_of(request.record) is not State.ACTIVE
        else replace(outcome, message=said.message)
    )


def _live(request: Request, job: FoundJob, end: datetime, drift: str, now: datetime) -> Outcome:
    """A grant whose time runs: given, or held back."""
    begin = request.record.start_time or end - timedelta(seconds=request.duration_seconds)
    approved_time = request.record.approved_time or begin
    approval = outcomes.approval_so_far(request)
    if drift:
        return outcomes.suspended(drift, begin, end, approved_time, approval).waking(deadlines.retry_due(begin, now))
    due = deadlines.start_due(job.created)
    if job.started is None and now >= due:
        return outcomes.held_back(begin, end, approved_time, approval)
    outcome = outcomes.active(begin, end, approved_time, approval)
    if job.started is None:
        return outcome.waking(due)
    return outcome


def _same_binding(request: Request, observed: Observed) -> bool:
    """Whether the RoleBinding that was recorded is still there."""
    binding = observed.binding
    if binding is None or binding.found.deleting:
        return False
    recorded = [one.uid for one in request.record.objects if one.kind == "RoleBinding"]
    return not recorded or binding.found.uid in recorded
