"""Who somebody is: one canonical identity, however it is spelled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from daypass.domain import names

NO_EXTRA: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
"""One for all: thousands of identities are kept."""


class SubjectKind(Enum):
    """What can receive access: never a Group."""

    USER = "User"
    SERVICE_ACCOUNT = "ServiceAccount"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller as the API server authenticated it; ``uid`` is empty for certificate users."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_EXTRA)

    @property
    def is_service_account(self) -> bool:
        """Whether this is a ServiceAccount, which never counts as an approver unless listed."""
        return self.username.startswith(names.SERVICE_ACCOUNT_PREFIX)

    @property
    def service_account(self) -> tuple[str, str] | None:
        """``(namespace, name)`` of a ServiceAccount; None for anyone else."""
        if not self.is_service_account:
            return None
        namespace, _, name = self.username.removeprefix(names.SERVICE_ACCOUNT_PREFIX).partition(":")
        return (namespace, name)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who receives the access: one User or one ServiceAccount."""

    kind: SubjectKind
    name: str
    namespace: str = ""

    @property
    def username(self) -> str:
        """The one username by which the API server knows this subject (T07)."""
        if self.kind is SubjectKind.SERVICE_ACCOUNT:
            return names.service_account_username(self.namespace, self.name)
        return self.name


def same_identity(one: Identity, other: Identity) -> bool:
    """Whether two callers are one: usernames always, uids where both have one (T07)."""
    if one.username == other.username:
        return True
    return bool(one.uid) and one.uid == other.uid


def subject_of(identity: Identity) -> Subject:
    """The subject that a requester is when the request names none."""
    account = identity.service_account
    if account is None:
        return Subject(SubjectKind.USER, identity.username)
    return Subject(SubjectKind.SERVICE_ACCOUNT, account[1], account[0])
