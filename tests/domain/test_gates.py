"""Which gates concern a pod, what is needed, and what becomes of it without."""

from collections.abc import Sequence

import pytest

from daypass.domain.gates import Demand, GateIndex, asks, needed, of_mode, on_missing
from daypass.domain.policy import GateMode, OnMissing, Policy
from daypass.domain.privileges import Finding
from gate_builders import a_gate, action, workloads

LOGS = Finding("HostPathVolumes", "/var/log", "spec.volumes[0].hostPath")
PRIVILEGED = Finding("PrivilegedContainers", "", "spec.containers[0].securityContext.privileged")
ALL = Finding("Capabilities", "ALL", "spec.containers[0].securityContext.capabilities.add[0]")


def _demands(policies: Sequence[Policy], *findings: Finding, namespace: str = "shop") -> tuple[Demand, ...]:
    gates = GateIndex(policies, {"kube-system"}).of(namespace)
    return () if gates is None else gates.demands(findings)


def _told(demands: Sequence[Demand]) -> dict[str, tuple[str, ...]]:
    return {demand.by.policy: demand.privileges for demand in demands}


def test_only_gates_of_the_namespace_are_asked() -> None:
    policies = [a_gate("a", workloads("shop")), a_gate("b", workloads("bank")), a_gate("c", workloads("sh*"))]
    assert set(_told(_demands(policies, LOGS))) == {"a", "c"}


def test_a_namespace_without_a_gate_costs_nothing() -> None:
    index = GateIndex([a_gate("a", workloads("shop")), a_gate("b", None, action("delete pods"))], ())
    assert index.of("bank") is None
    assert GateIndex([a_gate("b", None, action("delete pods"))], ()).of("shop") is None


def test_t45_a_namespace_that_is_never_gated_is_not_gated_by_a_glob() -> None:
    assert _demands([a_gate("a", workloads("*"))], LOGS, namespace="kube-system") == ()


def test_a_gate_wants_what_it_names_and_no_more() -> None:
    policies = [
        a_gate("paths", workloads(privileges=("HostPathVolumes",))),
        a_gate("baseline", workloads(privileges=("Baseline",))),
        a_gate("elsewhere", workloads(privileges=("HostPathVolumes:/etc",))),
    ]
    told = _told(_demands(policies, LOGS, PRIVILEGED, LOGS))
    assert told == {
        "paths": ("HostPathVolumes:/var/log",),
        "baseline": ("HostPathVolumes:/var/log", "PrivilegedContainers"),
    }


def test_t44_a_gate_on_one_capability_stops_a_pod_that_adds_all() -> None:
    assert _told(_demands([a_gate("a", workloads(privileges=("Capabilities:SYS_ADMIN",)))], ALL)) == {
        "a": ("Capabilities:ALL",)
    }


def test_an_unprivileged_pod_concerns_no_gate() -> None:
    assert _demands([a_gate("a", workloads())]) == ()
    assert _demands([a_gate("a", workloads())], Finding("Devices", "nvidia.com/gpu", "x")) == ()


@pytest.mark.parametrize(
    ("privileges", "asked"),
    [
        (("Baseline",), False),
        (("ServiceAccountPower",), True),
        (("ServiceAccountPower:Critical",), True),
        (("ServiceAccountPower:High", "HostPorts"), True),
    ],
)
def test_t44_what_accounts_may_do_is_looked_up_only_where_a_gate_asks(
    privileges: tuple[str, ...],
    asked: bool,  # noqa: FBT001
) -> None:
    gates = GateIndex([a_gate("a", workloads(privileges=privileges))], ()).of("shop")
    assert gates is not None
    assert gates.asks_power is asked


def test_one_request_must_cover_what_all_gates_name() -> None:
    policies = [
        a_gate("a", workloads(privileges=("HostPathVolumes",))),
        a_gate("b", workloads(privileges=("PrivilegedContainers", "HostPathVolumes"))),
        a_gate("c", workloads(privileges=("Capabilities",)), mode=GateMode.WARN),
    ]
    demands = _demands(policies, LOGS, PRIVILEGED, ALL)
    assert needed(of_mode(demands, GateMode.ENFORCE)) == ("HostPathVolumes:/var/log", "PrivilegedContainers")
    assert needed(of_mode(demands, GateMode.WARN)) == ("Capabilities:ALL",)


def test_a_refusal_by_one_gate_outweighs_every_hold() -> None:
    hold, deny = a_gate("a", workloads(hold=True)), a_gate("b", workloads())
    assert on_missing(_demands([hold], LOGS)) is OnMissing.HOLD
    assert on_missing(_demands([hold, deny], LOGS)) is OnMissing.DENY


def test_a_hold_asks_where_a_pod_can_wait_and_a_refusal_where_it_says_so() -> None:
    holding = _demands([a_gate("a", workloads(hold=True))], LOGS)
    assert asks(holding, waits=True)
    assert not asks(holding, waits=False)
    assert asks(_demands([a_gate("a", workloads(request=True))], LOGS), waits=False)
    assert not asks(_demands([a_gate("a", workloads())], LOGS), waits=True)


def test_holds_are_looked_for_only_where_a_gate_holds() -> None:
    def holds(*policies: Policy) -> bool:
        gates = GateIndex(policies, ()).of("shop")
        assert gates is not None
        return gates.holds

    assert holds(a_gate("a", workloads(hold=True)))
    assert not holds(a_gate("a", workloads()))
    assert not holds(a_gate("a", workloads(hold=True), mode=GateMode.WARN))


def test_a_flood_of_values_is_forgotten_again() -> None:
    index = GateIndex([a_gate("a", workloads(privileges=("HostPathVolumes",)))], ())
    gates = index.of("shop")
    assert gates is not None
    for number in range(3_000):
        gates.demands([Finding("HostPathVolumes", f"/{number}", "x")])
        index.of(f"namespace-{number}")
    assert len(gates._by_privilege) <= 1_024
    assert len(index._by_namespace) <= 1_024
