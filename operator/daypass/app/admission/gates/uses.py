"""Reserve uses of approved requests: each once, however many ask at the same time and through however many of us."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from daypass.api import convert
from daypass.app.ports import ACCESS_REQUESTS, ApiError, Clock, ConflictError, Json, Objects, UnavailableError
from daypass.domain import permits
from daypass.domain.request import Request, Use

ATTEMPTS: Final = 8
"""A conflict means that somebody else got through: so of N that compete the last one needs N at most."""
PAUSE_SECONDS: Final = 0.05
"""After an answer that did not come, the longer the more often."""
GONE: Final = "is gone"
UNTOLD: Final = "could not be used: try again"
REMEMBERED: Final = 1024
"""Requests whose state after our last write is remembered until the watch tells it."""


@dataclass(frozen=True, slots=True)
class _State:
    """The uses of a request at one version of it."""

    version: str
    uses: tuple[Use, ...]


@dataclass(slots=True)
class _Wanted:
    use: Use
    same: Collection[str]
    answer: asyncio.Future[str]


@dataclass(slots=True)
class _Writer:
    permit: Request
    """As it was last given to us, or read."""
    queue: list[_Wanted] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Uses:
    """Reserves by compare-and-swap of ``status.uses``: a merge patch with the resourceVersion as its precondition.

    All who want a use of one request at the same time are written at once, so that a thousand pods of one owner cost
    a few calls. Where somebody else wrote meanwhile, another of us or the controller, the request is read live and it
    is tried again.
    """

    objects: Objects
    clock: Clock
    _writers: dict[str, _Writer] = field(default_factory=dict)
    _written: dict[str, _State] = field(default_factory=dict)

    async def spend(
        self, covering: Sequence[Request], use: Use, same: Collection[str] = ()
    ) -> tuple[Request | None, str]:
        """Reserve a use of the first of these requests that has one left; that one, or None and why not.

        Where one of them has let this very call through before, it is that one again.
        """
        for permit in covering:
            if _has(permit.record.uses, use, same):
                return permit, ""
        told: list[str] = []
        for permit in covering:
            why = await self.reserve(permit, use, same)
            if not why:
                return permit, ""
            told.append(f"request {permit.name} {why}")
        return None, "; ".join(told)

    async def reserve(self, permit: Request, use: Use, same: Collection[str] = ()) -> str:
        """Reserve one use of a request; empty when it is reserved, else why not.

        Rule: where the key, or one in ``same``, is among the uses already, this is the same call once more, and costs
        nothing (T47). Else there must be fewer than the request gives, confirmed or not. Never call this on a dry run.
        """
        writer = self._writers.setdefault(permit.uid, _Writer(permit))
        if writer.task is None:
            writer.permit = permit
            writer.task = asyncio.create_task(self._write(writer))
        wanted = _Wanted(use, same, asyncio.get_running_loop().create_future())
        writer.queue.append(wanted)
        return await wanted.answer

    async def _write(self, writer: _Writer) -> None:
        """Write what is wanted of one request until nothing more is; whatever happens, everybody gets an answer."""
        uid = writer.permit.uid
        try:
            while writer.queue:
                batch, writer.queue = writer.queue, []
                try:
                    await self._reserve(writer, batch)
                finally:
                    _tell(batch, UNTOLD)
        finally:
            del self._writers[uid]
            _tell(writer.queue, UNTOLD)

    async def _reserve(self, writer: _Writer, batch: Sequence[_Wanted]) -> None:
        for attempt in range(ATTEMPTS):
            state = self._newest(writer.permit)
            uses = _with(state.uses, batch, permits.most_uses(writer.permit))
            if uses == state.uses:
                return
            try:
                self._remember(writer.permit.uid, await self._patch(writer.permit, state.version, uses))
            except UnavailableError:
                # An answer that did not come may have been a yes: what stands there now tells.
                await asyncio.sleep(PAUSE_SECONDS * attempt)
            except ConflictError:
                pass
            except ApiError as error:
                _tell(batch, GONE if error.code == HTTPStatus.NOT_FOUND else f"could not be used: {error.message}")
                return
            else:
                _tell(batch, "")
                return
            why = await self._read(writer)
            if why:
                _tell(batch, why)
                return
        _tell(batch, f"could not be used: it changed {ATTEMPTS} times meanwhile; try again")

    async def _patch(self, permit: Request, version: str, uses: Sequence[Use]) -> Json:
        patch = {
            "metadata": {"resourceVersion": version},
            "status": {"uses": [convert.use_json(use) for use in uses]},
        }
        return await self.objects.merge_patch(ACCESS_REQUESTS, permit.name, patch, permit.namespace, "status")

    async def _read(self, writer: _Writer) -> str:
        """Read the request as it is now; why it can't be used any more, or empty."""
        permit = writer.permit
        try:
            body = await self.objects.get(ACCESS_REQUESTS, permit.name, permit.namespace)
            if body is None:
                return GONE
            found = _read(body)
        except (ApiError, convert.MalformedError) as error:
            # Fail closed: nobody knows whether a use is left.
            return f"could not be read: {error}"
        if found.uid != permit.uid:
            return GONE
        writer.permit = found
        return permits.closed(found, self.clock.now())

    def _newest(self, permit: Request) -> _State:
        """The state after our last write, until a newer one is heard of; a wrong guess costs a conflict, no more."""
        known, written = _State(permit.version, permit.record.uses), self._written.get(permit.uid)
        if written is None:
            return known
        return written if _number(written.version) > _number(known.version) else known

    def _remember(self, uid: str, body: Json) -> None:
        found = _read(body)
        self._written.pop(uid, None)
        self._written[uid] = _State(found.version, found.record.uses)
        if len(self._written) > REMEMBERED:
            del self._written[next(iter(self._written))]


def _read(body: Json) -> Request:
    return replace(convert.request_from(body), version=body["metadata"]["resourceVersion"])


def _with(stored: tuple[Use, ...], batch: Sequence[_Wanted], limit: int) -> tuple[Use, ...]:
    """The uses and those that are wanted; who is there already, or finds none left, is told so at once."""
    uses = stored
    for one in batch:
        if one.answer.done():
            continue
        if _has(stored, one.use, one.same):
            _tell([one], "")
        elif _has(uses, one.use, one.same):
            continue  # the same call twice at once: both wait for the one write
        elif len(uses) >= limit:
            _tell([one], f"has no use left of {limit}")
        else:
            uses = (*uses, one.use)
    return uses


def _has(uses: Sequence[Use], use: Use, same: Collection[str]) -> bool:
    return any(one.key == use.key or one.key in same for one in uses)


def _tell(batch: Sequence[_Wanted], answer: str) -> None:
    """Answer those who have no answer yet, and still wait."""
    for one in batch:
        if not one.answer.done():
            one.answer.set_result(answer)


def _number(version: str) -> int:
    """Versions of one resource compare as numbers (KEP-5504)."""
    return int(version) if version.isdecimal() else -1
