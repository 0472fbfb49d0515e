"""What a process knows of one kind of object: list once, then watch, for ever.

Only what ``keep`` makes of an object is held, never the object, so that 10,000 of them cost what the decision needs.
A cache is a copy, a moment late (T34): decisions that grant or revoke read live.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Generic, TypeVar

import structlog

from daypass.app.ports import ApiError, GoneError, Json, Resource, UnavailableError
from daypass.kube.client import Client

T = TypeVar("T")

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
LASTING_SECONDS: Final = 1.0
"""A watch that ends sooner counts as failed: else a server that hangs up at once is hammered."""
WATCH_SECONDS: Final = 240
SILENCE_SECONDS: Final = 90.0
"""The API server sends a bookmark a minute; a stream without any is watched anew from where it was."""

DEAF_SECONDS: Final = 2 * SILENCE_SECONDS
"""Who hears nothing for so long may not know any more what is there."""

PAGE: Final = 50
"""Objects at a time of a list: what all of a page takes in memory is not given back."""

Changed = Callable[[str, T | None, T | None], None]

log = structlog.get_logger(__name__)


class Cache(Generic[T]):
    """Objects of one resource by ``namespace/name``, or by ``name`` where they have no namespace."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        keep: Callable[[Json], T | None],
        changed: Changed[T] | None = None,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """``keep`` gives None for what is not wanted; ``changed(key, old, new)`` hears each true change, once."""
        self.resource = resource
        self.synced = asyncio.Event()
        self.faults: dict[str, str] = {}
        """Objects that ``keep`` failed on, with the error: what depends on all of a kind must not decide."""
        self._client = client
        self._keep = keep
        self._changed = changed
        self._selection = (namespace, label_selector, field_selector)
        self._silence = silence_seconds
        self._kept: dict[str, T] = {}
        self._versions: dict[str, str] = {}
        self._version = ""
        self._heard_at = float("-inf")

    async def run(self) -> None:
        """Follow the API server until cancelled; no failure ends it, each is a log line and a longer pause."""
        pause = FIRST_PAUSE
        while True:
            asked = 0.0
            watching_since = float("inf")
            try:
                if not self._version:
                    await self._list()
                watching_since = time.monotonic()
                await self._watch()
            except GoneError:
                self._version = ""
            except ApiError as error:
                log.warning("watch failed", resource=self.resource.plural, error=error.message, code=error.code)
                asked = error.retry_after_seconds if isinstance(error, UnavailableError) else 0.0
            except Exception:
                log.exception("watch failed", resource=self.resource.plural)
                self._version = ""
            if time.monotonic() - watching_since >= LASTING_SECONDS:
                pause = FIRST_PAUSE
            await asyncio.sleep(max(pause * random.uniform(0.5, 1.0), asked))  # noqa: S311 - jitter
            pause = min(pause * 2, LONGEST_PAUSE)

    def get(self, namespace: str, name: str) -> T | None:
        """What is kept of the object, or None; an empty namespace for what has none."""
        return self._kept.get(f"{namespace}/{name}" if namespace else name)

    def values(self) -> Iterator[T]:
        """All that is kept; a snapshot, so that it may change meanwhile."""
        return iter(list(self._kept.values()))

    def has_heard(self, version: str) -> bool:
        """Whether what is kept is at least of that resourceVersion, of this resource; versions compare as numbers (KEP-5504)."""
        return self._version.isdecimal() and int(self._version) >= int(version)

    def silent_seconds(self) -> float:
        """Since the API server last answered or sent anything here; infinite before the first list."""
        return time.monotonic() - self._heard_at

    @property
    def deaf(self) -> bool:
        """Whether nothing was heard for so long that what is kept may be old."""
        return self.silent_seconds() > DEAF_SECONDS

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    async def _list(self) -> None:
        """Take the whole current state; what is not in it any more is gone, though no event ever said so."""
        seen: set[str] = set()
        version = ""
        async with contextlib.aclosing(self._client.pages(self.resource, *self._selection, limit=PAGE)) as pages:
            async for items, version in pages:  # noqa: B007 - the last page's holds
                for body in items:
                    seen.add(self._take(body))
        for key in [key for key in self._versions if key not in seen]:
            self._drop(key)
        self._version = version
        self._heard_at = time.monotonic()
        self.synced.set()

    async def _watch(self) -> None:
        duration = int(WATCH_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - so that not all end at once
        stream = self._client.watch(
            self.resource,
            self._version,
            *self._selection,
            duration_seconds=duration,
            silence_seconds=self._silence,
        )
        async with contextlib.aclosing(stream) as events:
            async for kind, body in events:
                self._heard_at = time.monotonic()
                match kind:
                    case "ADDED" | "MODIFIED":
                        self._take(body)
                    case "DELETED":
                        self._drop(_key(body["metadata"]))
                    case _:
                        pass  # BOOKMARK: only the version counts
                self._version = body["metadata"]["resourceVersion"]
        self._heard_at = time.monotonic()

    def _take(self, body: Json) -> str:
        metadata = body["metadata"]
        key, version = _key(metadata), metadata["resourceVersion"]
        if self._versions.get(key) == version:
            return key
        self._versions[key] = version
        try:
            new = self._keep(body)
        except Exception as error:  # noqa: BLE001 - the caller's code; one odd object must not stop the rest
            # Fail closed: an object that can't be read is a fault for whoever decides, not an object that isn't there.
            log.warning("object can't be read", resource=self.resource.plural, key=key, error=str(error))
            self.faults[key] = str(error)
            new = None
        else:
            self.faults.pop(key, None)
        self._put(key, new)
        return key

    def _drop(self, key: str) -> None:
        self._versions.pop(key, None)
        self.faults.pop(key, None)
        self._put(key, None)

    def _put(self, key: str, new: T | None) -> None:
        old = self._kept.get(key)
        if new is None:
            self._kept.pop(key, None)
        else:
            self._kept[key] = new
        if self._changed is None or old == new:
            return
        try:
            self._changed(key, old, new)
        except Exception:
            log.exception("change not handled", resource=self.resource.plural, key=key)


def _key(metadata: Mapping[str, str]) -> str:
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else metadata["name"]
