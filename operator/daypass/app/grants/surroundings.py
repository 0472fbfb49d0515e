"""What a request's decision needs beside it: its role, its subject, its namespace; from the caches or read live."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from daypass.api.malformed import MalformedError
from daypass.app.ports import (
    NAMESPACES,
    SERVICE_ACCOUNTS,
    Json,
    Objects,
    RefusedError,
)
from daypass.domain.identity import SubjectKind
from daypass.domain.permissions import ResolvedRole, RoleReference, Rule
from daypass.domain.policy import Policy
from daypass.domain.request import Request, RoleGrant, RulesGrant, Use


class Known(Protocol):
    """What the watches have told: a copy, a moment late (T34)."""

    def policies(self) -> Sequence[Policy]:
        """Every policy that could be read."""
        ...

    def policy_faults(self) -> Mapping[str, str]:
        """Policies that could not be read, with the reason: while there are any, nothing can be decided."""
        ...

    def role(self, namespace: str, role: RoleReference) -> ResolvedRole | None:
        """A role as last heard of."""
        ...

    async def role_now(self, namespace: str, role: RoleReference) -> ResolvedRole | None:
        """A role as a read that begins after the call finds it; None when there is none. Raises ApiError."""
        ...

    def service_account_uid(self, namespace: str, name: str) -> str:
        """Uid of a ServiceAccount; empty when not known."""
        ...

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """Labels of a namespace; None when not known."""
        ...


class Workloads(Protocol):
    """The workloads for which Daypass made requests itself."""

    async def gone(self, request: Request, *, live: bool) -> str:
        """What is gone that a request was made for, for a person; empty while it is there, or nobody can tell."""
        ...


class Admissions(Protocol):
    """The held pods for which permits are asked."""

    async def admit(self, request: Request) -> Sequence[Use]:
        """All uses of a permit that is about to begin, if held pods go then; they belong into the write that begins it.

        ``request`` is as it will be after that write.
        """
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The values for one request at one moment."""

    role: ResolvedRole | None
    subject_uid: str
    namespace_labels: Mapping[str, str] | None
    trouble: str = ""
    """What could not be read."""
    missing: str = ""
    """What is not there."""

    def rules(self, request: Request) -> tuple[Rule, ...]:
        """What the grant would give."""
        if isinstance(request.grant, RoleGrant):
            return () if self.role is None else self.role.rules
        return request.grant.rules if isinstance(request.grant, RulesGrant) else ()


async def surroundings(request: Request, known: Known, objects: Objects, *, live: bool) -> Surroundings:
    """Gather; what the caches don't know is read live even where ``live`` is not asked for.

    Before granting everything is read live. Raises UnavailableError; what the API server refuses is ``trouble``.
    """
    try:
        labels = await _labels(request, known, objects)
        if live:
            role, uid = await asyncio.gather(
                _role(request, known, live=True), _subject_uid(request, known, objects, live=True)
            )
        else:  # from the caches, nearly always: tasks for it would cost more than the rest
            role = await _role(request, known, live=False)
            uid = await _subject_uid(request, known, objects, live=False)
    except (RefusedError, MalformedError) as error:
        # Fail closed: what can't be read or understood is not taken for absent, nor for harmless (T11).
        return Surroundings(None, "", None, trouble=f"Could not read what the decision needs: {error}")
    missing = ""
    if isinstance(request.grant, RoleGrant) and role is None:
        # Fail closed: a binding to a role that is not there goes live when somebody makes one (T22).
        missing = f"{request.grant.role.kind} {request.grant.role.name} does not exist."
    elif request.subject.kind is SubjectKind.SERVICE_ACCOUNT and not uid:
        missing = f"ServiceAccount {request.subject.namespace}/{request.subject.name} does not exist."
    return Surroundings(role, uid, labels, missing=missing)


async def _role(request: Request, known: Known, *, live: bool) -> ResolvedRole | None:
    if not isinstance(request.grant, RoleGrant):
        return None
    reference = request.grant.role
    found = None if live else known.role(request.namespace, reference)
    return found or await known.role_now(request.namespace, reference)


async def _subject_uid(request: Request, known: Known, objects: Objects, *, live: bool) -> str:
    if request.subject.kind is not SubjectKind.SERVICE_ACCOUNT:
        return ""
    namespace, name = request.subject.namespace, request.subject.name
    found = "" if live else known.service_account_uid(namespace, name)
    return found or _uid(await objects.get(SERVICE_ACCOUNTS, name, namespace))


async def _labels(request: Request, known: Known, objects: Objects) -> Mapping[str, str] | None:
    found = known.namespace_labels(request.namespace)
    if found is not None:
        return found
    body = await objects.get(NAMESPACES, request.namespace)
    return None if body is None else body["metadata"].get("labels") or {}


def _uid(body: Json | None) -> str:
    return "" if body is None else str(body["metadata"]["uid"])
