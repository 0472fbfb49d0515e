"""What admission knows of the cluster while it answers: small values out of watch caches, never a call."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from daypass.domain.policy import Policy
from daypass.domain.request import Request


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

    def expect(self, request: Request) -> None:
        """A request was let in just now: until it is heard of, another like it is equal to it."""
        ...

    def peers(self, request: Request) -> Sequence[Request]:
        """The other requests of the same subject, in every namespace."""
        ...
