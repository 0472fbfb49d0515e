"""Reads what a policy says of workloads and operations: its gate, and what it lets be asked for."""

from collections.abc import Sequence

from daypass.api.policy_gate import ActionGate as ActionGateModel
from daypass.api.policy_gate import BindingSubject, GatedIdentity
from daypass.api.policy_gate import Gate as GateModel
from daypass.api.policy_gate import WorkloadGate as WorkloadGateModel
from daypass.api.policy_grants import ActionBound
from daypass.domain.policy import (
    ActionGate,
    ActionPattern,
    Gate,
    GateMode,
    IdentityPattern,
    OnMissing,
    OwnerKind,
    WorkloadGate,
)

EVERY_NAMESPACE = ("*",)


def gate_of(gate: GateModel | None, namespaces: Sequence[str] | None) -> Gate | None:
    """The domain value of a gate; ``namespaces`` are those of the policy's match, which a gate without own ones has."""
    if gate is None:
        return None
    inherited = EVERY_NAMESPACE if namespaces is None else tuple(namespaces)
    return Gate(
        mode=GateMode(gate.mode),
        workloads=None if gate.workloads is None else _workloads(gate.workloads, inherited),
        actions=tuple(_action(one, inherited) for one in gate.actions or ()),
    )


def action_pattern_of(one: ActionBound | ActionGateModel) -> ActionPattern:
    """The operations that a policy names."""
    return ActionPattern(
        tuple(one.verbs), tuple(one.groups), tuple(one.resources), None if one.names is None else tuple(one.names)
    )


def _workloads(gate: WorkloadGateModel, inherited: tuple[str, ...]) -> WorkloadGate:
    return WorkloadGate(
        namespaces=inherited if gate.namespaces is None else tuple(gate.namespaces),
        privileges=tuple(gate.privileges),
        agents=_identities(gate.agents),
        owner_kinds=tuple(OwnerKind(one.group, one.kind) for one in gate.owner_kinds or ()),
        pod_labels=tuple(sorted(gate.pod_labels.items())),
        on_missing=OnMissing(gate.on_missing),
        request=gate.request,
    )


def _action(gate: ActionGateModel, inherited: tuple[str, ...]) -> ActionGate:
    return ActionGate(
        namespaces=inherited if gate.namespaces is None else tuple(gate.namespaces),
        pattern=action_pattern_of(gate),
        by=_identities(gate.by),
        binding_subjects=_identities(gate.binding_subjects),
        request=gate.request,
    )


def _identities(
    patterns: Sequence[GatedIdentity] | Sequence[BindingSubject] | None,
) -> tuple[IdentityPattern, ...] | None:
    if patterns is None:
        return None
    return tuple(IdentityPattern(one.kind, one.name, one.namespace or "") for one in patterns)
