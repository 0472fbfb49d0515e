"""The webhooks of one policy: one for each thing that its gate looks at, under names that tell whose they are.

When the webhook process can't be reached, the API server names the webhook to the caller and says nothing else that
would help: so the name holds the policy and what to look at. It stands in every refusal too.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, assert_never

from daypass.app.gates import actions, conditions
from daypass.app.gates.conditions import Condition
from daypass.app.gates.selectors import namespace_selector
from daypass.app.ports import WORKLOADS, Json
from daypass.domain.gate_bounds import Bounds
from daypass.domain.policy import ActionGate, GateMode, OnMissing, Policy, WorkloadGate

HINT: Final = ".if-unreachable.see-kubectl-get-pods-n."
DOMAIN: Final = ".daypass.dev"
LONGEST_NAMESPACE: Final = 63
LONGEST_NAME: Final = 253
LONGEST_ASPECT: Final = len(".connections") + 4
LONGEST_EXPRESSION: Final = 60_000
"""Characters. The API server parses 100,000; what is longer than this no person wrote."""
PATIENCE_SECONDS: Final = {GateMode.ENFORCE: 5, GateMode.WARN: 3, GateMode.AUDIT: 3}


class TooLongError(Exception):
    """A gate that can't be written; the text says what its author should do."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all gates share."""

    endpoints: Mapping[str, Json]
    """The ``clientConfig`` of each configuration, ``gates`` and ``holds``."""
    bounds: Bounds
    """Whose namespaces no gate ever covers (T45)."""


@dataclass(frozen=True, slots=True)
class Entries:
    """The webhooks of one policy in either configuration."""

    gates: tuple[Json, ...] = ()
    holds: tuple[Json, ...] = ()

    def of(self, kind: str) -> tuple[Json, ...]:
        """Those of the configuration of that kind."""
        return self.gates if kind == "gates" else self.holds


def entries_of(policy: Policy, terms: Terms) -> Entries:
    """What a policy's gate asks the API server to call us for; raises TooLongError."""
    if policy.gate is None:
        return Entries()
    gates: list[Json] = []
    holds: list[Json] = []
    workloads, mode = policy.gate.workloads, policy.gate.mode
    if workloads is not None:
        gates += _workload_gates(policy.name, mode, workloads, terms)
        holds += _workload_holds(policy.name, mode, workloads, terms)
    for number, gate in enumerate(policy.gate.actions, 1):
        gates.append(_action(policy.name, f"action-{number}", mode, gate, terms))
    for entry in (*gates, *holds):
        _bounded(entry)
    return Entries(tuple(gates), tuple(holds))


def stem(policy: str) -> str:
    """The part of a webhook's name that says whose it is: the policy's name, cut where it is too long for that."""
    room = LONGEST_NAME - LONGEST_ASPECT - len(HINT) - LONGEST_NAMESPACE - len(DOMAIN)
    if len(policy) <= room:
        return policy
    digest = hashlib.sha256(policy.encode()).hexdigest()[:10]
    return f"{policy[: room - len(digest) - 1].rstrip('.-')}-{digest}"


def stem_of(entry: Json) -> str:
    """Whose a webhook is, by its name."""
    return str(entry.get("name") or "").rpartition(HINT)[0].rpartition(".")[0]


def _workload_gates(policy: str, mode: GateMode, gate: WorkloadGate, terms: Terms) -> list[Json]:
    make = _Maker(policy, mode, "gates", gate.namespaces, terms)
    pods = [_rule("", ["pods"], "CREATE", "UPDATE"), _rule("", ["pods/ephemeralcontainers", "pods/resize"], "UPDATE")]
    connections = [_rule("", ["pods/attach", "pods/exec", "pods/portforward"], "CONNECT")]
    return [
        make.entry("pods", pods, conditions.pods(gate)),
        make.entry("connections", connections, conditions.connections(gate)),
    ]


def _workload_holds(policy: str, mode: GateMode, gate: WorkloadGate, terms: Terms) -> list[Json]:
    make = _Maker(policy, mode, "holds", gate.namespaces, terms)
    workloads = [
        _rule(group, [one.plural for one in kinds], "CREATE", "UPDATE")
        for group, kinds in groupby(WORKLOADS, key=attrgetter("group"))
    ]
    found: list[Json] = [make.entry("authors", workloads, conditions.authors(gate), reinvocationPolicy="Never")]
    if mode is GateMode.ENFORCE and gate.on_missing is OnMissing.HOLD:
        # What another webhook adds after us may be what needs an approval: then we are asked again.
        pods = [_rule("", ["pods"], "CREATE")]
        found.append(make.entry("pods", pods, conditions.held(gate), reinvocationPolicy="IfNeeded"))
    return found


def _action(policy: str, aspect: str, mode: GateMode, gate: ActionGate, terms: Terms) -> Json:
    make = _Maker(policy, mode, "gates", actions.literal_namespaces(gate), terms)
    return make.entry(aspect, actions.rules(gate), actions.conditions(gate))


def _rule(group: str, resources: Sequence[str], *operations: str) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": list(resources),
        "scope": "Namespaced",
    }


@dataclass(frozen=True, slots=True)
class _Maker:
    """Webhooks of one policy in one configuration, in these namespaces."""

    policy: str
    mode: GateMode
    kind: str
    namespaces: Sequence[str] | None
    terms: Terms

    def entry(
        self, aspect: str, rules: list[dict[str, Any]], demands: Sequence[Condition], **more: str
    ) -> dict[str, Any]:
        """One webhook, with every field that the API server would fill in, so that it can be compared."""
        given = self.namespaces
        literal = None if given is None or any("*" in one for one in given) else given
        return {
            "name": f"{stem(self.policy)}.{aspect}{HINT}{self.terms.bounds.own_namespace}{DOMAIN}",
            "clientConfig": self.terms.endpoints[self.kind],
            "rules": rules,
            "failurePolicy": _failure_policy(self.mode),
            "matchPolicy": "Equivalent",
            "namespaceSelector": namespace_selector(literal, self.terms.bounds.namespaces),
            "objectSelector": {},
            "sideEffects": "NoneOnDryRun",
            "timeoutSeconds": PATIENCE_SECONDS[self.mode],
            "admissionReviewVersions": ["v1"],
            "matchConditions": [conditions.not_ourselves(self.terms.bounds.own_namespace), *demands],
            **more,
        }


def _failure_policy(mode: GateMode) -> str:
    match mode:
        case GateMode.ENFORCE:
            return "Fail"  # Fail closed: what nobody looked at is not let in.
        case GateMode.WARN | GateMode.AUDIT:
            return "Ignore"
        case _:
            assert_never(mode)


def _bounded(entry: Json) -> None:
    for condition in entry["matchConditions"]:
        if len(condition["expression"]) > LONGEST_EXPRESSION:
            message = (
                f"the gate names so much that the API server could not look for it (condition {condition['name']} of"
                f" {entry['name']}): use globs, or split the policy"
            )
            raise TooLongError(message)
