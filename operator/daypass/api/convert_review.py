"""Reads reviews: what a reviewer submits, what admission has recorded, and the stages they are counted in."""

from dataclasses import dataclass
from sys import intern

from pydantic import ValidationError

from daypass.api.malformed import malformed
from daypass.api.request_status import ReviewRecord, ReviewSubmission, StageProgress
from daypass.domain.identity import NO_EXTRA, Identity
from daypass.domain.policy import AppliedStage, Approvers, Stage
from daypass.domain.review import Review, ReviewDecision


@dataclass(frozen=True, slots=True)
class Submission:
    """What a reviewer sets in ``status.review``, checked for shape and plain text only."""

    decision: ReviewDecision
    comment: str
    digest: str


def submission_from(body: object) -> Submission:
    """The value of ``status.review``; unknown fields are refused. Raises MalformedError."""
    try:
        given = ReviewSubmission.model_validate(body, extra="forbid")
    except ValidationError as error:
        raise malformed(error, "status.review") from None
    return Submission(ReviewDecision(given.decision), given.comment, given.digest)


def review_from(body: object) -> Review:
    """One entry of ``status.reviews``; an unknown version or decision can't be judged (T63). Raises MalformedError."""
    try:
        return review_of(ReviewRecord.model_validate(body))
    except ValidationError as error:
        raise malformed(error, "status.reviews[]") from None


def review_of(record: ReviewRecord) -> Review:
    """The domain value of a model that was read already."""
    who = record.reviewer
    return Review(
        version=record.version,
        request_uid=record.request_uid,
        digest=intern(record.digest),
        decision=ReviewDecision(record.decision),
        reviewer=Identity(
            intern(who.username),
            intern(who.uid),
            tuple(map(intern, who.groups)),
            {key: tuple(values) for key, values in who.extra.items()} or NO_EXTRA,
        ),
        time=record.time,
        key_id=intern(record.key_id),
        signature=record.signature,
        comment=record.comment,
        digest_confirmed=record.digest_confirmed,
    )


def stage_of(stage: StageProgress) -> AppliedStage:
    """The domain value of a model that was read already."""
    approvers = Approvers(
        tuple(map(intern, stage.approvers.users)),
        tuple(map(intern, stage.approvers.groups)),
        tuple((account.namespace, account.name) for account in stage.approvers.service_accounts),
    )
    return AppliedStage(stage.policy, Stage(stage.name, stage.required, approvers, require_digest=stage.require_digest))
