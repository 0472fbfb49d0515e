"""The HTTP side of admission: secret paths, bounded bodies, one answer for each review (T49, T52)."""

import asyncio
import functools
import hmac
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import structlog
from aiohttp import web
from prometheus_client import Counter, Histogram

from daypass.app.admission.answer import Answer, Decide, Operation, refuse
from daypass.observe import metrics
from daypass.webhook.answers import admission_review, status
from daypass.webhook.calls import call_from
from daypass.webhook.decoding import UnreadableError, decode, uid_of
from daypass.webhook.routes import RESOURCES

MAX_OBJECTS: Final = 6 * 1024 * 1024
"""Two objects of 3 MiB, the most that the API server takes of each."""
MAX_BODY: Final = MAX_OBJECTS + 64 * 1024
"""The objects and the review around them."""
LARGE: Final = 256 * 1024
SMALL_AT_ONCE: Final = 64
LARGE_AT_ONCE: Final = 4
PATIENCE_SECONDS: Final = 4.0
"""For a place and for the body; the API server waits 5 s for an answer."""

WAITING_AT_ONCE: Final = 256
LARGE_WAITING_AT_ONCE: Final = 8
"""What waits for the API server has given up its place, so that it never stands in the way of what does not."""
BUDGET_SECONDS: Final = 3.0
"""For all that asks the API server, the wait for a place included."""

Door: TypeAlias = tuple[Callable[[], Sequence[str]], Decide]
"""The secret paths as they are now, and who decides behind them."""

log = structlog.get_logger(__name__)


class Listener:
    """Answers HTTP requests; knows nothing of TLS and of how it is served."""

    def __init__(self, *doors: Door) -> None:
        self._doors = doors
        self._small = asyncio.Semaphore(SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._waiting = asyncio.Semaphore(WAITING_AT_ONCE)
        self._large_waiting = asyncio.Semaphore(LARGE_WAITING_AT_ONCE)
        self.serving = False
        self.draining = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; whoever does not know a path gets 404 and learns nothing, whatever they send."""
        decide = self._behind(request.raw_path.partition("?")[0])
        if decide is None or request.method != "POST":
            return self._closing(web.Response(status=404, text="not found"))
        length = request.content_length
        if length is not None and length > MAX_BODY:
            return self._too_large()
        small = length is not None and length <= LARGE
        response = (
            self._answer(decide, request.content.read_nowait())
            if request.content.is_eof()  # as small ones are: all there, so that nothing is to be waited for or bounded
            else await self._received(decide, request, self._small if small else self._large)
        )
        if isinstance(response, _Open):
            response = await self._waited(response, self._waiting if small else self._large_waiting)
        return self._closing(response) if self.draining else response

    async def _received(
        self, decide: Decide, request: web.BaseRequest, places: asyncio.Semaphore
    ) -> "web.Response | _Open":
        """Answer what is still on its way, of which there may not be too much at once."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await places.acquire()
        except TimeoutError:
            return self._closing(_json(503, status(503, "too many admission reviews at once")))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                body = await _body(request)
            return self._answer(decide, body)
        except _TooLargeError:
            return self._too_large()
        except TimeoutError:
            return self._closing(_json(408, status(408, "the admission review did not arrive in time")))
        finally:
            places.release()

    def _behind(self, path: str) -> Decide | None:
        """Compare with every path in constant time, so that nobody learns one digit by digit."""
        found = None
        sent = path.encode("utf-8", "surrogateescape")
        for secrets, decide in self._doors:
            for secret in secrets():
                if hmac.compare_digest(sent, secret.encode()):
                    found = decide
        return found

    def _answer(self, decide: Decide, body: bytes) -> "web.Response | _Open":
        started = time.perf_counter()
        try:
            uid, call = call_from(decode(body))
        except UnreadableError as error:
            # Fail closed: with a uid the caller reads the reason in their own answer, without one in an HTTP error.
            uid, text = uid_of(body), f"the admission review can't be read: {error}"
            _count("", refuse("Unreadable", text), started)
            log.warning("admission review can't be read", error=str(error), bytes=len(body))
            return (
                _json(200, admission_review(uid, refuse("Unreadable", text, 400)))
                if uid
                else _json(400, status(400, text))
            )
        answer = decide(call)
        if isinstance(answer, Answer) and not _is_told(answer):
            _count(call.resource, answer, started)
            return _json(200, admission_review(uid, answer))
        asked = _Asked(
            uid, call.resource, call.operation, call.namespace, call.name, call.caller.username, call.dry_run, started
        )
        return _answered(asked, answer) if isinstance(answer, Answer) else _Open(asked, answer)

    async def _waited(self, review: "_Open", places: asyncio.Semaphore) -> web.Response:
        """Let a decision ask the API server; what takes too long is refused, and said so, before the API server gives up."""
        begun = False
        try:
            async with asyncio.timeout(BUDGET_SECONDS), places:
                begun = True
                answer = await review.answer
        except TimeoutError:
            # Fail closed: not decided in time is not decided.
            text = f"Daypass could not decide within {BUDGET_SECONDS:g} s, because the API server is slow to answer it; try again"
            answer = refuse("OutOfTime", text, 503)
        finally:
            if not begun:
                review.answer.close()
        return _answered(review.asked, answer)

    def _too_large(self) -> web.Response:
        text = f"the admission review is larger than {MAX_BODY} bytes"
        return self._closing(_json(413, status(413, text)))

    def _closing(self, response: web.Response) -> web.Response:
        response.force_close()
        return response


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is said of a call once it is decided, without its objects."""

    uid: str
    resource: str
    operation: Operation
    namespace: str
    name: str
    caller: str
    dry_run: bool
    started: float


@dataclass(frozen=True, slots=True)
class _Open:
    """A review whose decision has to ask the API server."""

    asked: _Asked
    answer: Coroutine[Any, Any, Answer]


class _TooLargeError(Exception):
    """A body that never ends, or that did not say how long it is."""


async def _body(request: web.BaseRequest) -> bytes:
    """The body, which nothing else keeps: aiohttp's own ``read`` would as long as the request is under way."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY:
            raise _TooLargeError
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _answered(asked: _Asked, answer: Answer) -> web.Response:
    _count(asked.resource, answer, asked.started)
    _log(asked, answer)
    return _json(200, admission_review(asked.uid, answer))


def _json(code: int, body: bytes) -> web.Response:
    return web.Response(status=code, body=body, content_type="application/json")


def _count(resource: str, answer: Answer, started: float) -> None:
    reviews, duration = _measured(resource if resource in RESOURCES else "other", answer.decision)
    reviews.inc()
    duration.observe(time.perf_counter() - started)


@functools.lru_cache(maxsize=1024)
def _measured(resource: str, decision: str) -> tuple[Counter, Histogram]:
    """To look a metric up by its labels costs more than to count."""
    return metrics.admission_reviews.labels(resource, decision), metrics.admission_duration.labels(resource)


def _is_told(answer: Answer) -> bool:
    """Whether the log says so."""
    return not answer.allowed or answer.decision.startswith("Recorded")


def _log(asked: _Asked, answer: Answer) -> None:
    """One line for each refusal and each review: what was said, by whom, of what; never the object."""
    if not _is_told(answer):
        return
    log.info(
        "admission",
        review=asked.uid,
        resource=asked.resource,
        operation=asked.operation.value,
        namespace=asked.namespace,
        name=asked.name,
        caller=asked.caller,
        dry_run=asked.dry_run,
        allowed=answer.allowed,
        decision=answer.decision,
        message=answer.message,
    )
