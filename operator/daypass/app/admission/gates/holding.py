"""Decide in the mutating phase whether a pod is held."""

from collections.abc import Coroutine, Mapping
from typing import Any, TypeAlias

from daypass.app.admission.answer import INVALID, UNAVAILABLE, UNDECIDED, Answer, Call, allow, refuse
from daypass.app.admission.gates import messages
from daypass.app.admission.gates.holds import Held, held_of, hold, marked, release
from daypass.app.admission.gates.inspection import PartialInspection
from daypass.app.admission.gates.pods import PodGate, digest_only, held_for
from daypass.app.ports import ApiError
from daypass.domain import causes
from daypass.domain.expressions import UndecidedError
from daypass.domain.gates import needed, of_mode, on_missing
from daypass.domain.policy import GateMode, OnMissing

Patch: TypeAlias = tuple[Mapping[str, Any], ...]


def on_creation(call: Call, needs: PodGate) -> Answer | Coroutine[Any, Any, Answer]:
    """Hold a pod that enforcing gates concern, that no approved request covers and that none of them denies.

    What is decided here is only where the pod begins: it is judged again as it will be stored, and there everything
    is asked for. So nothing is reserved or made here, and a dry run needs no other rule. A hold for which nothing
    asks is taken off: nobody would ever let such a pod go.
    """
    pod = call.object
    if pod is None:
        return refuse("UnexpectedCall", "a pod is created here", INVALID)
    free = _answer("Unheld", release(pod))
    gates = needs.inspection.known.pod_gates().of(call.namespace)
    if gates is None or not gates.holds or (call.dry_run and digest_only(pod)):
        return free
    try:
        partial = needs.inspection.look(pod, call.namespace, call.caller)
    except (UndecidedError, ValueError) as error:
        return _undecided(str(error))
    if partial is None or not partial.finds.enforced:
        return free
    return _decide(partial, held_of(pod), hold(pod), free, needs)


async def _decide(partial: PartialInspection, held: Held, hold: Patch, free: Answer, needs: PodGate) -> Answer:
    try:
        seen = await needs.inspection.finish(partial)
    except ApiError as error:
        return _undecided(error.message)
    demands = of_mode(seen.demands, GateMode.ENFORCE) if seen is not None else ()
    if seen is None or not demands or on_missing(demands) is not OnMissing.HOLD:
        return free
    if needs.permits.for_pod(seen.facts, needed(demands)) is not None:
        return free
    mark = held_for(causes.of_pod(seen.facts, needed(demands)))
    if held.node_name:
        return refuse("CantBeHeld", messages.unholdable(seen.facts, demands, held.unfit(mark)))
    return _answer("Held", (*hold, *marked(held, mark)))


def _answer(decision: str, patch: Patch) -> Answer:
    return Answer(allowed=True, decision=decision, patch=patch) if patch else allow(decision)


def _undecided(why: str) -> Answer:
    # Fail closed: without knowing who made the pod, nobody knows whether it may run.
    return refuse(UNDECIDED, f"Daypass could not decide whether to hold this pod: {why}", UNAVAILABLE)
