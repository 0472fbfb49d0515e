"""Reads an ApprovalPolicy."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from daypass.api.convert_gate import action_pattern_of, gate_of
from daypass.api.malformed import MalformedError, malformed
from daypass.api.metadata import metadata_from
from daypass.api.policy import ApprovalPolicySpec
from daypass.api.policy import Limits as LimitsModel
from daypass.api.policy import Stage as StageModel
from daypass.api.policy_grants import Grants as GrantsModel
from daypass.api.policy_match import LabelSelector, RequesterPattern, SubjectPattern
from daypass.api.policy_match import Match as MatchModel
from daypass.domain.permissions import RoleReference, Rule
from daypass.domain.policy import (
    Approvers,
    Effect,
    Expression,
    Grants,
    IdentityPattern,
    LabelRequirement,
    Limits,
    Match,
    OnExpiry,
    Policy,
    RiskLevel,
    Stage,
)


def policy_from(body: Mapping[str, Any]) -> Policy:
    """The policy that a JSON object says.

    Raises MalformedError with every fault: an unknown field is one, with its path, because a policy that loses a
    narrowing field is looser than its author wrote (T19, T63). Expressions are not compiled here.
    """
    metadata = metadata_from(body, "ApprovalPolicy")
    if body.get("spec") is None:
        raise MalformedError("spec", "is required")
    try:
        spec = ApprovalPolicySpec.model_validate(body["spec"])
    except ValidationError as error:
        raise malformed(error, "spec", ApprovalPolicySpec) from None
    return Policy(
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        effect=Effect(spec.effect),
        match=_match(spec.match),
        limits=_limits(spec.limits),
        auto_approve=spec.auto_approve,
        stages=tuple(map(_stage, spec.approvals or ())),
        gate=gate_of(spec.gate, spec.match.namespaces),
        on_expiry=OnExpiry.KEEP if spec.grant is None else OnExpiry(spec.grant.on_expiry),
    )


def _match(match: MatchModel) -> Match:
    return Match(
        namespaces=None if match.namespaces is None else tuple(match.namespaces),
        namespace_selector=_selector(match.namespace_selector),
        requesters=None if match.requesters is None else tuple(map(_pattern, match.requesters)),
        subjects=None if match.subjects is None else tuple(map(_pattern, match.subjects)),
        grants=_grants(match.grants),
        conditions=tuple(Expression(one.expression, one.message) for one in match.conditions),
        unless=tuple(match.unless),
    )


def _selector(selector: LabelSelector | None) -> tuple[LabelRequirement, ...] | None:
    if selector is None:
        return None
    labels = (LabelRequirement(key, "In", (value,)) for key, value in selector.match_labels.items())
    return (
        *labels,
        *(LabelRequirement(one.key, one.operator, tuple(one.values)) for one in selector.match_expressions),
    )


def _pattern(pattern: RequesterPattern | SubjectPattern) -> IdentityPattern:
    return IdentityPattern(pattern.kind, pattern.name, pattern.namespace or "")


def _grants(grants: GrantsModel | None) -> Grants | None:
    if grants is None:
        return None
    return Grants(
        roles=tuple(RoleReference(role.kind, role.name) for role in grants.roles or ()),
        rules=tuple(
            Rule(tuple(rule.verbs), tuple(rule.api_groups), tuple(rule.resources), tuple(rule.resource_names))
            for rule in grants.permissions or ()
        ),
        privileges=tuple(grants.workload.privileges) if grants.workload is not None else (),
        actions=tuple(map(action_pattern_of, grants.actions or ())),
    )


def _limits(limits: LimitsModel | None) -> Limits:
    if limits is None:
        return Limits()
    return Limits(
        max_duration_seconds=limits.max_duration_seconds,
        pending_timeout_seconds=limits.pending_timeout_seconds,
        max_active_per_subject=limits.max_active_per_subject,
        cooldown_seconds=limits.cooldown_seconds,
        max_per_day=limits.max_per_day,
        ticket_pattern=limits.ticket_pattern,
    )


def _stage(stage: StageModel) -> Stage:
    who = stage.approvers
    return Stage(
        name=stage.name,
        required=stage.required,
        approvers=Approvers(
            tuple(who.users or ()),
            tuple(who.groups or ()),
            tuple((account.namespace, account.name) for account in who.service_accounts or ()),
        ),
        risk_at_least=None if stage.risk_at_least is None else RiskLevel[stage.risk_at_least.upper()],
        when=stage.when,
        require_digest=stage.require_digest,
    )
