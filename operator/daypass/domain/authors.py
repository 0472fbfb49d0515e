"""Decides who had a hand in a workload: the annotation that says so, and who is no author but only a controller.

The annotation has one username a line; who changed the workload last is last. A line of ``?`` stands for somebody whom nobody recorded,
and ``^UID`` for a controller of Kubernetes that made the object for the owner with that uid: its authors are those of
that owner, and once it has no owner, or another, nobody knows them. Where the annotation is missing, nobody knows
either (T69).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from daypass.domain import names
from daypass.domain.identity import Identity

KNOWN_CONTROLLERS: Final = frozenset(
    {
        *(
            names.service_account_username(names.KUBE_SYSTEM, name)
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
MADE_FOR: Final = "^"
UNRECORDED: Final = "?"
_NODES: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"


@dataclass(frozen=True, slots=True)
class Authors:
    """The usernames of who had a hand in something; who had it last is last."""

    usernames: tuple[str, ...] = ()
    unknown: bool = False
    """Whether somebody had a hand in it whom nobody recorded."""
    made_for: str = ""
    """The uid of the owner for which a controller made it, so that the authors of that owner are its own too."""

    def and_of(self, other: "Authors") -> "Authors":
        """Those of both, the other's later: who is in both comes where the other has them."""
        earlier = (username for username in self.usernames if username not in other.usernames)
        usernames = (*earlier, *other.usernames)
        made_for = self.made_for or other.made_for
        strange = bool(other.made_for) and other.made_for != made_for
        return Authors(usernames, self.unknown or other.unknown or strange, made_for)

    def and_new_of(self, other: "Authors") -> "Authors":
        """Those of both, where the other says nothing new of who is here already."""
        new = tuple(username for username in other.usernames if username not in self.usernames)
        return self.and_of(replace(other, usernames=new))

    def below(self, owner_uid: str) -> "Authors":
        """Those that the object itself names, given who owns it now (empty: nobody).

        Fail closed: of one that was made for another owner not all are known: whoever may write ownerReferences can
        give an object to somebody else, whose authors then stand for its own.
        """
        return Authors(self.usernames, self.unknown or (bool(self.made_for) and self.made_for != owner_uid))

    @property
    def text(self) -> str:
        """As the annotation has it."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the annotation."""
        first = (f"{MADE_FOR}{self.made_for}",) if self.made_for else ()
        return (*first, *self.usernames, *((UNRECORDED,) if self.unknown else ()))


NOBODY: Final = Authors()
NOBODY_KNOWS: Final = Authors(unknown=True)


def is_known_controller(username: str) -> bool:
    """Whether a caller only does what the owner of a pod says, so that who made that owner is the author."""
    return username in KNOWN_CONTROLLERS


def is_mirror(caller: Identity, annotations: Iterable[str]) -> bool:
    """Whether this is the API's picture of a static pod, made by a node: it runs already, whatever is said here."""
    return names.ANNOTATION_MIRROR in annotations and is_node(caller)


def is_node(caller: Identity) -> bool:
    """Whether this is a kubelet: by its name and its group, as the API server itself tells nodes."""
    return caller.username.startswith(_NODE_PREFIX) and _NODES in caller.groups


def authors_from(annotation: object) -> Authors:
    """Who an annotation names."""
    if not isinstance(annotation, str):
        # Fail closed: nobody looked when it was made (T69).
        return NOBODY_KNOWS
    lines = tuple(dict.fromkeys(annotation.split("\n")))
    made_for = [line.removeprefix(MADE_FOR) for line in lines if line.startswith(MADE_FOR)]
    usernames = tuple(line for line in lines if line and line != UNRECORDED and not line.startswith(MADE_FOR))
    # Fail closed: an empty line, or two owners, are nothing that Daypass writes.
    unknown = UNRECORDED in lines or "" in lines or len(made_for) > 1
    return Authors(usernames, unknown, made_for[0] if made_for else "")


def made_for(owner_uid: str) -> Authors:
    """The authors of what a known controller makes: those of the owner for which it does, if it says for which."""
    return Authors(made_for=owner_uid) if owner_uid else NOBODY_KNOWS


def joined(stored: Authors, caller: Identity) -> Authors:
    """Who the authors are once this caller, now the last of them, has changed what the object runs.

    A known controller is none.
    """
    return stored if is_known_controller(caller.username) else stored.and_of(Authors((caller.username,)))


def fault(authors: Authors) -> str:
    """Why these authors can't be written down, as text for a person; empty where they can."""
    for username in authors.usernames:
        strange = not username or "\n" in username or "\r" in username or username.startswith((UNRECORDED, MADE_FOR))
        if strange or len(username) > MAX_USERNAME:
            # Fail closed: in the annotation such a name would be another, or two (T55).
            return f"your username {username[:64]!r} can't be recorded as the author of a workload"
    if len(authors.usernames) > MAX_AUTHORS:
        return f"more than {MAX_AUTHORS} people have changed this workload: delete it and create it anew"
    return ""
