"""Pods at a gate of a made-up cluster, for moments that the real one can't be made to show."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from app.fake_server import FakeServer
from builders import a_person
from daypass.app.admission.answer import Answer, Call, Operation
from daypass.app.admission.gates import holding, pods
from daypass.app.admission.gates.asking import Asked, Asking
from daypass.app.admission.gates.earlier_requests import Earlier
from daypass.app.admission.gates.inspection import Inspection
from daypass.app.admission.gates.permits import Permits
from daypass.app.admission.gates.pods import PodGate
from daypass.app.admission.gates.uses import Uses
from daypass.app.owners import Owners
from daypass.app.ports import Json
from daypass.domain.causes import Cause
from daypass.domain.gates import GateIndex
from daypass.domain.hold_marks import hold_mark
from daypass.domain.identity import Identity
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import Policy, RiskLevel
from daypass.domain.request import Request, Use, WorkloadGrant
from daypass.domain.risk import Risk
from daypass.signing.canonical import canonical_json
from gate_builders import a_gate, workloads

SHOP = "shop"
CONTROLLER = "system:serviceaccount:daypass-system:daypass-controller"
MARK = hold_mark(WorkloadGrant("agent", ("HostPathVolumes:/var/log",), authors=("alice",)))
"""On pods of alice that mount the node's logs."""
REPLICA_SETS_OWN = Identity("system:serviceaccount:kube-system:replicaset-controller")


@dataclass
class Scene:
    """What is known, what was asked for, and what was counted."""

    policies: Sequence[Policy] = (a_gate("gate", workloads(SHOP, agents=("/agent",), privileges=("HostPathVolumes",))),)
    server: FakeServer = field(default_factory=FakeServer)
    power: Risk | None = field(default_factory=lambda: Risk(RiskLevel.LOW))
    unreadable: list[str] = field(default_factory=list)
    covering: list[Request] = field(default_factory=list)
    by_one: bool = False
    """Whether one person approved what covers: that is enough only where every author is known (T69)."""
    left: bool = True
    asked: Asked | None = None
    earlier: Earlier = field(default_factory=Earlier)
    no_hope: str = ""
    causes: list[Cause] = field(default_factory=list)
    spent: list[Use] = field(default_factory=list)
    counted: list[tuple[str, str]] = field(default_factory=list)

    # What is known.

    def pod_gates(self) -> GateIndex:
        return GateIndex(self.policies, {"kube-system"})

    def account_power(self, _namespace: str, _name: str) -> Risk | None:
        return self.power

    def unreadable_gates(self) -> Sequence[str]:
        return self.unreadable

    # Permits, uses and asking, as far as pods need them.

    def all_for_pod(self, facts: PodFacts, _needed: Sequence[str]) -> list[Request]:
        return [] if self.by_one and facts.authors_unknown else self.covering

    def for_pod(self, _facts: PodFacts, _needed: Sequence[str]) -> Request | None:
        return next(iter(self.covering), None)

    def near_pod(self, _facts: PodFacts, _needed: Sequence[str]) -> str:
        return ""

    def earlier_for_pod(self, _facts: PodFacts, _needed: Sequence[str]) -> Earlier:
        return self.earlier

    async def spend(self, covering: Sequence[Request], use: Use) -> tuple[Request | None, str]:
        if not self.left:
            return None, "request r has no pod left of 1"
        self.spent.append(use)
        return covering[0], ""

    async def ask(self, cause: Cause) -> Asked:
        self.causes.append(cause)
        return self.asked or Asked("daypass-1", None, "request daypass-1 was made and waits for group approvers")

    @property
    def drafts(self) -> "Scene":
        return self

    def paste(self, _cause: Cause) -> str:
        return '{"kind":"AccessRequest"}'

    def hopeless(self, _cause: Cause) -> str:
        return self.no_hope

    # What is done.

    @property
    def gate(self) -> PodGate:
        return PodGate(
            known=self,
            inspection=Inspection(self, Owners(self.server), canonical_json),
            permits=cast("Permits", self),
            uses=cast("Uses", self),
            asking=cast("Asking", self),
            clock=self.server,
            own={CONTROLLER},
            count=lambda mode, outcome: self.counted.append((mode, outcome)),
        )

    async def create(
        self,
        pod: Json,
        caller: Identity | None = None,
        *,
        gate: PodGate | None = None,
        **more: Any,  # noqa: ANN401 - fields of Call
    ) -> Answer:
        return await _answer(pods.on_creation(_call(Operation.CREATE, pod, caller, **more), gate or self.gate))

    async def hold(self, pod: Json, caller: Identity | None = None, **more: Any) -> Answer:  # noqa: ANN401 - fields of Call
        return await _answer(holding.on_creation(_call(Operation.CREATE, pod, caller, **more), self.gate))

    async def update(self, old: Json, pod: Json, caller: Identity | None = None) -> Answer:
        return await _answer(pods.on_update(_call(Operation.UPDATE, pod, caller, old=old), self.gate))


def a_pod(account: str = "agent", *, owner: Json | None = None, **spec: Any) -> Json:  # noqa: ANN401 - fields of a pod
    """A pod that mounts the node's logs, if nothing else is said."""
    owners = [owner] if owner else []
    given = {"volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}], **spec}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": SHOP, "uid": "pod-1", "ownerReferences": owners},
        "spec": {"serviceAccountName": account, "containers": [{"name": "it", "image": "it"}], **given},
    }


def held(pod: Json, mark: str = MARK) -> Json:
    """The same pod with the hold that the mutating phase puts on."""
    annotations = {"daypass.dev/held-for": mark}
    metadata = {**pod["metadata"], "labels": {"daypass.dev/held": "true"}, "annotations": annotations}
    return {
        **pod,
        "metadata": metadata,
        "spec": {**pod["spec"], "schedulingGates": [{"name": "daypass.dev/approval"}]},
    }


def _call(operation: Operation, pod: Json, caller: Identity | None, **more: Any) -> Call:  # noqa: ANN401 - fields of Call
    who = caller or a_person("alice")
    name = pod["metadata"]["name"]
    return Call(operation, "pods", who, name=name, namespace=SHOP, object=pod, group="", **more)


async def _answer(answer: Answer | Coroutine[Any, Any, Answer]) -> Answer:
    return answer if isinstance(answer, Answer) else await answer
