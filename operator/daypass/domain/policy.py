"""An ApprovalPolicy as the decisions see it."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from daypass.domain.permissions import RoleReference, Rule


class Effect(Enum):
    """What a matching policy does."""

    ALLOW = "Allow"
    DENY = "Deny"


class RiskLevel(IntEnum):
    """How much a grant could do; compared with ``>=``."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3

    @property
    def label(self) -> str:
        """The API's spelling, such as ``High``."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True)
class IdentityPattern:
    """Whom a policy names: kind User, Group or ServiceAccount; globs in name and namespace."""

    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A CEL condition with the message that a person reads when it decides."""

    expression: str
    message: str


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """One requirement of a label selector; operator In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionPattern:
    """Operations that a policy speaks of; ``resources`` as ``PLURAL`` or ``PLURAL/SUBRESOURCE``, names are globs."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Grants:
    """What a policy lets be asked for; what it does not list, it does not match."""

    roles: tuple[RoleReference, ...] = ()
    rules: tuple[Rule, ...] = ()
    """An upper bound for requests of kind Rules."""
    privileges: tuple[str, ...] = ()
    """An upper bound for requests of kind Workload: privileges, profiles, globs of values."""
    actions: tuple[ActionPattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a policy speaks of: all given fields must match; None means not given."""

    namespaces: tuple[str, ...] | None = None
    namespace_selector: tuple[LabelRequirement, ...] | None = None
    requesters: tuple[IdentityPattern, ...] | None = None
    subjects: tuple[IdentityPattern, ...] | None = None
    grants: Grants | None = None
    conditions: tuple[Expression, ...] = ()
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a policy; None means no bound of its own."""

    max_duration_seconds: int | None = None
    pending_timeout_seconds: int | None = None
    max_active_per_subject: int | None = None
    cooldown_seconds: int | None = None
    max_per_day: int | None = None
    ticket_pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may answer in a stage; ServiceAccounts only where listed here, as (namespace, name)."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    service_accounts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A set of approvers and how many distinct people of it must approve."""

    name: str
    required: int
    approvers: Approvers
    risk_at_least: RiskLevel | None = None
    when: str | None = None
    require_digest: bool = False


@dataclass(frozen=True, slots=True)
class AppliedStage:
    """A stage that a request owes, with the name of the policy that demands it."""

    policy: str
    stage: Stage


class GateMode(Enum):
    """What a gate does with what no approved request covers: stop it, warn the caller, or only record it."""

    ENFORCE = "Enforce"
    WARN = "Warn"
    AUDIT = "Audit"


class OnMissing(Enum):
    """What becomes of a pod that no approved request covers."""

    DENY = "Deny"
    HOLD = "Hold"


class OnExpiry(Enum):
    """What becomes of the pods that were admitted under a request when it ends."""

    KEEP = "Keep"
    EVICT = "Evict"


@dataclass(frozen=True, slots=True)
class OwnerKind:
    """A kind of object that owns pods; ``group`` is empty for the core group."""

    group: str
    kind: str


@dataclass(frozen=True, slots=True)
class WorkloadGate:
    """Which pods need an approved request: those of agents that use one of the privileges.

    A pod is an agent's if its ServiceAccount, its creator or an author of its workload is one of ``agents``; where
    that is None, every pod of the namespaces is. ``owner_kinds`` and ``pod_labels`` add pods, they take none away:
    whoever makes the pod chooses both (T40).
    """

    namespaces: tuple[str, ...]
    """Globs; what the policy's own match says where the gate says nothing."""
    privileges: tuple[str, ...]
    agents: tuple[IdentityPattern, ...] | None = None
    owner_kinds: tuple[OwnerKind, ...] = ()
    pod_labels: tuple[tuple[str, str], ...] = ()
    on_missing: OnMissing = OnMissing.DENY
    request: bool = False
    """Whether Daypass makes the request itself; a hold always does."""


@dataclass(frozen=True, slots=True)
class ActionGate:
    """Which operations need an approved request; ``by`` None means by anyone."""

    namespaces: tuple[str, ...]
    """As in WorkloadGate; objects of the whole cluster are always looked at."""
    pattern: ActionPattern
    by: tuple[IdentityPattern, ...] | None = None
    binding_subjects: tuple[IdentityPattern, ...] | None = None
    """Only RoleBindings and ClusterRoleBindings that name one of these."""
    request: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """The part of a policy that says which workloads and operations need an approved request."""

    mode: GateMode = GateMode.ENFORCE
    workloads: WorkloadGate | None = None
    actions: tuple[ActionGate, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One ApprovalPolicy; with ``auto_approve`` there are no stages."""

    name: str
    uid: str
    generation: int
    effect: Effect
    match: Match
    limits: Limits = Limits()
    auto_approve: bool = False
    stages: tuple[Stage, ...] = ()
    gate: Gate | None = None
    on_expiry: OnExpiry = OnExpiry.KEEP
