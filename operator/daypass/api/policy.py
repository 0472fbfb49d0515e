"""What an ApprovalPolicy says: the model of its spec and status."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from daypass.api import fields
from daypass.api.policy_gate import Gate, GrantTerms
from daypass.api.policy_match import Match
from daypass.api.request_status import Condition
from daypass.api.schema import LIST_MAP_KEYS, LIST_TYPE, OpenObject, Rule, StatusObject, atomic

RiskLevel = Literal["Low", "Medium", "High", "Critical"]
Seconds = Annotated[int, Field(ge=fields.MIN_DURATION_SECONDS, le=fields.MAX_DURATION_SECONDS)]
Count = Annotated[int, Field(ge=1, le=1000)]


class Limits(OpenObject):
    """Bounds on what this policy allows. Where several policies match, the strictest bound holds."""

    max_duration_seconds: Seconds | None = Field(
        default=None, description="The longest durationSeconds, in seconds. Default: 2592000 (30 days)."
    )
    pending_timeout_seconds: Seconds | None = Field(
        default=None, description="How long a request waits for approval, in seconds. Default: 86400 (one day)."
    )
    max_active_per_subject: Count | None = Field(
        default=None,
        description="How many approved requests of one subject may be current at once, among those that this policy"
        " governs: scheduled and suspended ones count, waiting ones do not. Default: no bound.",
    )
    cooldown_seconds: Annotated[int, Field(ge=1, le=fields.MAX_DURATION_SECONDS)] | None = Field(
        default=None,
        description="How long a subject waits, in seconds, after the end of its last request under this policy before"
        " it asks again, however that ended: denied and timed out ones count too. Default: not at all.",
    )
    max_per_day: Count | None = Field(
        default=None,
        description="How many requests of one subject this policy takes in any 24 hours. Default: no bound.",
    )
    ticket_pattern: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        default=None,
        description="RE2 pattern that must be found in spec.ticket, such as ^OPS-[0-9]+$. Default: none.",
    )


class ServiceAccountApprover(OpenObject):
    """A ServiceAccount that may approve."""

    namespace: fields.NamespaceName = Field(description="Namespace of the ServiceAccount.")
    name: fields.ObjectName = Field(description="Name of the ServiceAccount.")


class Approvers(OpenObject):
    """Who may answer in a stage: anyone listed in any of the three lists."""

    users: list[fields.ApproverUser] | None = Field(default=None, **atomic(64, 1), description="Usernames, exactly.")
    groups: list[fields.ApproverGroup] | None = Field(
        default=None, **atomic(64, 1), description="Groups, exactly; none that starts with system:."
    )
    service_accounts: list[ServiceAccountApprover] | None = Field(
        default=None,
        **atomic(64, 1),
        description="ServiceAccounts. No other ServiceAccount counts, whatever groups it is in.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.users) || has(self.groups) || has(self.serviceAccounts)",
            "a stage needs approvers: list users, groups or serviceAccounts",
            lambda who: bool(who.users or who.groups or who.service_accounts),
        ),
    )


class Stage(OpenObject):
    """A set of approvers and how many distinct people of it must approve."""

    name: fields.StageName = Field(description="Name of the stage, for people; unique in its policy.")
    required: Annotated[int, Field(ge=1, le=16)] = Field(
        default=1, description="How many distinct people must approve: 1 to 16. Default: 1."
    )
    approvers: Approvers = Field(description="Who may answer in this stage.")
    risk_at_least: RiskLevel | None = Field(
        default=None, description="The stage applies from this level of risk on. Default: always."
    )
    when: fields.CelSource | None = Field(
        default=None,
        description="CEL expression of type bool: the stage applies where it is true. Default: always."
        " With riskAtLeast, both must hold.",
    )
    require_digest: bool = Field(
        default=False,
        description="Whether an approval must carry the request's digest, so that it is given for exactly what was read.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.approvers.groups) || !has(self.approvers.users) && !has(self.approvers.serviceAccounts)"
            " || self.required <="
            " (has(self.approvers.users) ? size(self.approvers.users) : 0)"
            " + (has(self.approvers.serviceAccounts) ? size(self.approvers.serviceAccounts) : 0)",
            "required is more than the approvers that are listed, so the stage could never be satisfied",
            lambda stage: (
                bool(stage.approvers.groups)
                or stage.required <= len(stage.approvers.users or ()) + len(stage.approvers.service_accounts or ())
            ),
        ),
    )


_NONE_OF_THESE: Final = (False, None, None, None)


class ApprovalPolicySpec(OpenObject):
    """Which requests the policy speaks of, and what it says of them.

    A request that a Deny policy matches is denied. A request that no Allow policy matches is denied.
    Otherwise every Allow policy that matches must be satisfied: their stages add up and the strictest limit holds.
    A policy steps aside only for those it names itself in unless.
    """

    effect: Literal["Allow", "Deny"] = Field(
        description="Allow: requests that match may be granted, on the terms of this policy."
        " Deny: requests that match are denied, whatever other policies say."
    )
    match: Match = Field(description="Which requests the policy speaks of: all fields that are given must match.")
    limits: Limits | None = Field(default=None, description="Bounds on what an Allow policy allows.")
    auto_approve: bool = Field(
        default=False,
        description="Whether requests that match are approved at once, by nobody. An Allow policy has exactly one of"
        " autoApprove: true and approvals.",
    )
    approvals: list[Stage] | None = Field(
        default=None,
        **atomic(16, 1),
        description="The stages of approval, in no order. Those whose riskAtLeast and when hold apply, and all of"
        " them must be satisfied; if none applies, the request stays undecided.",
    )
    grant: GrantTerms | None = Field(default=None, description="What an Allow policy says of the access itself.")
    gate: Gate | None = Field(
        default=None,
        description="Which workloads and operations need an approved request at all, of whatever policy: admission"
        " refuses or holds what none covers.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.effect != 'Allow' || (has(self.autoApprove) && self.autoApprove) != has(self.approvals)",
            "an Allow policy needs exactly one of autoApprove: true and approvals",
            lambda spec: spec.effect != "Allow" or spec.auto_approve != (spec.approvals is not None),
        ),
        Rule(
            "self.effect != 'Deny' || !(has(self.autoApprove) && self.autoApprove) && !has(self.approvals)"
            " && !has(self.limits) && !has(self.grant)",
            "a Deny policy has no autoApprove, approvals, limits or grant: what it matches is denied",
            lambda spec: (
                spec.effect != "Deny" or (spec.auto_approve, spec.approvals, spec.limits, spec.grant) == _NONE_OF_THESE
            ),
        ),
        Rule(
            "self.effect != 'Allow' || has(self.match.grants)",
            "an Allow policy must say in match.grants what may be asked for: roles, rules, workload or actions",
            lambda spec: spec.effect != "Allow" or spec.match.grants is not None,
        ),
        Rule(
            "!has(self.approvals) || self.approvals.all(one, self.approvals.exists_one(other, other.name == one.name))",
            "the stages of approvals must have different names",
            lambda spec: len({stage.name for stage in spec.approvals or ()}) == len(spec.approvals or ()),
        ),
        Rule(
            "!has(self.gate) || !has(self.match.namespaceSelector)"
            " || (!has(self.gate.workloads) || has(self.gate.workloads.namespaces))"
            " && (!has(self.gate.actions) || self.gate.actions.all(one, has(one.namespaces)))",
            "a gate's namespaces are named, because whoever may label a namespace would decide whether it is gated:"
            " with match.namespaceSelector, give namespaces in gate.workloads and in each of gate.actions",
            lambda spec: (
                spec.match.namespace_selector is None
                or spec.gate is None
                or all(part.namespaces is not None for part in spec.gate.parts)
            ),
        ),
    )


class ApprovalPolicyStatus(StatusObject):
    """Whether the policy works, written by Daypass."""

    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Generation of the policy that the conditions speak of."
    )
    conditions: list[Condition] = Field(
        default=[],
        max_length=16,
        json_schema_extra={LIST_TYPE: "map", LIST_MAP_KEYS: ["type"]},
        description="Ready: the policy can be used. Stalled: it can't, and the message says why.",
    )
