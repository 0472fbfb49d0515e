"""The life of a permit (kinds workload and action): the same states, without any object."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, a_policy, a_request, a_review, a_stage
from daypass.domain.conditions import TABLE, State, Summary, conditions
from daypass.domain.evaluation import Evaluation, Verdict
from daypass.domain.grants import Observed
from daypass.domain.lifecycle import Findings, Phase, await_answer, hold, phase_of
from daypass.domain.outcomes import Outcome
from daypass.domain.plan import NOTHING
from daypass.domain.policy import AppliedStage, RiskLevel
from daypass.domain.quorum import tally
from daypass.domain.request import ActionGrant, OwnerReference, Request, Use, WorkloadGrant
from daypass.domain.review import Review, ReviewDecision
from daypass.domain.risk import Risk

STAGE = AppliedStage("shop-run", a_stage("team", groups=("approvers",)))
MINUTE = timedelta(minutes=1)
END = NOON + 15 * MINUTE

WORKLOAD = WorkloadGrant("agent", ("HostPathVolumes",), max_pods=2)
DELETION = ActionGrant("delete", "", "persistentvolumeclaims", "", "data", max_uses=2)


def a_permit(grant: WorkloadGrant | ActionGrant = WORKLOAD, *, start: datetime | None = None) -> Request:
    return a_request(start=start).with_(grant=grant).build()


def a_use(key: str, *, confirmed: bool = True) -> Use:
    return Use(key, "Pod", f"name-{key}", key, NOON, confirmed)


def findings(request: Request, *votes: Review, verdict: Verdict = Verdict.GOVERNED) -> Findings:
    policies = (a_policy("shop-run", STAGE.stage),)
    evaluation = Evaluation(verdict, verdict.value, "no.", policies, (STAGE,), Risk(RiskLevel.LOW, ()), 3600)
    return Findings(evaluation, tally(request, (STAGE,), votes), decided_at=NOON + MINUTE)


def an_active(grant: WorkloadGrant | ActionGrant = WORKLOAD, *uses: Use) -> Request:
    request = a_permit(grant)
    earlier = replace(request.record, approved_time=NOON, start_time=NOON, expiration_time=END, uses=uses)
    told = conditions(Summary(State.ACTIVE, "", None, "Approved by bob."), earlier, 1, NOON)
    return replace(request, record=replace(earlier, conditions=told))


def possible(outcome: Outcome, now: datetime) -> None:
    """What must hold of every outcome of a permit."""
    assert outcome.wants == NOTHING
    assert TABLE[outcome.state].granted == (outcome.state is State.ACTIVE)
    if outcome.state is State.ACTIVE:
        assert outcome.start_time is not None
        assert outcome.expiration_time is not None
        assert outcome.start_time <= now < outcome.expiration_time
        assert outcome.wake == outcome.expiration_time
        assert outcome.approved_time is not None
    if outcome.state.final:
        assert outcome.end_time is not None
    else:
        assert outcome.wake is not None, "nothing waits in vain"


@dataclass(frozen=True)
class Case:
    event: str
    change: Callable[[Request], Findings]
    after: State
    minutes: float = 2


APPROVE, DENY = a_review("bob"), a_review("bob", ReviewDecision.DENY)
PENDING = [
    Case("nobody has answered", findings, State.AWAITING_APPROVAL),
    Case("nobody answers in time", findings, State.TIMED_OUT, minutes=60),
    Case("enough approved", lambda r: findings(r, APPROVE), State.ACTIVE),
    Case("one denied", lambda r: findings(r, DENY), State.DENIED),
    Case("the requester released", lambda r: findings(r, a_review("alice", ReviewDecision.RELEASE)), State.RELEASED),
    Case("a policy denies", lambda r: findings(r, verdict=Verdict.DENIED), State.DENIED),
    Case("a policy can't be evaluated", lambda r: findings(r, verdict=Verdict.UNDECIDED), State.UNDECIDED),
    Case("a policy approves by itself", lambda r: replace(findings(r), tally=tally(r, (), ())), State.ACTIVE),
    Case("its workload is gone", lambda _: Findings(None, missing="WorkloadGone: Job x is gone."), State.FAILED),
]


@pytest.mark.parametrize("grant", [WORKLOAD, DELETION], ids=["workload", "action"])
@pytest.mark.parametrize("case", PENDING, ids=lambda case: case.event)
def test_pending(case: Case, grant: WorkloadGrant | ActionGrant) -> None:
    request = a_permit(grant)
    now = NOON + case.minutes * MINUTE
    outcome = await_answer(request, Observed(), case.change(request), now, None)
    assert outcome.state is case.after
    possible(outcome, now)


def test_it_begins_when_it_is_written_down_and_lasts_its_full_time() -> None:
    request = a_permit()
    now = NOON + 2 * MINUTE + timedelta(milliseconds=300)
    outcome = await_answer(request, Observed(), findings(request, APPROVE), now, None)
    assert (outcome.start_time, outcome.expiration_time) == (NOON + 2 * MINUTE, NOON + 17 * MINUTE)
    assert outcome.message.startswith("What it asks for is let through until 2026-03-02T12:17:00Z.")


@pytest.mark.parametrize(
    ("kind", "told"),
    [("apps/v1 Deployment", "deployment web"), ("v1 ReplicationController", "replicationcontroller web"), ("", "KIND NAME"), *[(kind, "") for kind in ("made", "batch/v1 Job", "example.org/v1 Deployment", "v1 Pod")]],
)  # fmt: skip
def test_whose_controller_is_long_in_trying_again_is_told_how_to_make_it_try(kind: str, told: str) -> None:
    version, _, name = kind.partition(" ")
    owner = OwnerReference(version, name, "web", "uid-1") if name else None
    request = replace(a_permit(replace(WORKLOAD, owner=owner)), name="daypass-0a1b2c3d4e" if kind else "ask")
    message = await_answer(request, Observed(), findings(request, APPROVE), NOON, None).message
    assert (f"kubectl annotate {told} -n shop --overwrite retry={request.name}" in message) is bool(told)
    assert message.endswith("Z.") is not bool(told)


def test_t37_what_a_killed_controller_did_not_write_down_it_did_not_give() -> None:
    request = a_permit()
    now = NOON + 50 * MINUTE
    outcome = await_answer(request, Observed(), findings(request, APPROVE), now, NOON + 49 * MINUTE)
    assert (outcome.state, outcome.start_time) == (State.ACTIVE, now), "the time of a grant would count from 12:01"
    written = replace(an_active(), record=replace(an_active().record, uses=(a_use("1"),)))
    assert phase_of(written) is Phase.HELD
    later = hold(written, Observed(), tally(written, (), ()), "", NOON + 9 * MINUTE)
    assert (later.start_time, later.expiration_time) == (NOON, END), "the end never moves"


def test_start_time_is_waited_for() -> None:
    start = NOON + 10 * MINUTE
    request = a_permit(start=start)
    early = await_answer(request, Observed(), findings(request, APPROVE), NOON + MINUTE, None)
    assert (early.state, early.wake) == (State.SCHEDULED, start)
    begun = await_answer(request, Observed(), findings(request, APPROVE), start, None)
    assert (begun.state, begun.start_time) == (State.ACTIVE, start)
    possible(begun, start)


@dataclass(frozen=True)
class Held:
    event: str
    after: State
    request: Request
    votes: tuple[Review, ...] = ()
    minutes: float = 5
    message: str = ""


TWO = (a_use("1"), a_use("2"))
HELD = [
    Held("nothing happened", State.ACTIVE, an_active()),
    Held("its time is over", State.EXPIRED, an_active(), minutes=15, message="The time of the grant is over."),
    Held("an approver revoked", State.REVOKED, an_active(), (a_review("bob", ReviewDecision.REVOKE),)),
    Held("an approver denied too late", State.REVOKED, an_active(), (DENY,)),
    Held("the requester released", State.RELEASED, an_active(), (a_review("alice", ReviewDecision.RELEASE),)),
    Held("one of two uses is spent", State.ACTIVE, an_active(DELETION, TWO[0])),
    Held("all uses are spent", State.EXPIRED, an_active(DELETION, *TWO), message="All its 2 uses are spent (UsedUp)."),
    Held("the one use is spent", State.EXPIRED, an_active(replace(DELETION, max_uses=1), TWO[0]),
         message="Its one use is spent (UsedUp)."),
    Held("the last use is only reserved", State.ACTIVE, an_active(DELETION, TWO[0], a_use("2", confirmed=False))),
    Held("all pods are in: they run on", State.ACTIVE, an_active(WORKLOAD, *TWO)),
]  # fmt: skip


@pytest.mark.parametrize("case", HELD, ids=lambda case: case.event)
def test_held(case: Held) -> None:
    now = NOON + case.minutes * MINUTE
    assert phase_of(case.request) is Phase.HELD
    outcome = hold(case.request, Observed(), tally(case.request, (STAGE,), case.votes), "", now)
    assert outcome.state is case.after
    assert outcome.message == case.message or not case.message
    possible(outcome, now)
    assert (outcome.start_time, outcome.expiration_time) == (NOON, END)


def test_drift_of_roles_is_nothing_to_a_permit() -> None:
    request = an_active()
    assert hold(request, Observed(), tally(request, (), ()), "Suspended: x", NOON + MINUTE).state is State.ACTIVE


def test_t35_deletion_of_the_request_ends_it_at_once() -> None:
    request = replace(an_active(), deletion_time=NOON)
    assert hold(request, Observed(), tally(request, (), ()), "", NOON + MINUTE).state is State.REVOKED


def test_without_a_recorded_end_it_is_none() -> None:
    request = an_active()
    request = replace(request, record=replace(request.record, expiration_time=None))
    assert hold(request, Observed(), tally(request, (), ()), "", NOON).state is State.FAILED


@given(
    minutes=st.integers(0, 5000),
    seconds=st.integers(10, 2_592_000),
    handover=st.none() | st.integers(-100, 5000),
    fraction=st.integers(0, 999_999),
    start=st.none() | st.integers(0, 5000),
)
def test_no_permit_outlives_its_duration_nor_begins_too_early(
    minutes: int, seconds: int, handover: int | None, fraction: int, start: int | None
) -> None:
    request = replace(a_permit(start=start if start is None else NOON + start * MINUTE), duration_seconds=seconds)
    now = NOON + minutes * MINUTE + timedelta(microseconds=fraction)
    until = None if handover is None else NOON + handover * MINUTE
    outcome = await_answer(request, Observed(), findings(request, APPROVE), now, until)
    possible(outcome, now)
    assert outcome.state in {State.ACTIVE, State.SCHEDULED}
    if outcome.expiration_time is not None and outcome.start_time is not None:
        assert outcome.expiration_time - now <= timedelta(seconds=seconds)
        assert request.start_time is None or outcome.start_time >= request.start_time
