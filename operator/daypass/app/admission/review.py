"""Turn one person's answer into a signed entry of ``status.reviews``, or say why it would count nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from daypass.api import convert
from daypass.app.admission.answer import INVALID, Answer, Call, Operation, allow, refuse
from daypass.app.admission.knowledge import Knowledge
from daypass.app.ports import Clock, Json, Signer, Verifier
from daypass.domain.conditions import FINAL, state_of
from daypass.domain.identity import Identity
from daypass.domain.json_values import member
from daypass.domain.objections import objection
from daypass.domain.request import Request
from daypass.domain.review import Review, ReviewDecision
from daypass.domain.times import rfc3339

REVIEW_VERSION: Final = 1
MIN_DIGEST: Final = 32
"""Hex digits of a digest that a reviewer sends: 128 bits, what nobody finds a second request for."""
_TIMED: Final = frozenset({ReviewDecision.APPROVE, ReviewDecision.DENY})


@dataclass(frozen=True, slots=True)
class Reviewing:
    """What recording a review needs; ``keys`` signs, and knows what it has signed."""

    knowledge: Knowledge
    signer: Signer
    verifier: Verifier
    clock: Clock


def record(call: Call, needs: Reviewing) -> Answer:
    """Append the caller's review, with their identity, our time, the stored digest and a signature.

    Everything is judged on the stored request (T05), never on what the caller sent beside the review. The
    stored list of reviews is copied for everyone, so that nobody's vote is lost in a patch (T03); where two
    people answer in the same instant, the API server asks again and both end up in it. A dry run is judged
    in the same way and gets no signature.
    """
    sent = member(call.object, "status", "review")
    if call.operation is not Operation.UPDATE or sent is None:
        return allow("NoReview")
    if call.old is None:
        return refuse("Unreadable", "the stored request was not sent along: the review can't be judged", INVALID)
    given = _given(sent)
    if isinstance(given, Answer):
        return given
    try:
        request = convert.request_from(call.old)
    except convert.MalformedError as error:
        # Fail closed: a request that can't be read can't be agreed to.
        return refuse("Unreadable", f"the stored request can't be read, so it can't be reviewed: {error}", INVALID)
    now = needs.clock.now().replace(microsecond=0)
    refusal = _untimely(request, given.decision, now) or _other_digest(request, given.digest)
    if refusal is None and given.decision in _TIMED and request.record.approved_time is None:
        refusal = _outdated(request, needs.knowledge)
    if refusal is None:
        refusal = _uncounted(call.caller, request, given, needs.verifier)
    if refusal is not None:
        return refusal
    review = Review(
        version=REVIEW_VERSION,
        request_uid=request.uid,
        digest=request.record.digest,
        decision=given.decision,
        reviewer=call.caller,
        time=now,
        key_id="",
        signature="",
        comment=given.comment,
        digest_confirmed=bool(given.digest),
    )
    if not call.dry_run:
        try:
            review = needs.signer.sign(review)
        except ValueError as error:
            return refuse("Unsignable", f"the review can't be signed: {error}", INVALID)
    return Answer(
        allowed=True,
        decision=f"Recorded{given.decision.value}",
        patch=tuple(_appended(call, convert.review_json(review))),
        annotations={"review": given.decision.value, "request-uid": request.uid, "digest": request.record.digest},
    )


def _given(sent: Any) -> convert.Submission | Answer:  # noqa: ANN401 - JSON as it came
    """Read ``status.review``, which the schema never judges because admission takes it away."""
    where = "status.review"
    digest = member(sent, "digest") or ""
    if isinstance(digest, str) and 0 < len(digest) < MIN_DIGEST:
        return refuse(
            "DigestTooShort", f"{where}.digest: must have {MIN_DIGEST} hex digits at least, or be left out", INVALID
        )
    try:
        return convert.submission_from(sent)
    except convert.MalformedError as error:
        return refuse("MalformedReview", str(error), INVALID)


def _untimely(request: Request, decision: ReviewDecision, now: datetime) -> Answer | None:
    """Refuse what comes before there is anything to agree to, and what comes too late (T12)."""
    if state_of(request.record) in FINAL:
        return refuse("RequestIsOver", "this request has ended: a new one is needed")
    if not request.record.digest and decision is not ReviewDecision.RELEASE:
        return refuse("NotEvaluated", "this request is not evaluated yet: try again in a moment")
    if decision not in _TIMED or request.record.approved_time is not None:
        return None
    deadline = request.record.pending_deadline_time
    if deadline is None:
        # Fail closed: the controller writes the deadline together with the digest.
        return refuse("NotEvaluated", "this request has no deadline for an answer yet: try again in a moment")
    if now >= deadline:
        return refuse("TooLate", f"the time for an answer ended at {rfc3339(deadline)}: a new request is needed")
    return None


def _other_digest(request: Request, given: str) -> Answer | None:
    """Refuse an answer to something other than what is asked now."""
    if not given:
        return None
    if not request.record.digest.startswith(given):
        return refuse(
            "DigestDiffers",
            "status.review.digest: this request is no longer what you have read: its digest is now"
            f" {request.record.digest}",
        )
    return None


def _outdated(request: Request, knowledge: Knowledge) -> Answer | None:
    """Refuse an answer under policies that were edited since: it would be void (T14)."""
    for reference in request.record.policies:
        policy = knowledge.policy(reference.name)
        if policy is None or policy.uid != reference.uid or policy.generation > reference.generation:
            return refuse(
                "PolicyChanged",
                f"policy {reference.name} has changed since the request was evaluated: read the request again and retry",
            )
    return None


def _uncounted(caller: Identity, request: Request, given: convert.Submission, verifier: Verifier) -> Answer | None:
    """Refuse a review that would count nowhere (T07, T08), with the reason."""
    today = request.record.digest
    earlier = [each for each in request.reviews if each.digest == today and verifier.genuine(each)]
    stages, confirmed = request.record.stages, bool(given.digest)
    reason = objection(request, stages, caller, given.decision, earlier, digest_confirmed=confirmed)
    return refuse("WouldNotCount", reason) if reason else None


def _appended(call: Call, entry: Json) -> list[Mapping[str, Any]]:
    stored = member(call.old, "status", "reviews") or ()
    return [
        {"op": "add", "path": "/status/reviews", "value": [*stored, entry]},
        {"op": "remove", "path": "/status/review"},
    ]
