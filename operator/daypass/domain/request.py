"""An AccessRequest as the decisions see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from daypass.domain.identity import Identity, Subject
from daypass.domain.permissions import RoleReference, Rule
from daypass.domain.policy import AppliedStage
from daypass.domain.review import Review


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """Ask for an existing role, bound in the request's namespace."""

    role: RoleReference


@dataclass(frozen=True, slots=True)
class RulesGrant:
    """Ask for exact permissions, for which a Role is made that lives as long as the grant."""

    rules: tuple[Rule, ...]


Grant: TypeAlias = RoleGrant | RulesGrant


@dataclass(frozen=True, slots=True)
class Agent:
    """What a request says of the agent behind it: untrusted text for the reader and for CEL."""

    name: str = ""
    model: str = ""
    run: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An object that Daypass made for a grant."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """A policy as it was when it governed a request."""

    name: str
    uid: str
    generation: int


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of status; ``status`` is True, False or Unknown in the API's spelling."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What the controller has written down so far: the parts of status that later decisions need."""

    conditions: tuple[Condition, ...] = ()
    policies: tuple[PolicyReference, ...] = ()
    stages: tuple[AppliedStage, ...] = ()
    """The stages as they were recorded: who may still revoke an active grant, whatever policies say by then."""
    digest: str = ""
    pending_deadline_time: datetime | None = None
    approved_time: datetime | None = None
    start_time: datetime | None = None
    expiration_time: datetime | None = None
    end_time: datetime | None = None
    objects: tuple[ObjectReference, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if it was ever written."""
        return next((c for c in self.conditions if c.type == kind), None)


@dataclass(frozen=True, slots=True)
class Request:
    """One AccessRequest: what is asked (never changes), who asks, and what was recorded."""

    uid: str
    namespace: str
    name: str
    generation: int
    creation_time: datetime
    requester: Identity
    subject: Subject
    grant: Grant
    duration_seconds: int
    reason: str
    spec: Mapping[str, object]
    """The whole spec as stored: what the digest covers."""
    ticket: str = ""
    start_time: datetime | None = None
    agent: Agent = Agent()
    data_classification: str = ""
    deletion_time: datetime | None = None
    reviews: tuple[Review, ...] = ()
    record: Record = field(default_factory=Record)
