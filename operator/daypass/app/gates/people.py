"""Who fits the patterns of a gate, as CEL over a username and groups: the caller, or a pod's ServiceAccount."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from daypass.app.gates import cel
from daypass.domain import globs, names
from daypass.domain.policy import IdentityPattern

CALLER: Final = "request.userInfo.username"
CALLERS_GROUPS: Final = "(has(request.userInfo.groups) ? request.userInfo.groups : [])"
NAMESPACE: Final = "(has(request.namespace) ? request.namespace : '')"
NOWHERE: Final = "!has(request.namespace)"
"""CEL for whether the object is in no namespace; a call on a Namespace has its name there."""


def account_username(name: str, namespace: str = NAMESPACE) -> str:
    """CEL for the username of a ServiceAccount, of CEL for its name."""
    return f"{cel.quoted(names.SERVICE_ACCOUNT_PREFIX)} + {namespace} + ':' + {name}"


def account_groups() -> str:
    """CEL for the groups of every ServiceAccount of the call's namespace."""
    return f"['{names.ALL_ACCOUNTS}', '{names.ALL_ACCOUNTS}:' + {NAMESPACE}, '{names.AUTHENTICATED}']"


@dataclass(frozen=True, slots=True)
class People:
    """The patterns of a gate, sorted by what they are compared with."""

    usernames: tuple[str, ...]
    """Globs over usernames, those of ServiceAccounts too."""
    groups: tuple[str, ...]
    neighbours: tuple[str, ...]
    """Globs over names of ServiceAccounts of the namespace that the call is about, whichever that is."""

    @classmethod
    def of(cls, patterns: Sequence[IdentityPattern]) -> "People":
        """Sort the patterns of a policy."""
        accounts = [one for one in patterns if one.kind == "ServiceAccount"]
        return cls(
            usernames=(
                *(one.name for one in patterns if one.kind == "User"),
                *(names.service_account_username(one.namespace, one.name) for one in accounts if one.namespace),
            ),
            groups=tuple(one.name for one in patterns if one.kind == "Group"),
            neighbours=tuple(one.name for one in accounts if not one.namespace),
        )

    def username(self, term: str, nowhere: str = NOWHERE) -> str:
        """CEL for whether a username fits. Where an object is in no namespace, a neighbour is one of any."""
        neighbour = cel.FALSE
        if self.neighbours:
            home = f"{term}.startsWith({cel.quoted(names.SERVICE_ACCOUNT_PREFIX)} + request.namespace + ':')"
            wanted = [names.service_account_username("*", name) for name in self.neighbours]
            neighbour = cel.both(cel.either(nowhere, home), cel.fits(term, wanted))
        return cel.either(cel.fits(term, self.usernames), neighbour)

    def group(self, term: str) -> str:
        """CEL for whether a group fits."""
        return cel.fits(term, self.groups)

    def among(self, usernames: str, groups: str, nowhere: str = NOWHERE) -> str:
        """CEL for whether one of a list of usernames, or of a list of groups, fits."""
        by_name, by_group = self.username("who", nowhere), self.group("who")
        return cel.either(
            cel.FALSE if by_name == cel.FALSE else f"{usernames}.exists(who, {by_name})",
            cel.FALSE if by_group == cel.FALSE else f"{groups}.exists(who, {by_group})",
        )

    def has_all_accounts(self) -> bool:
        """Whether every ServiceAccount fits, by a group that all of them are in."""
        everywhere = (names.ALL_ACCOUNTS, names.AUTHENTICATED)
        return any(globs.matches(pattern, group) for pattern in self.groups for group in everywhere)

    def has_everybody(self) -> bool:
        """Whether everybody fits."""
        return any(globs.matches(pattern, group) for pattern in self.groups for group in names.EVERYBODY)
