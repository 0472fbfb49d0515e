"""Decides who had a hand in a workload: the annotation that says so, and who is no author but only a controller.

The annotation has one username a line, the first author first. A line of ``?`` stands for somebody whom nobody recorded,
an empty one for a controller of Kubernetes that made the object: its authors are those of its owner, and without an
owner nobody knows them. Where the annotation is missing, nobody knows either (T69).
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
MADE: Final = ""
UNRECORDED: Final = "?"
_NODES: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"


@dataclass(frozen=True, slots=True)
class Authors:
    """The usernames of who had a hand in something, the first one first."""

    usernames: tuple[str, ...] = ()
    unknown: bool = False
    """Whether somebody had a hand in it whom nobody recorded."""
    made: bool = False
    """Whether a controller made it, so that the authors of its owner are its own too."""

    def and_of(self, other: "Authors") -> "Authors":
        """Those of both."""
        usernames = tuple(dict.fromkeys((*self.usernames, *other.usernames)))
        return Authors(usernames, self.unknown or other.unknown, self.made or other.made)

    def below(self, *, owned: bool) -> "Authors":
        """Those that the object itself names; of one that a controller made and nobody owns any more, not all."""
        return Authors(self.usernames, self.unknown or (self.made and not owned))

    @property
    def text(self) -> str:
        """As the annotation has it."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the annotation."""
        return (*((MADE,) if self.made else ()), *self.usernames, *((UNRECORDED,) if self.unknown else ()))


NOBODY: Final = Authors()
NOBODY_KNOWS: Final = Authors(unknown=True)
A_CONTROLLER: Final = Authors(made=True)


def is_known_controller(username: str) -> bool:
    """Whether a caller only does what the owner of a pod says, so that who made that owner is the author."""
    return username in KNOWN_CONTROLLERS


def is_mirror(caller: Identity, annotations: Iterable[str]) -> bool:
    """Whether this is the API's picture of a static pod, made by a node: it runs already, whatever is said here."""
    return (
        names.ANNOTATION_MIRROR in annotations and caller.username.startswith(_NODE_PREFIX) and _NODES in caller.groups
    )


def authors_from(annotation: object) -> Authors:
    """Who an annotation names."""
    if not isinstance(annotation, str):
        # Fail closed: nobody looked when it was made (T69).
        return NOBODY_KNOWS
    lines = dict.fromkeys(annotation.split("\n"))
    usernames = tuple(line for line in lines if line not in {MADE, UNRECORDED})
    return Authors(usernames, UNRECORDED in lines, MADE in lines)


def joined(stored: Authors, caller: Identity) -> Authors:
    """Who the authors are once this caller has changed what the object runs; a known controller is none."""
    return stored if is_known_controller(caller.username) else stored.and_of(Authors((caller.username,)))


def fault(authors: Authors) -> str:
    """Why these authors can't be written down, as text for a person; empty where they can."""
    for username in authors.usernames:
        if (
            not username
            or "\n" in username
            or "\r" in username
            or username.startswith(UNRECORDED)
            or len(username) > MAX_USERNAME
        ):
            # Fail closed: in the annotation such a name would be another, or two (T55).
            return f"your username {username[:64]!r} can't be recorded as the author of a workload"
    if len(authors.usernames) > MAX_AUTHORS:
        return f"more than {MAX_AUTHORS} people have changed this workload: delete it and create it anew"
    return ""
