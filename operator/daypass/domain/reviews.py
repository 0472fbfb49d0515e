"""Decides what exactly is signed of a review."""

from daypass.domain.review import Review
from daypass.domain.times import rfc3339


def signed_document(review: Review) -> dict[str, object]:
    """All fields of a stored review but the signature, as the JSON document that RFC 8785 spells.

    Rule: nothing that a later decision reads is left out, ``digestConfirmed`` and the request's uid included, so
    that a review can be neither altered nor replayed on another request (T01, T12).
    """
    reviewer = review.reviewer
    return {
        "version": review.version,
        "requestUID": review.request_uid,
        "digest": review.digest,
        "digestConfirmed": review.digest_confirmed,
        "decision": review.decision.value,
        "comment": review.comment,
        "reviewer": {
            "username": reviewer.username,
            "uid": reviewer.uid,
            "groups": list(reviewer.groups),
            "extra": {key: list(values) for key, values in reviewer.extra.items()},
        },
        "time": rfc3339(review.time),
        "keyID": review.key_id,
    }
