"""Decides who had a hand in a workload: the annotation that says so, and who is no author but only a controller.

The annotation has one username a line, the first author first. ``?`` stands for somebody whom nobody recorded. One
that is there and empty says that a controller of Kubernetes made the object and nobody else had a hand in it; where it
is missing, nobody knows (T69).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from daypass.domain import names
from daypass.domain.identity import Identity

KNOWN_CONTROLLERS: Final = frozenset(
    {
        *(
            names.service_account_username("kube-system", name)
            for name in (
                "cronjob-controller",
                "daemon-set-controller",
                "deployment-controller",
                "job-controller",
                "replicaset-controller",
                "replication-controller",
                "statefulset-controller",
            )
        ),
        "system:kube-controller-manager",
    }
)
"""Who makes pods and workloads only as their owners say; exact names, no pattern."""
MAX_AUTHORS: Final = 16
MAX_USERNAME: Final = 1_024
UNRECORDED: Final = "?"
_NODES: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"


@dataclass(frozen=True, slots=True)
class Authors:
    """The usernames of who had a hand in something, the first one first."""

    usernames: tuple[str, ...] = ()
    unknown: bool = False
    """Whether somebody had a hand in it whom nobody recorded."""

    def and_of(self, other: "Authors") -> "Authors":
        """Those of both."""
        return Authors(tuple(dict.fromkeys((*self.usernames, *other.usernames))), self.unknown or other.unknown)

    @property
    def text(self) -> str:
        """As the annotation has it."""
        return "\n".join((*self.usernames, *((UNRECORDED,) if self.unknown else ())))


NOBODY: Final = Authors()
NOBODY_KNOWS: Final = Authors(unknown=True)


def is_known_controller(username: str) -> bool:
    """Whether a caller only does what the owner of a pod says, so that who made that owner is the author."""
    return username in KNOWN_CONTROLLERS


def is_mirror(caller: Identity, annotations: Iterable[str]) -> bool:
    """Whether this is the API's picture of a static pod, made by a node: it runs already, whatever is said here."""
    return (
        names.ANNOTATION_MIRROR in annotations and caller.username.startswith(_NODE_PREFIX) and _NODES in caller.groups
    )


def authors_from(annotation: object) -> Authors:
    """Who an annotation names; None where there is none."""
    if not isinstance(annotation, str):
        # Fail closed: nobody looked when it was made (T69).
        return NOBODY_KNOWS
    lines = tuple(dict.fromkeys(line for line in annotation.split("\n") if line))
    return Authors(tuple(line for line in lines if line != UNRECORDED), UNRECORDED in lines)


def stamped(stored: Authors | None, caller: Identity, *, changes: bool) -> Authors:
    """Who the authors are once this caller has written the object.

    Rule: on creation (``stored`` None) the caller, and nobody that a manifest names; later the stored ones, and the
    caller if they change what runs. A known controller is no author. What was stored without an annotation has an
    author whom nobody recorded.
    """
    own = Authors() if is_known_controller(caller.username) or not changes else Authors((caller.username,))
    return own if stored is None else stored.and_of(own)


def fault(authors: Authors) -> str:
    """Why these authors can't be written down, as text for a person; empty where they can."""
    for username in authors.usernames:
        if "\n" in username or "\r" in username or username.startswith(UNRECORDED) or len(username) > MAX_USERNAME:
            # Fail closed: in the annotation such a name would be another, or two (T55).
            return f"your username {username[:64]!r} can't be recorded as the author of a workload"
    if len(authors.usernames) + authors.unknown > MAX_AUTHORS:
        return f"more than {MAX_AUTHORS} people have changed this workload: delete it and create it anew"
    return ""
