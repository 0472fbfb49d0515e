"""One person's answer to a request, as admission recorded and signed it."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from daypass.domain.identity import Identity


class ReviewDecision(Enum):
    """What a reviewer says."""

    APPROVE = "Approve"
    DENY = "Deny"
    REVOKE = "Revoke"
    RELEASE = "Release"


@dataclass(frozen=True, slots=True)
class Review:
    """An entry of ``status.reviews``: who said what of which digest, when, under whose signature."""

    version: int
    request_uid: str
    digest: str
    decision: ReviewDecision
    reviewer: Identity
    time: datetime
    key_id: str
    signature: str
    """Base64 of Ed25519 over RFC 8785 of the other fields; empty on a dry run."""
    comment: str = ""
    digest_confirmed: bool = False
    """Whether the reviewer sent the digest themselves (a stage may require it)."""
