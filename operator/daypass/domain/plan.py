"""What to do so that a grant is as it should be: desired objects against observed ones, in an order that is safe.

Making: Job, then Role, then RoleBinding, so that no access is ever without its end. Ending: RoleBinding, then Job; the
Role goes with the Job. A kill between any two leaves a state from which the next plan goes on (T37).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from daypass.domain import deadlines
from daypass.domain.grants import (
    Found,
    FoundBinding,
    FoundJob,
    FoundRole,
    GrantKind,
    Observed,
    binding_content,
    job_content,
    role_content,
)
from daypass.domain.request import Request


class Verb(Enum):
    """What is done to an object."""

    CREATE = "create"
    RESTORE = "restore"
    CORRECT = "correct"
    """A Job's deadline, after it started late."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Action:
    """One call to the API server."""

    verb: Verb
    kind: GrantKind
    target: Found | None = None
    """What it is done to; None for CREATE."""
    seconds: int = 0
    """The corrected ``activeDeadlineSeconds``."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What should be there: the chain (Job, and Role where used), and the RoleBinding on it."""

    chain: bool = False
    binding: bool = False
    expiration: datetime | None = None


NOTHING = Wants()


class SpoiltError(Exception):
    """What stands there can't be made into the grant; the text is for a person."""


def plan(request: Request, wants: Wants, observed: Observed) -> tuple[Action, ...]:
    """The calls to make, in order; none when all is as it should be. Raises SpoiltError."""
    if not wants.chain or wants.expiration is None:
        return removal(observed)
    job = observed.job
    actions = [*_job(request, wants.expiration, job)]
    job_uid = job.found.uid if job is not None else ""
    actions += _role(request, wants.expiration, job_uid, observed.role)
    if wants.binding:
        actions += _binding(request, wants.expiration, job_uid, observed.binding)
    elif observed.binding is not None:
        actions.append(Action(Verb.DELETE, GrantKind.BINDING, observed.binding.found))
    return tuple(actions)


def removal(observed: Observed) -> tuple[Action, ...]:
    """End the access: the binding first; the Job takes the Role with it."""
    items = ((GrantKind.BINDING, observed.binding), (GrantKind.JOB, observed.job))
    return tuple(
        Action(Verb.DELETE, kind, item.found) for kind, item in items if item is not None and not item.found.deleting
    )


def remains(observed: Observed) -> tuple[Action, ...]:
    """Remove everything, the Role too: for what the garbage collector has left behind."""
    actions = removal(observed)
    if observed.role is not None and not observed.role.found.deleting:
        actions += (Action(Verb.DELETE, GrantKind.ROLE, observed.role.found),)
    return actions


def _job(request: Request, expiration: datetime, job: FoundJob | None) -> list[Action]:
    if job is None:
        return [Action(Verb.CREATE, GrantKind.JOB)]
    wanted = job_content(request, expiration)
    if not job.content.shaped:
        message = "the dead-man Job has another selector or template than ours"
        raise SpoiltError(message)
    seconds = None
    if job.started is not None:
        seconds = deadlines.corrected_seconds(job.started, job.deadline_seconds, expiration)
    elif job.deadline_seconds is None:
        seconds = request.duration_seconds
    if job.content != wanted:
        return [Action(Verb.RESTORE, GrantKind.JOB, job.found, seconds or job.deadline_seconds or 1)]
    if seconds is not None:
        return [Action(Verb.CORRECT, GrantKind.JOB, job.found, seconds)]
    return []


def _role(request: Request, expiration: datetime, job_uid: str, role: FoundRole | None) -> list[Action]:
    wanted = role_content(request, expiration, job_uid)
    if wanted is None:
        return []
    if role is None:
        return [Action(Verb.CREATE, GrantKind.ROLE)]
    if role.content != wanted:
        return [Action(Verb.RESTORE, GrantKind.ROLE, role.found)]
    return []


def _binding(request: Request, expiration: datetime, job_uid: str, binding: FoundBinding | None) -> list[Action]:
    if binding is None:
        return [Action(Verb.CREATE, GrantKind.BINDING)]
    wanted = binding_content(request, expiration, job_uid)
    if binding.content.role != wanted.role:
        message = f"RoleBinding {binding.found.name} refers to {binding.content.role.kind} {binding.content.role.name}"
        raise SpoiltError(message)
    if binding.content != wanted:
        return [Action(Verb.RESTORE, GrantKind.BINDING, binding.found)]
    return []
