"""Which reviews count: those whose signature we have verified ourselves, of today's digest, in time (T01, T12, T14)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from daypass.app.ports import CONFIG_MAPS, Clock, Objects, Verifier
from daypass.domain import names
from daypass.domain.request import Request
from daypass.domain.review import Review, ReviewDecision

RELOAD_SECONDS: Final = 10
"""Reviews by keys that nobody knows don't make us read the keys more often than this."""


@dataclass(slots=True)
class Ballots:
    """The public keys as published, and what they say of reviews."""

    objects: Objects
    clock: Clock
    namespace: str
    verifier_of: Callable[[Mapping[str, bytes]], Verifier]
    _keys: dict[str, bytes] = field(default_factory=dict)
    _verifier: Verifier | None = None
    _read_at: datetime | None = None

    async def genuine(self, request: Request) -> list[Review]:
        """The reviews of this very request whose signature is ours; raises ApiError when keys can't be read."""
        own = [review for review in request.reviews if review.request_uid == request.uid]
        if not own:
            return []
        if any(review.key_id not in self._keys for review in own):
            await self._read()
        verifier = self._verifier
        return [] if verifier is None else [review for review in own if verifier.genuine(review)]

    def unknown(self, request: Request) -> tuple[str, ...]:
        """Ids of keys that signed reviews of the request and are not published: those reviews are void (T61)."""
        return tuple(sorted({review.key_id for review in request.reviews} - set(self._keys)))

    async def _read(self) -> None:
        now = self.clock.now()
        if self._read_at is not None and now - self._read_at < timedelta(seconds=RELOAD_SECONDS):
            return
        found = await self.objects.get(CONFIG_MAPS, names.PUBLIC_KEYS_CONFIG_MAP, self.namespace)
        self._read_at = now
        data: Mapping[str, str] = (found or {}).get("data") or {}
        self._keys = {key_id: pem.encode() for key_id, pem in data.items()}
        self._verifier = self.verifier_of(self._keys)


def counted(votes: Sequence[Review], digest: str, deadline: datetime | None = None) -> list[Review]:
    """The reviews that count against a digest; an approval after the deadline is none.

    Giving up needs no digest: whoever releases a request means it whatever it looks like now.
    """
    return [
        vote
        for vote in votes
        if vote.decision is ReviewDecision.RELEASE
        or (
            bool(digest)
            and vote.digest == digest
            and (vote.decision is not ReviewDecision.APPROVE or deadline is None or vote.time <= deadline)
        )
    ]


def voided(votes: Sequence[Review], earlier: str, digest: str) -> list[Review]:
    """The approvals of what was recorded that are void now, because something in the digest changed."""
    if not earlier or earlier == digest:
        return []
    return [vote for vote in votes if vote.decision is ReviewDecision.APPROVE and vote.digest == earlier]


def decided_at(votes: Sequence[Review]) -> datetime | None:
    """When the last approval came in."""
    return max((vote.time for vote in votes if vote.decision is ReviewDecision.APPROVE), default=None)
