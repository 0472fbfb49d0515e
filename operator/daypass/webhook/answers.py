"""Spell an answer as the API server reads it (admission.k8s.io/v1)."""

import base64
import functools
import json
import re
from typing import Any, Final

from daypass.app.admission.answer import MAX_WARNING, Answer

_REASONS: Final = {
    500: "InternalError",
    503: "ServiceUnavailable",
    403: "Forbidden",
    409: "Conflict",
    422: "Invalid",
    400: "BadRequest",
}
_PLAIN: Final = re.compile("[0-9A-Za-z-]+")
_ANNOTATION: Final = "decision"
"""The API server prefixes it with the name of the webhook."""


def admission_review(uid: str, answer: Answer) -> bytes:
    """Encode the AdmissionReview that answers the review of that uid."""
    if answer.allowed and not (answer.patch or answer.warnings or answer.annotations) and _PLAIN.fullmatch(uid):
        before, after = _around(answer.decision)
        return f"{before}{uid}{after}".encode()
    return _encoded(uid, answer)


@functools.lru_cache(maxsize=256)
def _around(decision: str) -> tuple[str, str]:
    """What stands before and after the uid in the answer to nearly every review."""
    before, _, after = _encoded("UID", Answer(allowed=True, decision=decision)).decode().partition("UID")
    return before, after


def _encoded(uid: str, answer: Answer) -> bytes:
    response: dict[str, Any] = {
        "uid": uid,
        "allowed": answer.allowed,
        "auditAnnotations": {_ANNOTATION: answer.decision, **answer.annotations},
    }
    if not answer.allowed:
        response["status"] = {
            "code": answer.code,
            "reason": _REASONS.get(answer.code, "Forbidden"),
            "message": answer.message,
        }
    elif answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(answer.patch).encode()).decode("ascii")
    if answer.warnings:
        response["warnings"] = [_short(warning) for warning in answer.warnings]
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return json.dumps(review).encode()


def status(code: int, message: str) -> bytes:
    """Encode a Status for a caller whose review can't be answered; the API server shows its message."""
    body = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": _REASONS.get(code, "BadRequest"),
        "message": message,
    }
    return json.dumps(body).encode()


def _short(warning: str) -> str:
    return warning if len(warning) <= MAX_WARNING else f"{warning[: MAX_WARNING - 1]}…"
