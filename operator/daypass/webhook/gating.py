"""Put the gates together: one set of owners, permits, uses and requests behind both of their doors."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from daypass.app.admission.answer import Decide
from daypass.app.admission.gates import holding, pods
from daypass.app.admission.gates.actions import Actions
from daypass.app.admission.gates.asking import Asking
from daypass.app.admission.gates.connections import Connections
from daypass.app.admission.gates.drafts import Drafts
from daypass.app.admission.gates.inspection import Inspection
from daypass.app.admission.gates.operation_gate import OperationGate
from daypass.app.admission.gates.permits import Permits
from daypass.app.admission.gates.pods import PodGate
from daypass.app.admission.gates.uses import Uses
from daypass.app.admission.gates.workloads import Workloads
from daypass.app.owners import Owners
from daypass.app.ports import Canonical, Clock, Objects
from daypass.webhook.known import Known
from daypass.webhook.routes import Gates, Holds, gates, holds


@dataclass(frozen=True, slots=True)
class Gating:
    """What the gates need of the process."""

    known: Known
    objects: Objects
    canonical: Canonical
    clock: Clock
    never: Collection[str]
    """Namespaces in which nothing is gated or granted."""
    own: Collection[str]
    """Daypass's own usernames, the controller's first of all."""
    count: Callable[[str, str], None]


def gate_doors(needs: Gating) -> tuple[Decide, Decide]:
    """The door of the gates and that of the holds."""
    inspection = Inspection(needs.known, Owners(needs.objects), needs.canonical)
    permits = Permits(needs.known, needs.clock)
    uses = Uses(needs.objects, needs.clock)
    asking = Asking(needs.objects, needs.known, needs.clock, Drafts(needs.known, needs.clock))
    operation_gate = OperationGate(permits, uses, asking, needs.clock, needs.never, needs.count)
    actions = Actions(needs.known, operation_gate, needs.objects, needs.canonical, needs.never, needs.own)
    pod_gate = PodGate(needs.known, inspection, permits, uses, asking, needs.clock, needs.own, needs.count)
    gate = gates(
        Gates(
            pods=partial(pods.on_creation, needs=pod_gate),
            updates=partial(pods.on_update, needs=pod_gate),
            connections=Connections(actions, inspection, needs.objects).decide,
            actions=actions.decide,
        )
    )
    return gate, holds(Holds(partial(holding.on_creation, needs=pod_gate), Workloads(inspection, permits).decide))
