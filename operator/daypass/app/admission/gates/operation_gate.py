"""Decide on a gated operation: it takes a use of a request that covers it, or is refused with what to do."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from daypass.app.admission.answer import COVERED, UNCOVERED, Answer, allow, refuse
from daypass.app.admission.gates import messages
from daypass.app.admission.gates.asking import Asking
from daypass.app.admission.gates.operations import Attempt, is_done_on_dry_run
from daypass.app.admission.gates.permits import Permits
from daypass.app.admission.gates.uses import Uses
from daypass.app.ports import Clock
from daypass.domain import causes
from daypass.domain.deadlines import floor
from daypass.domain.permits import ActionCall
from daypass.domain.plain_text import escaped, shortened
from daypass.domain.policy import GateMode
from daypass.domain.request import Request, Use

LONGEST: Final = 875
"""Characters of a message: an Event holds 1024, with what others write around it."""
SHORTEST: Final = 200


@dataclass(frozen=True, slots=True)
class PolicyDemand:
    """What the gates of one policy want of an operation."""

    policy: str
    mode: GateMode
    request: bool
    """Whether Daypass makes the request itself."""


@dataclass(frozen=True, slots=True)
class OperationGate:
    """The means: the approved requests, their uses, and new requests. ``never`` are namespaces that are never granted."""

    permits: Permits
    uses: Uses
    asking: Asking
    clock: Clock
    never: Collection[str]
    count: Callable[[str, str], None]
    """Told the mode of the gates and what they came to, for a metric."""

    async def decide(self, attempt: Attempt, demands: Collection[PolicyDemand], *, dry_run: bool) -> Answer:
        """Whether an operation goes on, and one more count for each mode of the gates that looked at it."""
        answer = await self._decide(attempt, demands, dry_run=dry_run)
        told = COVERED if answer.decision == COVERED else UNCOVERED
        for mode in dict.fromkeys(one.mode for one in demands):
            self.count(mode.value, answer.decision if mode is GateMode.ENFORCE else told)
        return answer

    async def _decide(self, attempt: Attempt, demands: Collection[PolicyDemand], *, dry_run: bool) -> Answer:
        """Whether an operation goes on.

        Rule: it does under a request that covers it and has a use left, of which one is spent, or without one where no
        gate enforces. On a dry run nothing is spent and nothing is asked for (T47).
        """
        enforcing = [one for one in demands if one.mode is GateMode.ENFORCE]
        asked = attempt.asked
        covering = self.permits.all_for_action(asked)
        if not enforcing:
            return _let_through(asked, demands) if not covering else _covered(covering[0], demands)
        why = "" if covering else self.permits.near_action(asked)
        if covering and dry_run:
            if is_done_on_dry_run(asked.group, asked.resource, asked.subresource):
                # Fail closed: what is no dry run would cost no use, however often it is done.
                return _refused(attempt, enforcing, "a dry run gives a true token: ask for it without dryRun", "")
            return _covered(covering[0], demands)
        if covering:
            permit, why = await self.uses.spend(covering, self._use(attempt), asked.keys)
            if permit is not None:
                return _covered(permit, demands)
        asks = any(one.request for one in enforcing) and not dry_run
        told, paste = await self._help(attempt, why, asks=asks)
        return _refused(attempt, enforcing, told, paste)

    def _use(self, attempt: Attempt) -> Use:
        return Use(attempt.asked.keys[0], attempt.kind, attempt.asked.name, attempt.uid, floor(self.clock.now()))

    async def _help(self, attempt: Attempt, why: str, *, asks: bool) -> tuple[str, str]:
        """What can be done: what became of asking, and the request to be made by hand where there is none."""
        if attempt.asked.namespace in self.never:
            return f"it can't be asked for: requests in namespace {attempt.asked.namespace} are never granted", ""
        if attempt.generated:
            return "give the object a name: what is named by generateName can't be asked for ahead", ""
        cause = causes.of_action(attempt.asked, (*attempt.findings, *attempt.content))
        asked = await self.asking.ask(cause) if asks else None
        if asked is not None and asked.name:
            return "; ".join(filter(None, (asked.message, why))), ""
        earlier = self.permits.earlier_for_action(attempt.asked)
        if earlier.waits:
            return "; ".join(filter(None, (earlier.told, why))), ""
        told = asked.message if asked is not None else why or self.asking.drafts.hopeless(cause)
        return "; ".join(filter(None, (earlier.told, told))), self.asking.drafts.paste(cause)


def _covered(permit: Request, demands: Collection[PolicyDemand]) -> Answer:
    return allow(COVERED, request=f"{permit.namespace}/{permit.name}", **{"request-uid": permit.uid}, **_gates(demands))


def _let_through(asked: ActionCall, demands: Collection[PolicyDemand]) -> Answer:
    """Let it go on, and say so where a gate warns; every mode leaves an audit annotation."""
    warning = [one.policy for one in demands if one.mode is GateMode.WARN]
    text = f"Daypass: {_operation(asked)} would be refused without an approved request (policy {', '.join(warning)})"
    return replace(allow(UNCOVERED, **_gates(demands)), warnings=(text,) if warning else ())


def _refused(attempt: Attempt, demands: Collection[PolicyDemand], told: str, paste: str) -> Answer:
    policies = ", ".join(dict.fromkeys(one.policy for one in demands))
    head = f"{_operation(attempt.asked)}: policy {policies} wants an approved request for that"
    hint = f". {messages.to_ask(paste)}" if paste else ""
    text = escaped("; ".join(filter(None, (head, *attempt.findings, told))))
    answer = refuse("Refused", f"{shortened(text, max(LONGEST - len(hint), SHORTEST))}{hint}")
    return replace(answer, annotations=_gates(demands))


def _operation(asked: ActionCall) -> str:
    return causes.operation_text(asked)


def _gates(demands: Collection[PolicyDemand]) -> dict[str, str]:
    return {"gates": ", ".join(dict.fromkeys(f"{one.policy} ({one.mode.value})" for one in demands))}
