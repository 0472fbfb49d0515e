"""Where the life of permits is told: Events on pods and their owners, a log line each, figures for operators."""

from typing import Protocol

from daypass.app.holds.pods import HeldPod
from daypass.domain.request import OwnerReference


class HoldJournal(Protocol):
    """Records what happened; never fails, never waits."""

    def told(self, pod: HeldPod, reason: str, message: str, *, warning: bool = False) -> bool:
        """Something about a pod that its people should know; ``reason`` is CamelCase. False: say it again later."""
        ...

    def told_owner(
        self, namespace: str, owner: OwnerReference, reason: str, message: str, *, warning: bool = False
    ) -> bool:
        """The same about what made the pod."""
        ...

    def released(self, pod: HeldPod, request: str, seconds: float) -> None:
        """A pod was let go, so long after its request was found in force."""
        ...

    def lost(self, pod: HeldPod) -> None:
        """Somebody else took our gate off."""
        ...

    def settled(self, confirmed: int, returned: int) -> None:
        """So many uses were confirmed, so many given back."""
        ...

    def evicted(self, namespace: str, name: str, uid: str, message: str) -> None:
        """A pod was evicted because its permit had ended."""
        ...

    def not_evicted(self, namespace: str, name: str, uid: str, message: str) -> None:
        """A pod could not be evicted yet."""
        ...
