"""Which error an answer of the API server means: what a caller may do next depends on nothing else."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from daypass.app.ports import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    GoneError,
    RefusedError,
    UnavailableError,
)

MAX_MESSAGE: Final = 2048
"""Characters of a server's message that we carry on: status fields and logs have limits too."""
WORTH_ANOTHER_TRY: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


def failure(code: int, body: bytes, retry_after: str = "") -> ApiError:
    """The error behind an answer that is not 2xx, with the ``message`` and ``reason`` of its Status body."""
    status = _status(body)
    message = str(status.get("message") or body[:MAX_MESSAGE].decode(errors="replace").strip() or f"HTTP {code}")
    return error_for(code, str(status.get("reason") or ""), message[:MAX_MESSAGE], _seconds(retry_after))


def error_for(code: int, reason: str, message: str, retry_after_seconds: float = 0) -> ApiError:
    """Of the family by code; 401 is worth another try because tokens rotate, 404 on a write is a plain ApiError."""
    if code == HTTPStatus.CONFLICT:
        return (AlreadyExistsError if reason == "AlreadyExists" else ConflictError)(message, code, reason)
    if code == HTTPStatus.GONE:
        return GoneError(message, code, reason)
    if code == HTTPStatus.NOT_FOUND:
        return ApiError(message, code, reason)
    if HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR and code not in WORTH_ANOTHER_TRY:
        return RefusedError(message, code, reason)
    # Fail closed: a redirect, for one, is not a result of the API server either.
    return UnavailableError(message, code, reason, retry_after_seconds)


def _status(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _seconds(retry_after: str) -> float:
    """The API server sends whole seconds; the date form of RFC 9110 is not used by it."""
    return float(retry_after) if retry_after.isdecimal() else 0.0
