"""Judge exec, attach and port-forward: who goes into a pod runs what it runs, as its ServiceAccount (T42, T58)."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from daypass.app.admission.answer import NOT_GATED, UNAVAILABLE, UNDECIDED, Answer, Call, allow, refuse
from daypass.app.admission.gates.actions import Actions
from daypass.app.admission.gates.inspection import ADVISORY_SECONDS, Inspection
from daypass.app.admission.gates.operation_gate import PolicyDemand
from daypass.app.admission.gates.operations import Attempt, attempt, operations_of
from daypass.app.ports import PODS, ApiError, Json, Objects
from daypass.domain import gates
from daypass.domain.action_gates import is_component
from daypass.domain.expressions import UndecidedError
from daypass.domain.identity import Identity
from daypass.domain.json_values import member
from daypass.domain.policy import GateMode

_UNGATED: Final = allow(NOT_GATED)


@dataclass(frozen=True, slots=True)
class Connections:
    """Judges what goes into pods, by the gates for pods and by those for operations together: one use of one request."""

    actions: Actions
    inspection: Inspection
    objects: Objects

    def decide(self, call: Call) -> Answer | Coroutine[Any, Any, Answer]:
        """Whether somebody may go into a pod.

        Rule: where a gate names the operation, or a gate for pods concerns the pod as it is now, with the caller as one
        of its authors, an approved action request must cover it: ``connect`` of ``pods/exec``, ``pods/attach`` or
        ``pods/portforward``, by the pod's name.
        """
        if call.caller.username in self.actions.own or is_component(call.caller):
            return _UNGATED
        named = self.actions.matters(call)
        if isinstance(named, Answer):
            return named
        around = self.inspection.known.pod_gates().of(call.namespace)
        if not named and around is None:
            return _UNGATED
        now = self.actions.gate.clock.now()
        what = named[0][0] if named else attempt(call, operations_of(call)[0], self.actions.canonical, now)
        wants = named[0][1] if named else ()
        modes = {*(one.mode for one in wants), *(one.mode for one in (around.gates if around is not None else ()))}
        return self._decide(what, wants, call.caller, dry_run=call.dry_run, enforced=GateMode.ENFORCE in modes)

    async def _decide(
        self, what: Attempt, wants: Sequence[PolicyDemand], caller: Identity, *, dry_run: bool, enforced: bool
    ) -> Answer:
        try:
            async with asyncio.timeout(None if enforced else ADVISORY_SECONDS):
                return await self._settle(what, wants, caller, dry_run=dry_run)
        except (ApiError, UndecidedError, ValueError, TimeoutError) as error:
            if not enforced:
                return allow(UNDECIDED)
            # Fail closed: what the pod uses, or who made it, could not be read.
            return refuse(UNDECIDED, f"Daypass could not decide whether you may go into this pod: {error}", UNAVAILABLE)

    async def _settle(self, what: Attempt, wants: Sequence[PolicyDemand], caller: Identity, *, dry_run: bool) -> Answer:
        pod = await self.objects.get(PODS, what.asked.name, what.asked.namespace)
        if pod is None:
            # The API server is about to say so itself; what is made under the name meanwhile is another pod.
            return refuse("NoSuchPod", f'pods "{what.asked.name}" not found', 404)
        found, privileges = await self._of_pod(pod, what.asked.namespace, caller)
        demands = (*wants, *found)
        if not demands:
            return _UNGATED
        if privileges:
            what = replace(what, findings=(f"the pod uses {', '.join(privileges)}", *what.findings))
        uid = member(pod, "metadata", "uid")
        return await self.actions.gate.decide(replace(what, uid=uid), demands, dry_run=dry_run)

    async def _of_pod(self, pod: Json, namespace: str, caller: Identity) -> tuple[list[PolicyDemand], tuple[str, ...]]:
        """What gates for pods want, and the privileges for which they do."""
        partial = self.inspection.look(pod, namespace, caller, made_earlier=True)
        inspected = None if partial is None else await self.inspection.finish(partial)
        if inspected is None:
            return [], ()
        wanted = [PolicyDemand(one.by.policy, one.by.mode, gates.asks((one,), waits=True)) for one in inspected.demands]
        return wanted, gates.needed(inspected.demands)
