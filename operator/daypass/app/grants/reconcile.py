"""One request, once: observe, decide, plan, act, and write status down.

Whatever happens between two calls, the next run goes on from what is there (T37).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from weakref import WeakValueDictionary

from daypass.app.grants import status
from daypass.app.grants.drift import drift_of
from daypass.app.grants.found import Grants
from daypass.app.grants.journal import Journal
from daypass.app.grants.judge import Judge, Judgement
from daypass.app.grants.requests import Entry, Requests
from daypass.app.grants.surroundings import Admissions, Known, Surroundings, Workloads, surroundings
from daypass.app.grants.unreadable import tell_unreadable
from daypass.app.grants.writer import GrantError, GrantWriter
from daypass.app.policies.reports import Reports
from daypass.app.ports import ACCESS_REQUESTS, ApiError, Clock, ConflictError, Json, Objects
from daypass.domain import deadlines, outcomes
from daypass.domain.conditions import State, state_of, was_granted
from daypass.domain.coverage import missing
from daypass.domain.grants import GrantKind, Observed
from daypass.domain.lifecycle import Phase, await_answer, hold, phase_of, rest
from daypass.domain.outcomes import Outcome
from daypass.domain.plan import NOTHING
from daypass.domain.request import Request, RulesGrant, Use
from daypass.domain.wording import permission

ATTEMPTS: Final = 4
"""How often a run starts again by itself because somebody wrote at the same time."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation may choose."""

    retention_seconds: int = 30 * 86_400
    handover: datetime | None = None
    """The last moment at which a former controller can have acted; see ``deadlines.activation``."""


@dataclass(slots=True)
class Reconciler:
    """The means, and the one method that uses them."""

    objects: Objects
    clock: Clock
    known: Known
    requests: Requests
    grants: Grants
    judge: Judge
    writer: GrantWriter
    journal: Journal
    settings: Settings
    reports: Reports
    workloads: Workloads
    admissions: Admissions
    refresh_policies: Callable[[], Awaitable[None]]
    """Reads all policies live, and forgets those that are gone."""
    _subjects: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def reconcile(self, key: str) -> datetime | None:
        """Bring a request to where it should be; when to look again. Raises ApiError: try again later."""
        for attempt in range(ATTEMPTS):
            entry = self.requests.get(key)
            if entry is None:
                return None
            try:
                return await self._once(entry)
            except ApiError as error:
                if not isinstance(error, ConflictError) and error.code != HTTPStatus.NOT_FOUND:
                    raise
                if attempt + 1 == ATTEMPTS:
                    raise
                await self._refresh(entry)
        return None

    async def cut(self, key: str) -> None:
        """Take away the access of a grant whose time is over, before anything else about it is done (T30)."""
        entry = self.requests.get(key)
        end = entry.slim.record.expiration_time if entry is not None and entry.slim is not None else None
        now = self.clock.now()
        if (
            entry is not None
            and end is not None
            and end <= now
            and await self.writer.delete(entry.uid, GrantKind.BINDING)
        ):
            self.journal.ended((self.clock.now() - end).total_seconds())

    async def _once(self, entry: Entry) -> datetime | None:
        if entry.slim is None:
            await tell_unreadable(entry, self.objects, self.journal, self.clock.now())
            return None
        request, body = entry.opened()
        current: Mapping[str, Any] = body.get("status") or {}
        match phase_of(request):
            case Phase.RESTING:
                return await self._rest(request)
            case Phase.HELD:
                return await self._hold(request, entry.version, current)
            case Phase.PENDING:
                return await self._pending(request, entry.version, current)

    async def _rest(self, request: Request) -> datetime | None:
        outcome = rest(request, self.settings.retention_seconds)
        await self.writer.apply(request, NOTHING)
        if outcome.wake is None or self.clock.now() < outcome.wake:
            return outcome.wake
        if await self.objects.delete(ACCESS_REQUESTS, request.name, request.uid, request.namespace):
            self.journal.noted(request, "RequestDeleted", "The retention time of the finished request is over.")
        return None

    async def _hold(self, request: Request, version: str, current: Mapping[str, Any]) -> datetime | None:
        tally = await self.judge.standing(request)
        if request.permits:
            # A permit has no objects and no role: only reviews and the clock end it.
            outcome = hold(request, Observed(), tally, "", self.clock.now())
            return await self._carry_out(request, version, current, outcome, status.judged_before(current))
        drift = await drift_of(request, self.known, self.objects, self.judge)
        outcome = hold(request, self.grants.observed(request.uid), tally, drift, self.clock.now())
        if outcome.wants.binding and self.grants.observed(request.uid).binding is None:
            # What was taken back is given again only after a live look at all that it depends on (T34).
            body, drift = await asyncio.gather(
                self._unchanged(request, version),
                drift_of(request, self.known, self.objects, self.judge, live=True),
            )
            if body is None:
                return None
            outcome = hold(request, self.grants.observed(request.uid), tally, drift, self.clock.now())
        if outcome.state is State.REVOKED and tally.revocation is None and tally.denial is None:
            await self.writer.reread(request)
            outcome = hold(request, self.grants.observed(request.uid), tally, drift, self.clock.now())
        return await self._carry_out(request, version, current, outcome, status.judged_before(current))

    async def _pending(self, request: Request, version: str, current: Mapping[str, Any]) -> datetime | None:
        around = await self._around(request, live=False)
        judgement = await self.judge.judge(request, around, self.clock.now())
        outcome = self._answer(request, judgement)
        if outcome.state is State.DENIED and judgement.for_want_of_policies:
            # A request may be heard of before the policies that were applied with it, and Denied is final.
            await self.refresh_policies()
            judgement = await self.judge.judge(request, around, self.clock.now())
            outcome = self._answer(request, judgement)
        newly = outcome.approved is True and request.record.approved_time is None
        if not (newly or outcome.state in {State.ACTIVE, State.FAILED} or outcome.wants.chain):
            return await self._settle(request, version, current, outcome, judgement)
        async with self._one_by_one(request, judgement):
            return await self._begin(request, version, judgement, outcome)

    async def _begin(self, request: Request, version: str, earlier: Judgement, likely: Outcome) -> datetime | None:
        """Approve, grant, or fail for good: on live reads of all that it depends on only (T14, T22, T34, T61)."""
        ours = self.grants.observed(request.uid).empty
        preparing = asyncio.create_task(self._prepare(request, earlier, likely))
        try:
            body, around, *_ = await asyncio.gather(
                self._unchanged(request, version),
                self._around(request, live=True),
                self.refresh_policies(),
                self.judge.ballots.renew(request),
            )
        except BaseException as error:
            await asyncio.gather(preparing, return_exceptions=True)
            if ours and not isinstance(error, ConflictError):
                # Its time would run while we can't know whether there is access.
                await self.writer.clear(request.uid)
            raise
        (failure,) = await asyncio.gather(preparing, return_exceptions=True)
        if body is None:
            await self.writer.clear(request.uid)
            return None
        if failure is not None and not isinstance(failure, GrantError):
            raise failure
        judgement = await self.judge.judge(request, around, self.clock.now())
        if judgement.counts_peers and not earlier.counts_peers:
            message = "the policies have changed: now requests of the subject go one by one"
            raise ConflictError(message)
        outcome = self._answer(request, judgement)
        if failure is not None and outcome.wants.binding:
            # Fail closed: what others changed on its way is no grant of ours, nor is its end the one that counts (T24).
            outcome = outcomes.failed(outcome, str(failure), self.clock.now())
        return await self._settle(request, version, body.get("status") or {}, outcome, judgement)

    async def _prepare(self, request: Request, judgement: Judgement, likely: Outcome) -> None:
        """Make what the access will hang on while its conditions are read; raises as ``GrantWriter.apply`` does.

        A Job without a binding gives nothing. If nothing comes of it, the plan of what should be there takes it away
        again.
        """
        if likely.wants.binding and not judgement.counts_peers and self.grants.observed(request.uid).empty:
            await self.writer.apply(request, replace(likely.wants, binding=False))

    async def _unchanged(self, request: Request, version: str) -> Json | None:
        """The request, read live; None if it is gone. Raises ConflictError if it is not what was judged (T34)."""
        body = await self.objects.get(ACCESS_REQUESTS, request.name, request.namespace)
        if body is None or body["metadata"]["uid"] != request.uid:
            self.requests.drop(f"{request.namespace}/{request.name}", request.uid)
            await self.writer.clear(request.uid)
            return None
        if body["metadata"]["resourceVersion"] != version:
            self.requests.take(body)
            message = "the request has changed"
            raise ConflictError(message)
        return body

    async def _around(self, request: Request, *, live: bool) -> Surroundings:
        """What the request needs; of exact rules also that the operator holds them, which the API server demands.

        A permit that Daypass asked for itself needs the workload for which it did.
        """
        if request.permits:
            around, gone = await asyncio.gather(
                surroundings(request, self.known, self.objects, live=live), self.workloads.gone(request, live=live)
            )
            return replace(around, missing=gone) if gone else around
        around = await surroundings(request, self.known, self.objects, live=live)
        if around.trouble or around.missing or not isinstance(request.grant, RulesGrant):
            return around
        rules = request.grant.rules
        if not missing(await self.reports.held(), rules):
            return around
        gaps = missing(await self.reports.held(fresh=True), rules)
        texts = "; ".join(map(permission, gaps))
        return replace(around, missing=f"Daypass does not hold, and so can't grant: {texts}.") if gaps else around

    def _answer(self, request: Request, judgement: Judgement) -> Outcome:
        observed = self.grants.observed(request.uid)
        return await_answer(request, observed, judgement.findings, self.clock.now(), self.settings.handover)

    async def _settle(
        self, request: Request, version: str, current: Mapping[str, Any], outcome: Outcome, judgement: Judgement
    ) -> datetime | None:
        findings = judgement.findings
        judged = status.judged_now(findings.evaluation, findings.tally, judgement.digest)
        if judgement.void:
            people = ", ".join(sorted({vote.reviewer.username for vote in judgement.void}))
            text = f"What was approved has changed: the approval of {people} is void."
            self.journal.noted(request, "ReviewVoid", text)
        for key_id in judgement.unknown_keys:
            self.journal.noted(request, "ReviewVoid", f"Reviews signed by key {key_id} are void: it is not published.")
        wake = await self._carry_out(request, version, current, outcome, judged)
        if outcome.wants.binding and findings.decided_at is not None:
            self.journal.granted((self.clock.now() - findings.decided_at).total_seconds())
        return wake

    async def _carry_out(
        self,
        request: Request,
        version: str,
        current: Mapping[str, Any],
        outcome: Outcome,
        judged: Mapping[str, Any],
    ) -> datetime | None:
        """Act, then write down; what only holds access back is written down first.

        A kill in between must not look as if others had taken the binding away: status says "given" only while the
        binding should be there.
        """
        if outcome.wants.chain and not outcome.wants.binding:
            kept = replace(self.grants.observed(request.uid), binding=None)
            await self._write(request, version, current, outcome, judged, kept)
            await self.writer.apply(request, outcome.wants)
            return outcome.wake
        try:
            observed = await self.writer.apply(request, outcome.wants)
        except GrantError as error:
            outcome = outcomes.failed(outcome, str(error), self.clock.now())
            observed = await self.writer.apply(request, outcome.wants)
        await self._write(request, version, current, outcome, judged, observed)
        if outcome.state.final:
            return (outcome.end_time or self.clock.now()) + timedelta(seconds=self.settings.retention_seconds)
        if observed.job is not None and observed.job.started is None:
            return outcome.waking(deadlines.start_due(observed.job.created)).wake
        return outcome.wake

    async def _write(
        self,
        request: Request,
        version: str,
        current: Mapping[str, Any],
        outcome: Outcome,
        judged: Mapping[str, Any],
        observed: Observed,
    ) -> None:
        """Write status if it says anything else than what stands."""
        if outcome.keep_status:
            return
        objects = request.record.objects if outcome.state.final else observed.references
        wanted = status.status_of(request, outcome, objects, judged, self.clock.now())
        if not status.changes(current, wanted):
            return
        uses = await self._first_uses(request, outcome, wanted)
        if uses:
            outcome = outcomes.let_go(outcome)
            wanted = status.status_of(request, outcome, objects, judged, self.clock.now())
        patch = status.patch(version, wanted, uses)
        body = await self.objects.merge_patch(ACCESS_REQUESTS, request.name, patch, request.namespace, "status")
        self.requests.take(body)
        before = state_of(request.record)
        if before is not outcome.state or was_granted(request.record) is not (outcome.state is State.ACTIVE):
            self.journal.decided(request, before, outcome.state, outcome.message)

    async def _first_uses(self, request: Request, outcome: Outcome, wanted: Mapping[str, Any]) -> Sequence[Use]:
        """Of a permit that begins now, with those of the pods that wait for it: one write of status instead of two."""
        if not request.permits or outcome.state is not State.ACTIVE or request.record.start_time is not None:
            return ()
        return await self.admissions.admit(status.begun(request, wanted))

    async def _refresh(self, entry: Entry) -> None:
        namespace, _, name = entry.key.partition("/")
        body = await self.objects.get(ACCESS_REQUESTS, name, namespace)
        if body is not None and body["metadata"]["uid"] == entry.uid:
            self.requests.take(body)
            return
        self.requests.drop(entry.key, entry.uid)
        await self.writer.clear(entry.uid)

    def _one_by_one(self, request: Request, judgement: Judgement) -> AbstractAsyncContextManager[None]:
        """Requests of one subject whose limits count each other are granted one after another."""
        if not judgement.counts_peers:
            return nullcontext()
        return self._subjects.setdefault(request.subject.username, asyncio.Lock())
