"""The state machine as tables: state in, event, state out; a checker refuses what must never be."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, a_policy, a_request, a_review, a_stage
from daypass.domain.conditions import FINAL, TABLE, State, Summary, conditions, state_of
from daypass.domain.evaluation import Evaluation, Verdict
from daypass.domain.grants import (
    Found,
    FoundBinding,
    FoundJob,
    Observed,
    binding_content,
    job_content,
)
from daypass.domain.lifecycle import Findings, Phase, await_answer, hold, phase_of, rest
from daypass.domain.outcomes import Outcome
from daypass.domain.plan import Wants
from daypass.domain.policy import AppliedStage, RiskLevel
from daypass.domain.quorum import StageProgress, Tally, tally
from daypass.domain.request import Record, Request, WorkloadGrant
from daypass.domain.review import Review, ReviewDecision
from daypass.domain.risk import Risk

STAGE = AppliedStage("shop-edit", a_stage("team", groups=("approvers",)))
MINUTE = timedelta(minutes=1)


def an_evaluation(verdict: Verdict = Verdict.GOVERNED, message: str = "", timeout: int = 3600) -> Evaluation:
    policies = (a_policy("shop-edit", STAGE.stage),)
    return Evaluation(verdict, verdict.value, message, policies, (STAGE,), Risk(RiskLevel.LOW, ()), timeout)


def a_tally(request: Request, *votes: Review) -> Tally:
    return tally(request, (STAGE,), votes)


def findings(request: Request, **changes: object) -> Findings:
    known = Findings(an_evaluation(), a_tally(request, *request.reviews), decided_at=NOON + MINUTE)
    return replace(known, **changes)  # type: ignore[arg-type]


def in_state(request: Request, state: State, now: datetime = NOON, **times: datetime) -> Request:
    """The request with the record that its state leaves behind."""
    summary = Summary(state, "", None, "Approved.")
    earlier = replace(request.record, **times)  # type: ignore[arg-type]
    return replace(request, record=replace(earlier, conditions=conditions(summary, earlier, 1, now)))


def a_chain(request: Request, end: datetime, *, started: datetime | None = NOON, binding: bool = True) -> Observed:
    content = job_content(request, end)
    job = FoundJob(Found("job-1", "5", request.namespace, "daypass-x"), content, NOON, 900, started)
    found = FoundBinding(
        Found("binding-1", "6", request.namespace, "daypass-x"), binding_content(request, end, "job-1")
    )
    return Observed(job, None, found if binding else None)


def possible(outcome: Outcome, now: datetime) -> None:
    """What must hold of every outcome."""
    row = TABLE[outcome.state]
    if outcome.wants.binding:
        assert outcome.state is State.ACTIVE
        assert outcome.wants.chain
        assert outcome.wants.expiration is not None
        assert outcome.wants.expiration > now, "a binding is wanted after its end"
        assert outcome.wants.expiration == outcome.expiration_time
    if outcome.state is State.ACTIVE:
        assert outcome.wants.binding
        assert outcome.start_time is not None
        assert outcome.start_time <= now
        assert outcome.approved_time is not None
    if outcome.state.final:
        assert not outcome.wants.chain
        assert outcome.keep_status or outcome.end_time is not None
    elif not outcome.keep_status:
        assert outcome.wake is not None, "nothing waits in vain"
    assert row.granted == (outcome.state is State.ACTIVE)


@dataclass(frozen=True)
class Case:
    event: str
    change: Callable[[Request], Findings]
    after: State
    minutes: float = 2
    """Since noon, when it was created."""


def _with(decision: ReviewDecision, who: str = "bob") -> Callable[[Request], Findings]:
    def change(request: Request) -> Findings:
        review = a_review(who, decision, uid=request.uid)
        approved = replace(request, record=replace(request.record, approved_time=NOON))
        return findings(request, tally=a_tally(approved, review))

    return change


UNDECIDED = an_evaluation(Verdict.UNDECIDED, "a condition failed")
PENDING = [
    Case("nobody has answered", findings, State.AWAITING_APPROVAL),
    Case("the deadline has passed", findings, State.TIMED_OUT, minutes=60),
    Case("enough approved", _with(ReviewDecision.APPROVE), State.ACTIVE),
    Case("enough approved in time, and the controller was away", _with(ReviewDecision.APPROVE), State.ACTIVE, 61),
    Case("one denied", _with(ReviewDecision.DENY), State.DENIED),
    Case("the requester released", _with(ReviewDecision.RELEASE, "alice"), State.RELEASED),
    Case("revoked before it began", _with(ReviewDecision.REVOKE), State.REVOKED),
    Case("the requester approves", _with(ReviewDecision.APPROVE, "alice"), State.AWAITING_APPROVAL),
    Case("a policy denies", lambda r: findings(r, evaluation=an_evaluation(Verdict.DENIED, "no.")), State.DENIED),
    Case("a policy can't be evaluated", lambda r: findings(r, evaluation=UNDECIDED), State.UNDECIDED),
    Case("undecided until the deadline", lambda r: findings(r, evaluation=UNDECIDED), State.TIMED_OUT, minutes=61),
    Case("the role can't be read", lambda _: Findings(None, trouble="403"), State.UNDECIDED),
    Case("the role is not there", lambda _: Findings(None, missing="ClusterRole view does not exist."), State.FAILED),
    Case("a policy approves by itself", lambda r: findings(r, tally=tally(r, (), ())), State.ACTIVE),
]


@pytest.mark.parametrize("before", [None, State.AWAITING_APPROVAL, State.UNDECIDED], ids=str)
@pytest.mark.parametrize("case", PENDING, ids=lambda case: case.event)
def test_pending(case: Case, before: State | None) -> None:
    request = a_request().build()
    if before is not None:
        request = in_state(request, before)
    now = NOON + case.minutes * MINUTE
    assert phase_of(request) is Phase.PENDING
    outcome = await_answer(request, Observed(), case.change(request), now, None)
    assert outcome.state is case.after
    possible(outcome, now)


def test_message_says_for_whom_it_waits() -> None:
    request = a_request().build()
    message = await_answer(request, Observed(), findings(request), NOON, None).message
    assert message == "Waiting for policy shop-edit, stage team (0 of 1): group approvers; until 2026-03-02T13:00:00Z."


def test_t69_message_says_why_two_are_asked() -> None:
    request = a_request().with_(grant=WorkloadGrant("agent", ("HostPorts",), authors_unknown=True)).build()
    message = await_answer(request, Observed(), findings(request), NOON, None).message
    why = "; two people at least, because not everybody is known who had a hand in the workload; until "
    assert why in message


def test_approved_for_later_is_scheduled_and_begins_then() -> None:
    start = NOON + 10 * MINUTE
    request = a_request(start=start).build()
    approved = _with(ReviewDecision.APPROVE)(request)
    outcome = await_answer(request, Observed(), approved, NOON + MINUTE, None)
    assert (outcome.state, outcome.wake, outcome.wants.chain) == (State.SCHEDULED, start, False)
    outcome = await_answer(request, Observed(), approved, start, None)
    assert (outcome.state, outcome.start_time) == (State.ACTIVE, start)


def test_approval_that_lost_its_digest_waits_again() -> None:
    request = in_state(a_request().build(), State.SCHEDULED, approved_time=NOON)
    outcome = await_answer(request, Observed(), findings(request), NOON + MINUTE, None)
    assert (outcome.state, outcome.approved_time) == (State.AWAITING_APPROVAL, None)


def test_undecided_keeps_what_was_approved() -> None:
    request = in_state(a_request().build(), State.SCHEDULED, approved_time=NOON)
    outcome = await_answer(request, Observed(), findings(request, evaluation=UNDECIDED), NOON + 90 * MINUTE, None)
    assert (outcome.state, outcome.approved) == (State.UNDECIDED, True)


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 15), (1, 15), (4, 60), (20, 300), (24 * 60 - 1, 60)])
def test_what_is_undecided_is_looked_at_again_and_ever_more_seldom(minutes: int, seconds: int) -> None:
    request = in_state(a_request().build(), State.UNDECIDED)
    outcome = await_answer(request, Observed(), Findings(None, trouble="403"), NOON + minutes * MINUTE, None)
    assert outcome.wake == NOON + minutes * MINUTE + timedelta(seconds=seconds)


def test_what_was_approved_and_is_undecided_is_looked_at_again_every_ten_minutes_at_least() -> None:
    request = in_state(a_request().build(), State.SCHEDULED, approved_time=NOON)
    now = NOON + timedelta(days=2)
    outcome = await_answer(request, Observed(), Findings(None, trouble="403"), now, None)
    assert outcome.wake == now + 10 * MINUTE


def test_what_is_suspended_is_looked_at_again() -> None:
    request = an_active()
    outcome = hold(request, a_chain(request, END), a_tally(request), "Suspended: could not be read.", NOON + MINUTE)
    assert outcome.wake == NOON + MINUTE + timedelta(seconds=15)


def test_t37_begun_by_a_killed_controller_goes_on_to_the_end_that_its_job_says() -> None:
    request = in_state(a_request().build(), State.AWAITING_APPROVAL)
    end = NOON + 15 * MINUTE
    outcome = await_answer(
        request, a_chain(request, end), _with(ReviewDecision.APPROVE)(request), NOON + 5 * MINUTE, NOON + 4 * MINUTE
    )
    assert (outcome.state, outcome.start_time, outcome.expiration_time) == (State.ACTIVE, NOON, end)


def test_t39_an_end_that_others_wrote_on_the_job_gives_no_longer_access() -> None:
    request = in_state(a_request(duration=600).build(), State.AWAITING_APPROVAL)
    now, forged = NOON + 5 * MINUTE, NOON + timedelta(days=365)
    outcome = await_answer(request, a_chain(request, forged), _with(ReviewDecision.APPROVE)(request), now, None)
    assert (outcome.state, outcome.start_time, outcome.expiration_time) == (State.ACTIVE, now, now + 10 * MINUTE)
    possible(outcome, now)


def test_t32_a_job_made_before_the_clock_was_set_back_over_a_second_is_ours_and_gives_no_longer_access() -> None:
    request = in_state(a_request(duration=600).build(), State.AWAITING_APPROVAL)
    chain, now = a_chain(request, NOON + 10 * MINUTE), NOON - timedelta(milliseconds=1)
    outcome = await_answer(request, chain, _with(ReviewDecision.APPROVE)(request), now, None)
    assert (outcome.state, outcome.wake) == (State.SCHEDULED, NOON)
    assert outcome.wants == Wants(chain=True, binding=False, expiration=NOON + 10 * MINUTE)
    possible(outcome, now)
    outcome = await_answer(request, chain, _with(ReviewDecision.APPROVE)(request), NOON, None)
    assert (outcome.state, outcome.start_time, outcome.expiration_time) == (State.ACTIVE, NOON, NOON + 10 * MINUTE)
    possible(outcome, NOON)


def test_t37_what_a_killed_controller_may_have_granted_is_not_granted_twice() -> None:
    request = in_state(a_request(duration=600).build(), State.AWAITING_APPROVAL)
    approved = _with(ReviewDecision.APPROVE)(request)
    handover = NOON + 2 * MINUTE
    outcome = await_answer(request, Observed(), approved, NOON + 5 * MINUTE, handover)
    assert (outcome.state, outcome.start_time) == (State.ACTIVE, NOON + MINUTE)
    outcome = await_answer(request, Observed(), approved, NOON + 20 * MINUTE, handover)
    assert outcome.state is State.EXPIRED
    possible(outcome, NOON + 20 * MINUTE)


def test_approved_while_no_controller_was_there_has_its_full_time() -> None:
    request = in_state(a_request(duration=600).build(), State.AWAITING_APPROVAL)
    now = NOON + 20 * MINUTE
    outcome = await_answer(request, Observed(), _with(ReviewDecision.APPROVE)(request), now, NOON)
    assert (outcome.start_time, outcome.expiration_time) == (now, now + 10 * MINUTE)


def test_policy_that_comes_to_approve_by_itself_gives_the_full_time() -> None:
    request = in_state(a_request(duration=600).build(), State.AWAITING_APPROVAL)
    now = NOON + 50 * MINUTE
    alone = findings(request, tally=tally(request, (), ()), decided_at=None)
    outcome = await_answer(request, Observed(), alone, now, NOON + 40 * MINUTE)
    assert (outcome.state, outcome.start_time) == (State.ACTIVE, now)
    new = a_request(duration=600).build()
    outcome = await_answer(new, Observed(), alone, now, NOON + 40 * MINUTE)
    assert outcome.state is State.EXPIRED, "a former controller may have granted it"


def test_deleted_request_is_not_granted() -> None:
    request = replace(a_request().build(), deletion_time=NOON)
    outcome = await_answer(request, Observed(), _with(ReviewDecision.APPROVE)(request), NOON, None)
    assert outcome.keep_status
    assert not outcome.wants.chain


END = NOON + 15 * MINUTE


def an_active(state: State = State.ACTIVE) -> Request:
    times = {"approved_time": NOON, "start_time": NOON, "expiration_time": END}
    return in_state(a_request().build(), state, **times)


@dataclass(frozen=True)
class Held:
    event: str
    after: State
    before: State = State.ACTIVE
    observed: Callable[[Request], Observed] = lambda request: a_chain(request, END)
    votes: tuple[Review, ...] = ()
    drift: str = ""
    minutes: float = 5
    binding: bool | None = None


BOUND = [
    Held("nothing happened", State.ACTIVE, binding=True),
    Held("its time is over", State.EXPIRED, minutes=15),
    Held("revoked", State.REVOKED, votes=(a_review("bob", ReviewDecision.REVOKE),)),
    Held("denied too late to prevent it", State.REVOKED, votes=(a_review("bob", ReviewDecision.DENY),)),
    Held("released", State.RELEASED, votes=(a_review("alice", ReviewDecision.RELEASE),)),
    Held("the role changed", State.SUSPENDED, drift="Suspended: changed.", binding=False),
    Held("suspended, and the role is back", State.ACTIVE, State.SUSPENDED,
         lambda r: a_chain(r, END, binding=False), binding=True),
    Held("suspended until the end", State.EXPIRED, State.SUSPENDED, drift="Suspended: changed.", minutes=16),
    Held("the Job has not started yet", State.ACTIVE, observed=lambda r: a_chain(r, END, started=None), minutes=0.05),
    Held("the Job has not started in time", State.SCHEDULED, observed=lambda r: a_chain(r, END, started=None),
         binding=False),
    Held("the Job started after all", State.ACTIVE, State.SCHEDULED, lambda r: a_chain(r, END, binding=False),
         binding=True),
    Held("somebody deleted the Job", State.REVOKED, observed=lambda _: Observed()),
    Held("somebody deleted the binding", State.REVOKED, observed=lambda r: a_chain(r, END, binding=False)),
    Held("Kubernetes ended it a moment early by its own clock", State.EXPIRED, observed=lambda _: Observed(),
         minutes=14.95),
]  # fmt: skip


@pytest.mark.parametrize("case", BOUND, ids=lambda case: case.event)
def test_held(case: Held) -> None:
    request = an_active(case.before)
    now = NOON + case.minutes * MINUTE
    assert phase_of(request) is Phase.HELD
    outcome = hold(request, case.observed(request), a_tally(request, *case.votes), case.drift, now)
    assert outcome.state is case.after
    assert case.binding is None or outcome.wants.binding is case.binding
    possible(outcome, now)
    if not outcome.state.final:
        assert outcome.expiration_time == END, "the end never moves"


def test_t35_deletion_ends_the_grant_at_once() -> None:
    request = replace(an_active(), deletion_time=NOON)
    outcome = hold(request, a_chain(request, END), a_tally(request), "", NOON + MINUTE)
    assert outcome.state is State.REVOKED
    assert outcome.message.startswith("RequestDeleted")


def test_grant_of_which_nobody_knows_the_end_is_none() -> None:
    request = an_active()
    request = replace(request, record=replace(request.record, expiration_time=None))
    outcome = hold(request, a_chain(request, END), a_tally(request), "", NOON)
    assert outcome.state is State.FAILED
    assert not outcome.wants.chain


def test_job_that_has_not_started_is_looked_at_when_it_is_due() -> None:
    request = an_active()
    outcome = hold(request, a_chain(request, END, started=None), a_tally(request), "", NOON)
    assert outcome.wake == NOON + timedelta(seconds=5)


def test_recreated_binding_is_not_the_one_that_was_made() -> None:
    chain = a_chain(an_active(), END)
    request = an_active()
    request = replace(request, record=replace(request.record, objects=chain.references))
    assert hold(request, chain, a_tally(request), "", NOON).state is State.ACTIVE
    binding = chain.binding
    assert binding is not None
    other = replace(chain, binding=replace(binding, found=replace(binding.found, uid="binding-2")))
    assert hold(request, other, a_tally(request), "", NOON).state is State.REVOKED


@pytest.mark.parametrize("state", sorted(FINAL, key=str), ids=str)
def test_final_states_are_final(state: State) -> None:
    request = in_state(a_request().approved_by("bob").build(), state, end_time=NOON)
    assert phase_of(request) is Phase.RESTING
    outcome = rest(request, 60)
    assert (outcome.state, outcome.keep_status, outcome.wants.chain) == (state, True, False)
    assert outcome.wake == NOON + MINUTE


@pytest.mark.parametrize("state", list(State), ids=str)
def test_conditions_follow_the_table_and_keep_their_times(state: State) -> None:
    summary = Summary(state, "why", None, "Approved by bob.")
    first = conditions(summary, Record(), 1, NOON)
    row = TABLE[state]
    told = {one.type: one.status == "True" for one in first}
    assert told["Granted"] is row.granted
    assert told["Ready"] is row.ready
    assert told.get("Reconciling", False) is row.reconciling
    assert told.get("Stalled", False) is row.stalled
    assert told["Approved"] is (row.approved or False)
    assert {one.observed_generation for one in first} == {1}
    assert state_of(Record(conditions=first)) is state
    again = conditions(summary, Record(conditions=first), 1, NOON + MINUTE)
    assert again == first, "nothing changed, so nothing is written"


@given(
    minutes=st.integers(0, 5000),
    seconds=st.integers(10, 2_592_000),
    handover=st.none() | st.integers(-100, 5000),
    fraction=st.integers(0, 999_999),
)
def test_no_grant_outlives_its_duration(minutes: int, seconds: int, handover: int | None, fraction: int) -> None:
    request = a_request(duration=seconds).build()
    now = NOON + minutes * MINUTE + timedelta(microseconds=fraction)
    approved = _with(ReviewDecision.APPROVE)(request)
    until = None if handover is None else NOON + handover * MINUTE
    outcome = await_answer(request, Observed(), approved, now, until)
    possible(outcome, now)
    if outcome.state is State.ACTIVE:
        assert outcome.expiration_time is not None
        assert outcome.expiration_time - now <= timedelta(seconds=seconds)


def test_progress_lists_names_of_all_kinds_of_approvers() -> None:
    stage = a_stage("team", users=("bob",), groups=("leads",))
    whole = Tally((StageProgress("p", stage, (), satisfied=False),), None, None, None, complete=False)
    request = a_request().build()
    message = await_answer(request, Observed(), findings(request, tally=whole), NOON, None).message
    assert "group leads or user bob" in message
