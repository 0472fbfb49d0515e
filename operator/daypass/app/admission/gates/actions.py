"""Judge operations that gates name: each passes under an approved request, one use for a call (T44, T47, T58)."""

from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from daypass.app.admission.answer import (
    INVALID,
    NOT_GATED,
    UNAVAILABLE,
    UNDECIDED,
    Answer,
    Call,
    allow,
    refuse,
)
from daypass.app.admission.gates.operation_gate import OperationGate, PolicyDemand
from daypass.app.admission.gates.operations import (
    Attempt,
    attempt,
    is_done_on_dry_run,
    is_eviction,
    of_pod,
    operations_of,
)
from daypass.app.ports import PODS, ApiError, Canonical, Objects
from daypass.domain.action_gates import ActionGates, Concern, gated_first, is_component
from daypass.domain.json_values import member
from daypass.domain.names import ANNOTATION_DIGEST_ONLY
from daypass.domain.policy import GateMode, Policy

_Matter: TypeAlias = tuple[Attempt, tuple[PolicyDemand, ...]]
_UNGATED: Final = allow(NOT_GATED)


class ActionsKnown(Protocol):
    """What is known of policies."""

    def policies(self) -> Sequence[Policy]:
        """Every policy that could be read: the same object until one changes."""
        ...

    def unreadable_gates(self) -> Sequence[str]:
        """The names of policies whose gate could not be read."""
        ...


@dataclass(slots=True)
class Actions:
    """Judges every operation that reaches the gates; ``own`` are Daypass's usernames, which are never gated."""

    known: ActionsKnown
    gate: OperationGate
    objects: Objects
    canonical: Canonical
    never: Collection[str]
    own: Collection[str]
    _policies: Sequence[Policy] = ()
    _gates: ActionGates = field(default_factory=lambda: ActionGates((), ()))

    def decide(self, call: Call) -> Answer | Coroutine[Any, Any, Answer]:
        """Whether an operation goes on; at once where no gate concerns it."""
        matters = self.matters(call)
        if isinstance(matters, Answer):
            return matters
        return self._decide(matters, dry_run=call.dry_run) if matters else _UNGATED

    def matters(self, call: Call) -> list[_Matter] | Answer:
        """The operations of a call that gates concern, with what they want; or a refusal of what can't be judged."""
        if call.caller.username in self.own or is_component(call.caller) or _asks_for_a_digest(call):
            return []
        unreadable = self.known.unreadable_gates()
        if unreadable:
            # Fail closed: nobody knows whether the gate of that policy concerns this operation (T63).
            return refuse(
                UNDECIDED,
                f"policy {unreadable[0]} can't be read, and its gate may concern this: an admin must mend it",
                UNAVAILABLE,
            )
        gates = self._current()
        found: list[_Matter] = []
        for operation in operations_of(call):
            concerns = gates.of(operation)
            if not concerns:
                continue
            try:
                what = attempt(call, gated_first(operation, concerns), self.canonical, self.gate.clock.now())
            except ValueError as error:
                # Fail closed: what has no one spelling can't be agreed to.
                return refuse("Unreadable", f"the object can't be digested: {error}", INVALID)
            found.append((what, tuple(map(_demand, concerns))))
        return found

    async def _decide(self, matters: Sequence[_Matter], *, dry_run: bool) -> Answer:
        answer = _UNGATED
        for matter, demands in matters:
            try:
                what = await self._with_pod(matter) if _spends(matter, demands) else matter
            except ApiError as error:
                # Fail closed: without the pod's uid nobody knows whether this is the same eviction once more.
                return refuse(UNDECIDED, f"Daypass could not decide on this eviction: {error.message}", UNAVAILABLE)
            answer = await self.gate.decide(what, demands, dry_run=dry_run)
            if not answer.allowed:
                return answer
        return answer

    async def _with_pod(self, what: Attempt) -> Attempt:
        """An eviction is the same as long as the pod is: so its uid is the key (T47). Raises ApiError."""
        pod = await self.objects.get(PODS, what.asked.name, what.asked.namespace)
        uid = member(pod, "metadata", "uid")
        return of_pod(what, uid) if isinstance(uid, str) and uid else what

    def _current(self) -> ActionGates:
        policies = self.known.policies()
        if policies is not self._policies:
            self._gates, self._policies = ActionGates(policies, self.never), policies
        return self._gates


def _asks_for_a_digest(call: Call) -> bool:
    """A dry run of ``daypass digest``: who wants leave for an operation has to learn its digest first."""
    if is_done_on_dry_run(call.group, call.plural, call.subresource):
        return False
    return call.dry_run and member(call.object, "metadata", "annotations", ANNOTATION_DIGEST_ONLY) == "true"


def _spends(matter: Attempt, demands: Sequence[PolicyDemand]) -> bool:
    """Whether an eviction may cost a use: gates that only warn or record need no key."""
    return is_eviction(matter.asked) and any(one.mode is GateMode.ENFORCE for one in demands)


def _demand(concern: Concern) -> PolicyDemand:
    return PolicyDemand(concern.policy, concern.mode, concern.gate.request)
