"""Events (events.k8s.io/v1) about objects: news for people who run ``kubectl describe``, never a record.

Publishing never waits and never fails: what does not fit the queue is counted and dropped, what was said of the same
object a moment ago is not said again. The record of decisions is the request's status and the log.
"""

import asyncio
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import structlog

from daypass.app.ports import EVENTS, ApiError, Clock, Json, Objects
from daypass.kube.lease import micro_time

QUEUE: Final = 2000
REPEAT_SECONDS: Final = 300.0
REMEMBERED: Final = 4096
SENDERS: Final = 2
PAUSE_SECONDS: Final = 0.1
"""What an Event tells of goes first, and what else is to be done: each waits a moment, so long as there is room."""
MAX_NOTE: Final = 1024
"""Bytes, although the API server's message says characters."""
MAX_ACTION: Final = 128

Dropped = Callable[[], None]

log = structlog.get_logger(__name__)


class Recorder:
    """Publishes Events as one component."""

    def __init__(
        self,
        client: Objects,
        clock: Clock,
        *,
        controller: str = "daypass.dev/controller",
        instance: str = "",
        dropped: Dropped | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``dropped`` is told of each Event that was lost, for a metric."""
        self._client, self._clock, self._monotonic = client, clock, monotonic
        self._controller = controller
        self._instance = (instance or socket.gethostname())[:MAX_ACTION]
        self._dropped = dropped
        self._queue: asyncio.Queue[Json] = asyncio.Queue(QUEUE)
        self._said: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._hurries = False

    def publish(self, about: Json, reason: str, note: str, *, warning: bool = False) -> bool:
        """Queue an Event on ``about``, any object with kind and metadata; returns at once. False: there is no room."""
        metadata = about["metadata"]
        now = self._monotonic()
        said = (str(metadata.get("uid") or metadata["name"]), reason, note)
        if now - self._said.get(said, float("-inf")) < REPEAT_SECONDS:
            return True
        self._said[said] = now
        self._said.move_to_end(said)
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        body: dict[str, Any] = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": f"{str(metadata['name'])[:200].rstrip('.-')}.{secrets.token_hex(8)}",
                # Of cluster-scoped objects they are in `default`: the API server demands it.
                "namespace": metadata.get("namespace") or "default",
            },
            "eventTime": micro_time(self._clock.now()),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "action": reason[:MAX_ACTION],
            "reason": reason[:MAX_ACTION],
            "type": "Warning" if warning else "Normal",
            "regarding": _reference(about),
            "note": _shortened(note),
        }
        try:
            self._queue.put_nowait(body)
        except asyncio.QueueFull:
            del self._said[said]
            self._drop()
            return False
        return True

    async def run(self) -> None:
        """Send what is queued until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(self._send())

    async def drain(self, seconds: float) -> None:
        """Wait for what is queued to be sent, so long at most; ``run`` must still be running."""
        self._hurries = True
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            log.warning("events not sent", count=self._queue.qsize())

    async def _send(self) -> None:
        while True:
            body = await self._queue.get()
            if not self._hurries and self._queue.qsize() < QUEUE // 2:
                await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self._client.create(EVENTS, body, body["metadata"]["namespace"])
            except ApiError as error:
                log.warning("event not sent", reason=body["reason"], error=error.message, code=error.code)
                self._drop()
            except Exception:
                log.exception("event not sent", reason=body["reason"])
                self._drop()
            finally:
                self._queue.task_done()

    def _drop(self) -> None:
        if self._dropped is not None:
            self._dropped()


def _shortened(note: str) -> str:
    encoded = note.encode(errors="replace")
    if len(encoded) <= MAX_NOTE:
        return note
    return f"{encoded[: MAX_NOTE - 3].decode(errors='ignore')}…"


def _reference(body: Json) -> Json:
    metadata = body["metadata"]
    fields = {
        "apiVersion": body.get("apiVersion"),
        "kind": body.get("kind"),
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {key: value for key, value in fields.items() if value}
