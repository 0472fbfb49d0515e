"""What admission knows of the cluster while it answers: small values out of watch caches, never a call."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from daypass.domain.conditions import FINAL, State, state_of
from daypass.domain.policy import Policy
from daypass.domain.request import Grant, Request

_PENDING = frozenset({None, State.AWAITING_APPROVAL, State.UNDECIDED})

EqualityKey: TypeAlias = tuple[str, str, str, Grant, str]


class Knowledge(Protocol):
    """The requests, policies and namespaces as last heard of."""

    def policies(self) -> Sequence[Policy]:
        """Every policy that could be read."""
        ...

    def policy(self, name: str) -> Policy | None:
        """The policy of that name."""
        ...

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The namespace's labels; None when it is not known."""
        ...

    def equal_pending(self, request: Request) -> str:
        """The name of another request that asks for the same and waits for an answer; empty when there is none."""
        ...

    def peers(self, request: Request) -> Sequence[Request]:
        """The other requests of the same subject, in every namespace."""
        ...


def is_pending(request: Request) -> bool:
    """Whether the request still waits for an answer."""
    return state_of(request.record) in _PENDING


def is_over(request: Request) -> bool:
    """Whether nothing that anybody says can change the request any more."""
    return state_of(request.record) in FINAL


def equality_key(request: Request) -> EqualityKey:
    """What two requests share that ask for the same: namespace, requester, subject, grant and start (T16)."""
    start = "" if request.start_time is None else request.start_time.isoformat()
    return (request.namespace, request.requester.username, request.subject.username, request.grant, start)
