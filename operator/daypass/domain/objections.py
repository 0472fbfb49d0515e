"""Decides whether a review that somebody is about to give would count, and says why not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from daypass.domain.eligibility import counts_in, gains, is_author, is_eligible, is_listed, is_party, may_release
from daypass.domain.identity import Identity, same_identity
from daypass.domain.policy import AppliedStage
from daypass.domain.quorum import tally
from daypass.domain.request import Request
from daypass.domain.review import Review, ReviewDecision
from daypass.domain.wording import people


def objection(
    request: Request,
    stages: Sequence[AppliedStage],
    reviewer: Identity,
    decision: ReviewDecision,
    earlier: Sequence[Review],
    *,
    digest_confirmed: bool,
) -> str:
    """Why a review would count nowhere, as a sentence for its author; empty when it would count.

    Rule: nothing counts once the request has ended. Approve and Deny count until it is approved, by those whom a
    stage asks; Revoke by the same from then on; Release by requester or subject at any time. Nobody approves twice,
    unless the second time names the digest that a stage demands and the first did not. ``earlier`` are the genuine
    reviews of today's digest.
    """
    if request.record.end_time is not None or request.deletion_time is not None:
        return "this request has ended: a new one is needed"
    approved = request.record.approved_time is not None
    match decision:
        case ReviewDecision.RELEASE:
            if may_release(request, reviewer):
                return ""
            return "only the requester or the subject releases a request: use Deny before approval, Revoke after it"
        case ReviewDecision.REVOKE:
            return _not_asked(request, stages, reviewer) or ("" if approved else "nothing is approved yet: use Deny")
        case ReviewDecision.DENY:
            return _not_asked(request, stages, reviewer) or ("approved already: use Revoke" if approved else "")
        case ReviewDecision.APPROVE:
            return (
                _not_asked(request, stages, reviewer)
                or ("approved already: nothing is left to approve" if approved else "")
                or ("" if digest_confirmed else _digest_owed(request, stages, reviewer, earlier))
                or _answered(stages, reviewer, earlier, digest_confirmed=digest_confirmed)
            )
        case _:
            assert_never(decision)


def _not_asked(request: Request, stages: Sequence[AppliedStage], reviewer: Identity) -> str:
    if same_identity(reviewer, request.requester):
        return "you made this request: somebody else must answer it, whatever groups you are in; you may Release it"
    if is_author(request, reviewer):
        return "you made or changed this workload: somebody else must answer, whatever groups you are in"
    if gains(request, reviewer):
        return "this binding names you, or a group that you are in: somebody else must answer"
    if is_party(request, reviewer):
        return "this request is for your own access: somebody else must answer it; you may Release it"
    if not stages:
        return "this request was left to policy alone and asks nobody; an administrator may delete it"
    if is_eligible(request, stages, reviewer):
        return ""
    if reviewer.is_service_account:
        return f"ServiceAccounts don't count unless a stage lists them under serviceAccounts; {_asked(stages)}"
    return f"no stage of this request asks you; {_asked(stages)}"


def _asked(stages: Sequence[AppliedStage]) -> str:
    asks = (f"stage {one.stage.name} of policy {one.policy} asks {people(one.stage.approvers)}" for one in stages)
    return "; ".join(dict.fromkeys(asks))


def _digest_owed(
    request: Request, stages: Sequence[AppliedStage], reviewer: Identity, earlier: Sequence[Review]
) -> str:
    """Ask for the digest where an approval without it would fill no place, and with it would or might."""
    approval = Review(
        version=1,
        request_uid=request.uid,
        digest=request.record.digest,
        decision=ReviewDecision.APPROVE,
        reviewer=reviewer,
        time=request.creation_time,
        key_id="",
        signature="",
    )

    def filled(*more: Review) -> int:
        return sum(len(stage.approved_by) for stage in tally(request, stages, [*earlier, *more]).progress)

    could_count = any(counts_in(one.stage, reviewer, digest_confirmed=False) for one in stages)
    if could_count and not filled(approval) == filled() < filled(replace(approval, digest_confirmed=True)):
        return ""
    return (
        "your stage wants to know that you read what you approve: read the request, then add "
        f'"digest":"{request.record.digest}" to your review'
    )


def _answered(
    stages: Sequence[AppliedStage], reviewer: Identity, earlier: Sequence[Review], *, digest_confirmed: bool
) -> str:
    own = [
        vote for vote in earlier if vote.decision is ReviewDecision.APPROVE and same_identity(vote.reviewer, reviewer)
    ]
    if not own:
        return ""
    owed = any(one.stage.require_digest and is_listed(one.stage.approvers, reviewer) for one in stages)
    if owed and digest_confirmed and not any(vote.digest_confirmed for vote in own):
        return ""
    return "you have approved this request already: one person counts once; others must approve too"
