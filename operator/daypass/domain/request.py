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


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """The object that controls a pod, at the top of its chain of owners."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class WorkloadGrant:
    """Ask to run pods with privileges: a permit, for which nothing is made; admission goes by it.

    A privilege is ``CONTROL`` or ``CONTROL:VALUE`` (see ``privileges``); without a value it means every value.
    """

    service_account_name: str
    privileges: tuple[str, ...]
    pod_template_digest: str = ""
    """What the pods run, and nothing else; empty means anything with these privileges."""
    max_pods: int = 1
    """How many pods in all may be admitted under it."""
    owner: OwnerReference | None = None
    """This and what follows is Daypass's own word, in requests that it makes itself."""
    authors: tuple[str, ...] = ()
    """Usernames of who made or changed the workload: they count as requesters (T55)."""
    authors_unknown: bool = False
    """Whether somebody may have had a hand in it whom nobody knows: then nobody's single approval suffices (T69)."""
    findings: tuple[str, ...] = ()
    """What the pod runs and which privileges it uses where, for the reader."""


@dataclass(frozen=True, slots=True)
class ActionGrant:
    """Ask to do one operation, ``max_uses`` times: a permit, for which nothing is made; admission goes by it."""

    verb: str
    """create, update (patches too), delete or connect."""
    group: str
    resource: str
    subresource: str
    name: str
    object_digest: str = ""
    max_uses: int = 1
    findings: tuple[str, ...] = ()
    """This and what follows is Daypass's own word, in requests that it makes itself: what the operation does."""
    parties: tuple[str, ...] = ()
    """Usernames whom a binding gives a role: they count as requesters (T44, T55)."""
    party_groups: tuple[str, ...] = ()
    """The same for groups, and whoever is in one."""


Grant: TypeAlias = RoleGrant | RulesGrant | WorkloadGrant | ActionGrant


@dataclass(frozen=True, slots=True)
class Use:
    """One admission under a permit, reserved when admission let it through (T47, T48)."""

    key: str
    """What makes two calls one use: the object's uid, with the resourceVersion before an UPDATE.

    Of what has neither (CONNECT, what is created below an object) a hash of the call and of the moment.
    """
    kind: str
    name: str
    uid: str
    time: datetime
    confirmed: bool = False
    """Whether the object was seen since: an unconfirmed use is given back after a while."""


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
    uses: tuple[Use, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if it was ever written."""
        for one in self.conditions:  # a plain loop: all that is decided of a request begins here
            if one.type == kind:
                return one
        return None


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
    cause: str = ""
    """What Daypass made it for, as a hash (the label of that name); known of permits, at admission."""
    version: str = ""
    """resourceVersion of the object as it was read: the precondition of a use; known of permits, at admission."""

    @property
    def permits(self) -> bool:
        """Whether this is for a workload or an action: admission goes by it, and no object is made."""
        return isinstance(self.grant, WorkloadGrant | ActionGrant)
