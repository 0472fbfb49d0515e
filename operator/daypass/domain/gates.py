"""Decides which gates concern a pod, what is needed of an approved request, and what becomes of the pod without one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from daypass.domain import globs
from daypass.domain.policy import GateMode, OnMissing, Policy, WorkloadGate
from daypass.domain.privileges import PROFILES, Finding, of_pod, overlaps

REMEMBERED: Final = 1_024
"""Namespaces, and privileges of each: what was looked up once is looked up again soon."""
ACCOUNT_POWER: Final = ("ServiceAccountPower:High", "ServiceAccountPower:Critical")


@dataclass(frozen=True, slots=True)
class PolicyGate:
    """The part of a policy that gates pods."""

    policy: str
    mode: GateMode
    gate: WorkloadGate


@dataclass(frozen=True, slots=True)
class Demand:
    """What one gate finds in one pod: the privileges, each once, for which it wants an approved request."""

    by: PolicyGate
    privileges: tuple[str, ...]


class NamespaceGates:
    """The gates of one namespace."""

    __slots__ = ("_by_privilege", "asks_power", "controls", "gates", "holds")

    def __init__(self, gates: Iterable[PolicyGate]) -> None:
        self.gates: Final = tuple(gates)
        self.holds: Final = any(
            one.gate.on_missing is OnMissing.HOLD and one.mode is GateMode.ENFORCE for one in self.gates
        )
        self.controls: Final = frozenset(
            name
            for one in self.gates
            for pattern in one.gate.privileges
            for control in (pattern.partition(":")[0],)
            for name in PROFILES.get(control, (control,))
        )
        """The names of the controls that some gate speaks of: nobody asks about the others."""
        self.asks_power: Final = any(_asks_power(one.gate) for one in self.gates)
        """Whether one of them wants to know what a pod's ServiceAccount may do."""
        self._by_privilege: dict[str, tuple[int, ...]] = {}

    def findings(self, pod: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What a pod uses of what some gate speaks of: of most pods nothing, which costs little to see."""
        return of_pod(pod, self.controls)

    def demands(self, findings: Iterable[Finding]) -> tuple[Demand, ...]:
        """What the gates find in a pod; whether it is an agent's is yet to be seen."""
        found: dict[int, dict[str, None]] = {}
        for finding in findings:
            text = finding.text
            for place in self._naming(text):
                found.setdefault(place, {})[text] = None
        return tuple(Demand(self.gates[place], tuple(found[place])) for place in sorted(found))

    def _naming(self, privilege: str) -> tuple[int, ...]:
        known = self._by_privilege.get(privilege)
        if known is None:
            if len(self._by_privilege) >= REMEMBERED:
                self._by_privilege.clear()
            known = tuple(
                place
                for place, one in enumerate(self.gates)
                if any(overlaps(pattern, privilege) for pattern in one.gate.privileges)
            )
            self._by_privilege[privilege] = known
        return known


class GateIndex:
    """All gates for pods, made once for each change of a policy; a namespace costs one look-up."""

    __slots__ = ("_by_namespace", "_gates", "_never")

    def __init__(self, policies: Iterable[Policy], never: Collection[str]) -> None:
        """``never`` are the namespaces that no gate reaches, whatever its globs say (T45)."""
        self._gates = tuple(
            PolicyGate(policy.name, policy.gate.mode, policy.gate.workloads)
            for policy in policies
            if policy.gate is not None and policy.gate.workloads is not None
        )
        self._never = frozenset(never)
        self._by_namespace: dict[str, NamespaceGates | None] = {}

    def of(self, namespace: str) -> NamespaceGates | None:
        """The gates for the pods of a namespace; None where there are none."""
        if not self._gates or namespace in self._never:
            return None
        if namespace not in self._by_namespace:
            if len(self._by_namespace) >= REMEMBERED:
                self._by_namespace.clear()
            fitting = [one for one in self._gates if globs.matches_any(one.gate.namespaces, namespace)]
            self._by_namespace[namespace] = NamespaceGates(fitting) if fitting else None
        return self._by_namespace[namespace]


def asks_power(policy: Policy) -> bool:
    """Whether a policy's gate wants to know what a pod's ServiceAccount may do."""
    return policy.gate is not None and policy.gate.workloads is not None and _asks_power(policy.gate.workloads)


def _asks_power(gate: WorkloadGate) -> bool:
    return any(overlaps(pattern, power) for pattern in gate.privileges for power in ACCOUNT_POWER)


def of_mode(demands: Iterable[Demand], mode: GateMode) -> tuple[Demand, ...]:
    """The demands of gates of one mode."""
    return tuple(demand for demand in demands if demand.by.mode is mode)


def needed(demands: Iterable[Demand]) -> tuple[str, ...]:
    """All privileges that one approved request must cover, each once."""
    return tuple(dict.fromkeys(privilege for demand in demands for privilege in demand.privileges))


def on_missing(demands: Sequence[Demand]) -> OnMissing:
    """What becomes of a pod whose demands are not met: a refusal by one gate outweighs every hold."""
    held = all(demand.by.gate.on_missing is OnMissing.HOLD for demand in demands)
    return OnMissing.HOLD if held else OnMissing.DENY


def asks(demands: Iterable[Demand], *, waits: bool) -> bool:
    """Whether Daypass makes the request itself: where a gate says so, and for a hold where the pod may wait for it.

    Else whoever may change pods makes a request with each try, for something that can't be held.
    """
    return any(demand.by.gate.request or (waits and demand.by.gate.on_missing is OnMissing.HOLD) for demand in demands)
