"""Where decisions are told: a log line each, an Event for people, figures for operators."""

from typing import Protocol

from daypass.domain.conditions import State


class About(Protocol):
    """The request that something is told about; it need not exist any more."""

    @property
    def uid(self) -> str:
        """Its uid."""
        ...

    @property
    def namespace(self) -> str:
        """Its namespace, which is where the access is."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...


class Journal(Protocol):
    """Records what happened; never fails, never waits."""

    def decided(self, about: About, before: State | None, after: State, message: str) -> None:
        """A request came into another state, and that is written down."""
        ...

    def noted(self, about: About, reason: str, message: str) -> None:
        """Something a person should know; ``reason`` is CamelCase."""
        ...

    def ended(self, lateness_seconds: float) -> None:
        """Access was taken away at its deadline, so long after it."""
        ...

    def granted(self, seconds: float) -> None:
        """Access was given, so long after the last answer that was needed."""
        ...
