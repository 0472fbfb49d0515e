"""Every ApprovalPolicy that is known."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from daypass.api.convert import policy_from
from daypass.api.malformed import MalformedError
from daypass.app.ports import Json
from daypass.domain.policy import Policy
from daypass.domain.policy_set import PolicySet

FAULT_SECONDS: Final = 300
"""So long is remembered what failed while a policy was evaluated: facts change."""
REMEMBERED: Final = 10_000
"""So many policies that are gone are not taken for new ones when old news of them come in."""


class Policies:
    """The policies as last heard of; one that can't be read is a fault, never left out in silence."""

    def __init__(self) -> None:
        self._bodies: dict[str, Json] = {}
        self._read: dict[str, Policy] = {}
        self._set = PolicySet()
        self._gone: OrderedDict[str, None] = OrderedDict()
        self.unreadable: dict[str, str] = {}
        """Name and reason of each policy that could not be read."""
        self.faults: dict[str, tuple[str, datetime]] = {}
        """What failed while a policy was evaluated, and when it last did."""

    def take(self, body: Json) -> bool:
        """Keep a policy; whether its spec is news."""
        name = body["metadata"]["name"]
        if body["metadata"]["uid"] in self._gone:
            return False
        known = self._bodies.get(name)
        if known is not None and int(known["metadata"]["resourceVersion"]) >= int(body["metadata"]["resourceVersion"]):
            return False
        self._bodies[name] = body
        if known is not None and _identity(known) == _identity(body):
            return False
        self.unreadable.pop(name, None)
        self.faults.pop(name, None)
        try:
            self._read[name] = policy_from(body)
        except MalformedError as error:
            # Fail closed: it stays known as unreadable, and while it does nothing is granted (T63).
            self._read.pop(name, None)
            self.unreadable[name] = str(error)
        self._set = PolicySet(self._read.values())
        return True

    def drop(self, name: str, uid: str) -> bool:
        """Forget a policy that is gone; whether it was known. Another of the same name stays, old news don't return."""
        self._gone[uid] = None
        if len(self._gone) > REMEMBERED:
            self._gone.popitem(last=False)
        known = self._bodies.get(name)
        if known is None or known["metadata"]["uid"] != uid:
            return False
        self._bodies.pop(name, None)
        self._read.pop(name, None)
        self.unreadable.pop(name, None)
        self.faults.pop(name, None)
        self._set = PolicySet(self._read.values())
        return True

    def failed(self, name: str, message: str, now: datetime) -> bool:
        """Something in a policy could not be evaluated; whether that is news."""
        if name not in self._read:
            return False
        news = self.faults.get(name, ("", now))[0] != message
        self.faults[name] = (message, now)
        return news

    def fault(self, name: str, now: datetime) -> str:
        """What failed lately; what has not failed again for ``FAULT_SECONDS`` is forgotten."""
        message, last = self.faults.get(name, ("", now))
        if now - last > timedelta(seconds=FAULT_SECONDS):
            del self.faults[name]
            return ""
        return message

    def readable(self) -> Sequence[Policy]:
        """The policies that could be read."""
        return self._set

    def body(self, name: str) -> Json | None:
        """A policy as it was heard."""
        return self._bodies.get(name)

    def find(self, name: str) -> Policy | None:
        """A policy that could be read."""
        return self._read.get(name)

    def names(self) -> list[str]:
        """All of them, also those that could not be read."""
        return list(self._bodies)

    def uids(self) -> dict[str, str]:
        """The uid of each, by name; a snapshot."""
        return {name: body["metadata"]["uid"] for name, body in self._bodies.items()}


def _identity(body: Json) -> tuple[str, int]:
    return (body["metadata"]["uid"], body["metadata"].get("generation", 0))
