"""Decide on a pod that is made or changed: covered by an approved request, held, refused, or only told about."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from daypass.app.admission.answer import (
    CONFLICT,
    COVERED,
    INVALID,
    NOT_GATED,
    UNAVAILABLE,
    UNCOVERED,
    UNDECIDED,
    Answer,
    Call,
    allow,
    refuse,
)
from daypass.app.admission.gates import messages
from daypass.app.admission.gates.asking import Asked, Asking
from daypass.app.admission.gates.drafts import Drafts
from daypass.app.admission.gates.holds import Held, held_of
from daypass.app.admission.gates.inspection import ADVISORY_SECONDS, Inspected, Inspection, PartialInspection
from daypass.app.admission.gates.permits import Permits
from daypass.app.admission.gates.uses import Uses
from daypass.app.ports import ApiError, Clock, Json
from daypass.domain import causes, names
from daypass.domain.causes import Cause
from daypass.domain.conditions import State
from daypass.domain.deadlines import floor
from daypass.domain.expressions import UndecidedError
from daypass.domain.gates import Demand, asks, needed, of_mode, on_missing
from daypass.domain.hold_marks import hold_mark
from daypass.domain.json_values import member
from daypass.domain.pod_facts import PodFacts
from daypass.domain.pod_template import obeyed
from daypass.domain.policy import GateMode, OnMissing
from daypass.domain.request import Request, Use, WorkloadGrant

MAX_ANNOTATION: Final = 1_000
"""Characters of an audit annotation of ours."""
_UNGATED: Final = allow(NOT_GATED)

Count = Callable[[str, str], None]
"""Told the mode of the gates and what they came to, for a metric."""


class Readable(Protocol):
    """What is known of policies."""

    def unreadable_gates(self) -> Sequence[str]:
        """The names of policies whose gate could not be read."""
        ...


@dataclass(frozen=True, slots=True)
class PodGate:
    """What deciding on pods needs."""

    known: Readable
    inspection: Inspection
    permits: Permits
    uses: Uses
    asking: Asking
    clock: Clock
    own: Collection[str]
    """Daypass's own usernames, which are never gated."""
    count: Count


@dataclass(frozen=True, slots=True)
class _Case:
    """A pod whose owners are yet to be read, and how it is to be judged."""

    partial: PartialInspection
    held: Held
    dry_run: bool
    may_wait: bool
    """Whether it may be held: only a pod that is being made."""


def on_creation(call: Call, needs: PodGate) -> Answer | Coroutine[Any, Any, Answer]:
    """Judge a pod that is made, on the final object (T50).

    Rule: the privileges that enforcing gates name must all be covered by one approved request, of which a use is
    reserved. Without one, a gate that denies outweighs those that hold; a hold must then be on the pod as it will be
    stored (T57), and can't be on one that names its node (T54). On a dry run nothing is reserved or asked for (T47).
    """
    pod = call.object
    if pod is None:
        return refuse("UnexpectedCall", "a pod is created here", INVALID)
    if call.dry_run and digest_only(pod):
        return allow("DigestOnly")
    return _begin(call, pod, needs)


def on_update(call: Call, needs: PodGate) -> Answer | Coroutine[Any, Any, Answer]:
    """Judge a pod that is changed, by itself or by its ephemeral containers or its size.

    Rule: a held pod's scheduling gate, label and annotation are the controller's alone to take off (T53). Where what it
    runs changes, or an annotation that nodes obey, it is judged as what it becomes: covered by an approved request,
    this pod being one use however often it changes, or refused; it runs already, or waits for what was asked, so that
    it can't be held anew. What another controller takes off of its own, or where the pod may run, is not for gates.
    """
    pod, before = call.object, call.old
    if pod is None or before is None:
        return refuse("UnexpectedCall", "a pod is updated here", INVALID)
    if call.caller.username in needs.own:
        return _UNGATED
    was, held = held_of(before), held_of(pod)
    if was.freed(held):
        return refuse(
            "HoldIsGuarded",
            f"pod {call.name} waits for an approval: Daypass takes its scheduling gate {names.SCHEDULING_GATE}, label"
            f" {names.LABEL_HELD} and annotation {names.ANNOTATION_HELD_FOR} off once its AccessRequest is approved,"
            " and nobody else does",
        )
    if member(before, "spec") == member(pod, "spec") and obeyed(before) == obeyed(pod):
        return _UNGATED
    return _begin(call, pod, needs, before=before)


def digest_only(pod: Json) -> bool:
    """Whether a dry run only asks what a pod would be like."""
    return bool(member(pod, "metadata", "annotations", names.ANNOTATION_DIGEST_ONLY) == "true")


def _begin(call: Call, pod: Json, needs: PodGate, before: Json | None = None) -> Answer | Coroutine[Any, Any, Answer]:
    unreadable = needs.known.unreadable_gates()
    if unreadable:
        # Fail closed: nobody knows whether the gate of that policy concerns this pod (T63).
        return _undecided(f"policy {unreadable[0]} can't be read, and its gate may concern this pod")
    try:
        partial = needs.inspection.look(
            pod, call.namespace, call.caller, made_earlier=before is not None, may_ask=not call.dry_run
        )
        if partial is not None and before is not None and needs.inspection.runs_the_same(partial, before):
            return allow("RunsTheSame")
    except (UndecidedError, ValueError) as error:
        return _undecided(str(error))
    if partial is None:
        return _UNGATED
    return _decide(_Case(partial, held_of(pod), call.dry_run, may_wait=before is None), needs)


async def _decide(case: _Case, needs: PodGate) -> Answer:
    try:
        if case.partial.finds.enforced:
            seen = await needs.inspection.finish(case.partial)
        else:
            async with asyncio.timeout(ADVISORY_SECONDS):
                seen = await needs.inspection.finish(case.partial)
        if seen is None:
            return _UNGATED
        return await _judge(seen, case, needs)
    except (ApiError, TimeoutError) as error:
        if not case.partial.finds.enforced:
            return allow(UNDECIDED)
        if isinstance(error, TimeoutError):
            raise
        # Fail closed: who made the pod, or whether a use is left, could not be read.
        return _undecided(error.message)


async def _judge(seen: Inspected, case: _Case, needs: PodGate) -> Answer:
    warnings, annotations = _advice(seen, needs)
    enforced = of_mode(seen.demands, GateMode.ENFORCE)
    if not enforced:
        decision = UNCOVERED if annotations else COVERED
        return Answer(allowed=True, decision=decision, warnings=warnings, annotations=annotations)
    annotations = {
        **annotations,
        "policies": messages.policies(enforced),
        "privileges": ", ".join(needed(enforced))[:MAX_ANNOTATION],
    }
    answer = await _enforce(seen.facts, enforced, case, needs)
    needs.count(GateMode.ENFORCE.value, answer.decision)
    return Answer(
        allowed=answer.allowed,
        decision=answer.decision,
        message=answer.message,
        code=answer.code,
        warnings=(*answer.warnings, *warnings),
        annotations={**annotations, **answer.annotations},
    )


async def _enforce(facts: PodFacts, demands: Sequence[Demand], case: _Case, needs: PodGate) -> Answer:
    wanted = needed(demands)
    covering = _admitted(facts, wanted, case, needs) or needs.permits.all_for_pod(facts, wanted)
    if covering and case.dry_run:
        return allow(COVERED, request=covering[0].name)
    why = ""
    if covering and not case.held.gated:
        use = Use(facts.uid, "Pod", facts.name, facts.uid, floor(needs.clock.now()))
        permit, why = await needs.uses.spend(covering, use)
        if permit is not None:
            return allow(COVERED, request=permit.name)
    cause = causes.of_pod(facts, wanted)
    if covering and case.held.gated:
        return _held_already(covering, cause, facts, case.held.unfit(held_for(cause)))
    waits = case.may_wait and on_missing(demands) is OnMissing.HOLD
    if waits and (unfit := case.held.unfit(held_for(cause))):
        # Where a use was left a moment ago, and the pod therefore not held, its next try will be.
        return refuse("CantBeHeld", messages.unholdable(facts, demands, why or unfit))
    asked: Asked | None = None
    # A held pod waits for what was asked as it was made: what it is changed to has no leave, and asks for none (T56).
    changed_in_wait = case.held.gated and not case.may_wait
    if asks(demands, waits=case.may_wait) and not changed_in_wait and not case.dry_run:
        asked = await needs.asking.ask(cause)
    named = {"request": asked.name} if asked is not None and asked.name else {}
    if waits and (asked is None or asked.waits):
        text = messages.held(asked.name if asked is not None else "", facts, demands)
        return Answer(allowed=True, decision="Held", warnings=(text,), annotations=named)
    # Fail closed: a pod whose request was denied, or could not be made, would wait for nothing.
    told, pastes = _help(facts, wanted, cause, needs, asked, why)
    denied = asked is not None and asked.state is State.DENIED
    answer = refuse("RequestDenied" if denied else "Refused", messages.refusal(facts, demands, told, pastes))
    return Answer(allowed=False, decision=answer.decision, message=answer.message, code=answer.code, annotations=named)


def _help(
    facts: PodFacts, wanted: Sequence[str], cause: Cause, needs: PodGate, asked: Asked | None, why: str
) -> tuple[str, Iterable[str]]:
    """What can be done for a pod: what became of asking, and the request to be made by hand where there is none."""
    if asked is not None and asked.name:
        return asked.message, ()
    earlier = needs.permits.earlier_for_pod(facts, wanted)
    if earlier.waits:
        return "; ".join(filter(None, (earlier.told, why))), ()
    if asked is not None:
        told = asked.message
    else:
        told = why or needs.permits.near_pod(facts, wanted) or needs.asking.drafts.hopeless(cause)
    return "; ".join(filter(None, (earlier.told, told))), filter(None, _pastes(cause, needs.asking.drafts))


def _pastes(cause: Cause, drafts: Drafts) -> Iterator[str]:
    yield drafts.paste(cause)
    yield drafts.paste(causes.in_brief(cause))  # put into words only where there was no room for the whole


def _admitted(facts: PodFacts, wanted: Sequence[str], case: _Case, needs: PodGate) -> list[Request]:
    """The requests under which this very pod was let in, by a maker who is not at hand any more but was judged then."""
    if not case.partial.made_earlier or case.partial.controller is not None:
        return []
    found = needs.permits.all_for_pod(replace(facts, authors_unknown=False), wanted)
    return [permit for permit in found if any(use.key == facts.uid for use in permit.record.uses)]


def held_for(cause: Cause) -> str:
    """What a pod says that is held for the request of this cause."""
    return hold_mark(cause.grant) if isinstance(cause.grant, WorkloadGrant) else ""


def _held_already(covering: Sequence[Request], cause: Cause, facts: PodFacts, unfit: str) -> Answer:
    """A pod that was held before it was covered, a moment ago: the controller lets it go, or it is not held again.

    A held pod's use is the controller's to write. It does not know who called for the pod: that is said by the request
    that was made for it, and only under that one can it let the pod go.
    """
    for permit in covering:
        if permit.cause == cause.hash and not unfit:
            return allow(COVERED, request=permit.name)
    told = f"request {covering[0].name} has covered pod {facts.name}"
    return refuse("CoveredMeanwhile", f"{told} since a moment ago: try again, and it need not wait", CONFLICT)


def _advice(seen: Inspected, needs: PodGate) -> tuple[tuple[str, ...], dict[str, str]]:
    """What gates that don't enforce have to say where nothing covers what they name."""
    warnings: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    for mode in (GateMode.WARN, GateMode.AUDIT):
        demands = of_mode(seen.demands, mode)
        if not demands:
            continue
        wanted = needed(demands)
        covered = needs.permits.for_pod(seen.facts, wanted) is not None
        needs.count(mode.value, COVERED if covered else UNCOVERED)
        if covered:
            continue
        key = mode.value.lower()
        annotations[f"{key}-policies"] = messages.policies(demands)
        annotations[f"{key}-privileges"] = ", ".join(wanted)[:MAX_ANNOTATION]
        if mode is GateMode.WARN:
            warnings = messages.warnings(demands, seen.facts)
    return warnings, annotations


def _undecided(why: str) -> Answer:
    return refuse(UNDECIDED, f"Daypass could not decide on this pod: {why}", UNAVAILABLE)
