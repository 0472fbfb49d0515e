"""Going into pods, without an API server: which gates want a say, and what happens when nobody can tell (T42)."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from app.test_actions import OWN, Scene
from builders import a_person, a_policy, account
from daypass.app.admission.answer import Answer, Call, Operation
from daypass.app.admission.gates.connections import Connections
from daypass.app.admission.gates.inspection import Inspection
from daypass.app.owners import Owners
from daypass.app.ports import PODS, Json, UnavailableError
from daypass.domain.gates import GateIndex
from daypass.domain.policy import ActionGate, ActionPattern, Gate, GateMode, Policy, RiskLevel, WorkloadGate
from daypass.domain.risk import Risk
from daypass.signing.canonical import canonical_json

INTO = ActionPattern(("connect",), ("",), ("pods/exec",))
HOST_PATH: Json = {"volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}]}


def gated(mode: GateMode = GateMode.ENFORCE) -> Policy:
    pods = WorkloadGate(("shop",), ("HostPathVolumes",), agents=(account("agent"),), request=True)
    return replace(a_policy(roles=(), privileges=("Baseline",), actions=(INTO,)), gate=Gate(mode, workloads=pods))


class Gates:
    """What is known of gates for pods."""

    def __init__(self, *policies: Policy) -> None:
        self.index = GateIndex(policies, ())

    def pod_gates(self) -> GateIndex:
        return self.index

    def account_power(self, _namespace: str, _name: str) -> Risk | None:
        return Risk(RiskLevel.LOW)


class Corridor(Scene):
    """A pod of the agent's and who goes into it."""

    def __init__(self, *policies: Policy, spec: Json = HOST_PATH, spec_account: str = "agent") -> None:
        super().__init__(*policies)
        server: Any = self.server
        inspection = Inspection(Gates(*policies), Owners(server), canonical_json)
        self.connections = Connections(self.actions, inspection, server)
        containers = [{"name": "it", "image": "it"}]
        full = {"serviceAccountName": spec_account, "containers": containers, **spec}
        self.server.put(PODS, "it", "shop", spec=full)

    async def enter(self, caller: str = "alice", pod: str = "it", **more: Any) -> Answer:  # noqa: ANN401 - fields of Call
        who = replace(a_person("alice"), username=caller) if caller == OWN else a_person(caller)
        call = Call(
            Operation.CONNECT,
            "pods/exec",
            who,
            name=pod,
            namespace="shop",
            group="",
            object={"command": ["id"]},
            **more,
        )
        answer = self.connections.decide(call)
        return await answer if isinstance(answer, Coroutine) else answer


async def test_t42_a_gated_pod_is_entered_under_an_approved_request_only() -> None:
    corridor = Corridor(gated())
    answer = await corridor.enter()
    assert not answer.allowed
    assert "exec into pod it: policy p wants an approved request for that" in answer.message
    assert "the pod uses HostPathVolumes:/var/log; runs: id" in answer.message
    (made,) = (body for key, body in corridor.server.objects.items() if key[0] == "accessrequests")
    assert made["spec"]["action"]["subresource"] == "exec"
    assert made["spec"]["action"]["objectDigest"]


@pytest.mark.parametrize(
    ("spec", "spec_account", "caller", "allowed"),
    [
        ({}, "agent", "alice", True),
        (HOST_PATH, "robot", "alice", True),
        (HOST_PATH, "robot", "shop/agent", False),
        (HOST_PATH, "agent", OWN, True),
        (HOST_PATH, "agent", "kube-system/some-controller", True),
    ],
)
async def test_a_pod_that_uses_nothing_gated_or_is_nobody_s_is_no_concern(
    spec: Json, spec_account: str, caller: str, *, allowed: bool
) -> None:
    assert (await Corridor(gated(), spec=spec, spec_account=spec_account).enter(caller)).allowed is allowed


async def test_t58_a_pod_that_uses_nothing_is_gated_where_a_gate_names_the_operation() -> None:
    by_name = Gate(GateMode.ENFORCE, actions=(ActionGate(("shop",), INTO),))
    assert not (await Corridor(replace(gated(), gate=by_name), spec={}).enter()).allowed
    warning = replace(gated(), gate=replace(by_name, mode=GateMode.WARN))
    answer = await Corridor(warning, spec={}).enter()
    assert (answer.allowed, len(answer.warnings)) == (True, 1)


async def test_a_pod_that_is_not_there_is_not_entered() -> None:
    answer = await Corridor(gated()).enter(pod="other")
    assert (answer.allowed, answer.code) == (False, 404)


async def test_a_namespace_without_gates_costs_no_call() -> None:
    corridor = Corridor(a_policy())
    assert (await corridor.enter()).allowed
    assert corridor.server.calls == []


@pytest.mark.parametrize(("mode", "allowed"), [(GateMode.ENFORCE, False), (GateMode.WARN, True)])
async def test_t11_where_the_pod_can_t_be_read_an_enforcing_gate_refuses(mode: GateMode, *, allowed: bool) -> None:
    corridor = Corridor(gated(mode))
    corridor.server.broken[("get", PODS.plural)] = UnavailableError("no answer")
    answer = await corridor.enter()
    assert (answer.allowed, answer.decision) == (allowed, "CouldNotDecide")


async def test_a_dry_run_asks_for_nothing() -> None:
    corridor = Corridor(gated())
    assert not (await corridor.enter(dry_run=True)).allowed
    assert [verb for verb, _ in corridor.server.calls] == ["get"]
