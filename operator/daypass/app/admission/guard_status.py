"""Guard ``status``: nobody but the controller changes more of it than one review of their own (T01, T02)."""

import json
from collections.abc import Mapping
from typing import Any

from daypass.api import convert
from daypass.app.admission.answer import INVALID, Answer, Call, Operation, allow, refuse
from daypass.app.ports import Json, Verifier
from daypass.domain.json_values import member
from daypass.domain.review import ReviewDecision


def guard_status(call: Call, controller: str, verifier: Verifier) -> Answer:
    """Compare the final status with the stored one.

    Allowed is one more entry at the end of ``reviews``, about this request and its digest, by the caller
    (uid and extra included, T13), and signed by us unless this is a dry run. The controller's username is
    let through: its calls do not come here where the configuration is ours.
    """
    if call.operation is not Operation.UPDATE:
        return refuse("UnexpectedCall", "status is only ever updated", INVALID)
    if call.caller.username == controller:
        return allow("Controller")
    before, after = _status(call.old), _status(call.object)
    if before is None or after is None:
        # Fail closed: without both there is nothing to compare.
        return refuse("Unreadable", "status can't be compared with what is stored", INVALID)
    if "review" in after:
        return refuse("UnsignedReview", "status.review was not recorded: the review is not signed", INVALID)
    changed = sorted(key for key in {*before, *after} - {"reviews"} if _spelled(before, key) != _spelled(after, key))
    if changed:
        return refuse("StatusIsGuarded", f"status.{changed[0]}: only Daypass writes status; send status.review alone")
    return _reviews(call, before.get("reviews") or [], after.get("reviews") or [], verifier)


def _status(body: Json | None) -> Json | None:
    if body is None:
        return None
    status = body.get("status")
    if status is None:
        return {}
    return status if isinstance(status, Mapping) else None


def _spelled(status: Json, key: str) -> str:
    """A field as JSON, empty where it is absent: to Python 1 is True, and null as good as nothing."""
    return json.dumps(status[key], sort_keys=True) if key in status else ""


def _reviews(call: Call, before: Any, after: Any, verifier: Verifier) -> Answer:  # noqa: ANN401 - JSON as it came
    if json.dumps(after) == json.dumps(before):
        return allow("Unchanged")
    if not isinstance(before, list) or not isinstance(after, list) or json.dumps(after[:-1]) != json.dumps(before):
        return refuse("ReviewsAreAppended", "status.reviews: nobody changes what was said; send status.review alone")
    refusal = _foreign(call, after[-1], verifier) or _repeated(before, after[-1])
    return allow("ReviewAppended") if refusal is None else refusal


def _foreign(call: Call, entry: Any, verifier: Verifier) -> Answer | None:  # noqa: ANN401 - JSON as it came
    """Refuse an entry that our own admission did not make for this caller and this request."""
    where = "status.reviews"
    try:
        review = convert.review_from(entry)
    except convert.MalformedError as error:
        return refuse("ForeignReview", f"{where}: the new entry can't be read: {error}", INVALID)
    if review.reviewer != call.caller:
        return refuse("ForeignReview", f"{where}: an entry is made for its own reviewer only; send status.review alone")
    if review.request_uid != member(call.old, "metadata", "uid"):
        return refuse("ForeignReview", f"{where}: the new entry is about another request")
    digest = member(call.old, "status", "digest") or ""
    if review.digest != digest or not (digest or review.decision is ReviewDecision.RELEASE):
        return refuse("ForeignReview", f"{where}: the new entry is about another digest than the request's")
    unsigned_dry_run = call.dry_run and not review.signature
    if not unsigned_dry_run and not verifier.genuine(review):
        return refuse(
            "ForeignReview",
            f"{where}: the new entry is not signed by a key that is published; send status.review alone",
        )
    return None


def _repeated(before: list[Any], entry: Any) -> Answer | None:  # noqa: ANN401 - JSON as it came
    """Refuse to have the same said twice: copies of a genuine entry would leave no room for others' reviews."""
    if any(_said(entry) == _said(one) for one in before):
        return refuse(
            "ReviewRepeated",
            "status.reviews: you have said this of this request already; the review that you gave stands",
        )
    return None


def _said(entry: Any) -> tuple[object, ...]:  # noqa: ANN401 - JSON as it came
    return (
        member(entry, "reviewer", "username"),
        *(entry.get(key) for key in ("decision", "digest", "digestConfirmed")),
    )
