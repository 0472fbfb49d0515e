"""Gates for tests: say what matters to the case, and the rest is ordinary."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from builders import a_policy
from daypass.app.gates.configurations import CONFIGURATIONS, body
from daypass.app.gates.entries import Terms, entries_of
from daypass.domain.gate_bounds import Bounds
from daypass.domain.policy import (
    ActionGate,
    ActionPattern,
    Gate,
    GateMode,
    IdentityPattern,
    OnMissing,
    OwnerKind,
    Policy,
    WorkloadGate,
)


def someone(text: str) -> IdentityPattern:
    """``User/alice``, ``Group/developers``, ``shop/agent`` (a ServiceAccount), ``/agent`` (one of the same namespace)."""
    kind, _, name = text.partition("/")
    if kind in {"User", "Group"}:
        return IdentityPattern(kind, name)
    return IdentityPattern("ServiceAccount", name, kind)


def workloads(*namespaces: str, agents: tuple[str, ...] | None = None, hold: bool = False, **more: Any) -> WorkloadGate:  # noqa: ANN401 - fields of WorkloadGate
    people = None if agents is None else tuple(map(someone, agents))
    on_missing = OnMissing.HOLD if hold else OnMissing.DENY
    privileges = more.pop("privileges", ("Baseline",))
    owners = tuple(OwnerKind(*one.split("/")) for one in more.pop("owner_kinds", ()))
    return WorkloadGate(namespaces or ("*",), privileges, people, owners, on_missing=on_missing, **more)


def action(
    what: str,
    *namespaces: str,
    names: tuple[str, ...] | None = None,
    by: tuple[str, ...] | None = None,
    subjects: tuple[str, ...] | None = None,
) -> ActionGate:
    """``delete,update persistentvolumeclaims`` or ``create rbac.authorization.k8s.io:rolebindings,clusterrolebindings``."""
    verbs, _, rest = what.partition(" ")
    group, _, resources = rest.rpartition(":")
    pattern = ActionPattern(tuple(verbs.split(",")), (group,), tuple(resources.split(",")), names)
    people = None if by is None else tuple(map(someone, by))
    bound = None if subjects is None else tuple(map(someone, subjects))
    return ActionGate(namespaces or ("*",), pattern, people, bound)


def a_gate(
    name: str, pods: WorkloadGate | None = None, *actions: ActionGate, mode: GateMode = GateMode.ENFORCE
) -> Policy:
    """A policy whose gate this is."""
    return replace(a_policy(name), gate=Gate(mode, pods, actions))


def configurations(
    policies: Iterable[Policy], endpoints: Mapping[str, Any], own_namespace: str
) -> list[dict[str, Any]]:
    """Both manifests, validating and mutating, as the controller writes them for these policies."""
    shared = Terms(endpoints, Bounds(own_namespace))
    found = sorted((policy.name, entries_of(policy, shared)) for policy in policies)
    return [
        body(one, [entry for _, entries in found for entry in entries.of(one.kind)], None) for one in CONFIGURATIONS
    ]
