"""Which reviews count: those whose signature we have verified ourselves, of today's digest, in time (T01, T12, T14)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from daypass.app.fresh_reads import FreshRead
from daypass.app.ports import CONFIG_MAPS, Clock, Objects, Verifier
from daypass.domain import names
from daypass.domain.request import Request
from daypass.domain.review import Review, ReviewDecision

RELOAD_SECONDS: Final = 10
"""Reviews by keys that nobody knows don't make us read the keys more often than this."""
REMEMBERED: Final = 1024
LASTING_SECONDS: Final = 60
"""Keys that were read longer ago are read again: one that was taken back after a leak must not go on counting."""


@dataclass(slots=True)
class Ballots:
    """The public keys as published, and what they say of reviews."""

    objects: Objects
    clock: Clock
    namespace: str
    verifier_of: Callable[[Mapping[str, bytes]], Verifier]
    _keys: dict[str, bytes] = field(default_factory=dict)
    _verifier: Verifier | None = None
    """Another one as soon as a key is another: what was verified by it is verified again."""
    _verified: dict[str, tuple[Verifier, list[Review], list[Review]]] = field(default_factory=dict)
    _missed: dict[str, datetime] = field(default_factory=dict)
    _read_at: datetime | None = None
    _fresh: FreshRead[None] = field(init=False)

    def __post_init__(self) -> None:
        """Those who need the keys at the same time share one read."""
        self._fresh = FreshRead(self._read)

    async def genuine(self, request: Request) -> list[Review]:
        """The reviews of this very request whose signature is ours; raises ApiError when keys can't be read."""
        own = [review for review in request.reviews if review.request_uid == request.uid]
        if not own:
            return []
        await self._learn({review.key_id for review in own})
        verifier = self._verifier
        if verifier is None:
            return []
        # A request is judged several times by the same keys within moments.
        by, of, found = self._verified.get(request.uid, (None, [], []))
        if by is not verifier or of != own:
            found = [review for review in own if verifier.genuine(review)]
            self._verified[request.uid] = (verifier, own, found)
            if len(self._verified) > REMEMBERED:
                del self._verified[next(iter(self._verified))]
        return list(found)

    def unknown(self, request: Request) -> tuple[str, ...]:
        """Ids of keys that signed reviews of the request and are not published: those reviews are void (T61)."""
        own = {review.key_id for review in request.reviews if review.request_uid == request.uid}
        return tuple(sorted(own - set(self._keys)))

    async def renew(self, request: Request) -> None:
        """Read the keys as they are now, before reviews of a request give access; raises ApiError."""
        if request.reviews:
            await self._fresh()

    async def _learn(self, key_ids: set[str]) -> None:
        """Read the keys again if they are old or one is unknown; not for one just found not to be published."""
        now = self.clock.now()
        lasting = self._read_at is not None and now - self._read_at < timedelta(seconds=LASTING_SECONDS)
        recent = now - timedelta(seconds=RELOAD_SECONDS)
        if lasting and all(key_id in self._keys or self._missed.get(key_id, recent) > recent for key_id in key_ids):
            return
        # Fail closed: while old keys can't be read again, nothing is counted by them.
        await self._fresh()
        self._missed = dict.fromkeys(key_ids - set(self._keys), now)

    async def _read(self) -> None:
        now = self.clock.now()
        found = await self.objects.get(CONFIG_MAPS, names.PUBLIC_KEYS_CONFIG_MAP, self.namespace)
        data: Mapping[str, str] = (found or {}).get("data") or {}
        keys = {key_id: pem.encode() for key_id, pem in data.items()}
        if self._verifier is None or keys != self._keys:
            self._keys, self._verifier = keys, self.verifier_of(keys)
        self._read_at = now


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
