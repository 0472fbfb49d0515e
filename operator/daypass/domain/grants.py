"""The objects that make a grant: what each must say, and what of it was found.

The chain is AccessRequest <- Job <- {RoleBinding, Role}, one owner each. Content is compared as a whole (T24): two
objects are the same grant only if their contents are equal.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import ClassVar

from daypass.domain import names
from daypass.domain.permissions import RoleReference, Rule
from daypass.domain.request import ObjectReference, Request, RoleGrant, RulesGrant


class GrantKind(Enum):
    """What a grant is made of, in the order in which it is made."""

    JOB = "Job"
    ROLE = "Role"
    BINDING = "RoleBinding"


@dataclass(frozen=True, slots=True)
class Tag:
    """What every object of a grant carries: whose it is, until when, and what it hangs on."""

    request_uid: str
    request_name: str
    expiration: datetime | None
    owner_uid: str
    """uid of its one controlling owner, of the right kind; empty where there is none, or another as well."""
    managed: bool = True


@dataclass(frozen=True, slots=True)
class JobContent:
    """The dead-man Job: nothing runs, and Kubernetes removes it at its deadline."""

    tag: Tag
    armed: bool = True
    """parallelism 0, not suspended, TTL 0, nobody else's to manage: what can be restored."""
    shaped: bool = True
    """Selector and template of ours: what can't be restored."""


@dataclass(frozen=True, slots=True)
class RoleContent:
    """The Role of a ``rules`` request."""

    tag: Tag
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class SubjectReference:
    """A subject of a RoleBinding, as written there."""

    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class BindingContent:
    """The RoleBinding: one subject, one role."""

    tag: Tag
    role: RoleReference
    subjects: tuple[SubjectReference, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What identifies an object that was found; ``version`` is its resourceVersion."""

    uid: str
    version: str
    namespace: str
    name: str
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A dead-man Job as it is."""

    kind: ClassVar[GrantKind] = GrantKind.JOB
    found: Found
    content: JobContent
    created: datetime
    deadline_seconds: int | None = None
    started: datetime | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class FoundRole:
    """A Role of a grant as it is."""

    kind: ClassVar[GrantKind] = GrantKind.ROLE
    found: Found
    content: RoleContent


@dataclass(frozen=True, slots=True)
class FoundBinding:
    """A RoleBinding of a grant as it is."""

    kind: ClassVar[GrantKind] = GrantKind.BINDING
    found: Found
    content: BindingContent


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is of a grant."""

    job: FoundJob | None = None
    role: FoundRole | None = None
    binding: FoundBinding | None = None

    def part(self, kind: GrantKind) -> FoundJob | FoundRole | FoundBinding | None:
        """What there is of that kind."""
        match kind:
            case GrantKind.JOB:
                return self.job
            case GrantKind.ROLE:
                return self.role
            case GrantKind.BINDING:
                return self.binding

    @property
    def empty(self) -> bool:
        """Whether there is nothing that gives or guards access."""
        return self.job is None and self.role is None and self.binding is None

    @property
    def references(self) -> tuple[ObjectReference, ...]:
        """What the request's status says was made, in order of creation."""
        return tuple(
            ObjectReference(kind.value, item.found.namespace, item.found.name, item.found.uid)
            for kind in GrantKind
            if (item := self.part(kind)) is not None
        )


def tag(request: Request, expiration: datetime, owner_uid: str) -> Tag:
    """What the objects of a request's grant must carry."""
    return Tag(request.uid, request.name, expiration, owner_uid)


def job_content(request: Request, expiration: datetime) -> JobContent:
    """The Job that a grant needs, owned by the request."""
    return JobContent(tag(request, expiration, request.uid))


def role_content(request: Request, expiration: datetime, job_uid: str) -> RoleContent | None:
    """The Role that a grant needs: None where an existing role is bound."""
    if not isinstance(request.grant, RulesGrant):
        return None
    return RoleContent(tag(request, expiration, job_uid), request.grant.rules)


def binding_content(request: Request, expiration: datetime, job_uid: str) -> BindingContent:
    """The RoleBinding that a grant needs."""
    if isinstance(request.grant, RoleGrant):
        role = request.grant.role
    else:
        role = RoleReference("Role", names.grant_name(request.uid))
    subject = SubjectReference(request.subject.kind.value, request.subject.name, request.subject.namespace)
    return BindingContent(tag(request, expiration, job_uid), role, (subject,))
