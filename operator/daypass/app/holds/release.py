"""Lets held pods go under an approved request: first the uses are written down, then the gates are taken off.

The uses of pods that wait already are part of the write that begins the permit; those of later ones are written apart.
In this order a kill at any moment costs nobody anything (T37): a pod whose use is written and whose gate is still on
goes without another use, and a pod whose gate is off has its use.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from daypass.app.grants.requests import Entry
from daypass.app.grants.votes import Ballots
from daypass.app.holds.journal import HoldJournal
from daypass.app.holds.pods import HeldPod, HeldPods, held_pod_from
from daypass.app.holds.release_checks import ReleaseChecks, in_turns, is_alike, is_for
from daypass.app.holds.uses import UsesWriter
from daypass.app.owners import NO_OWNER, Chain
from daypass.app.ports import PODS, ApiError, Canonical, Clock, ConflictError, Objects, RefusedError
from daypass.domain import names, permits
from daypass.domain.deadlines import floor
from daypass.domain.request import Request, Use, WorkloadGrant
from daypass.domain.wording import JUDGED_ANEW

AT_ONCE: Final = 24
"""Fewer than the client writes at a time, so that no other grant waits behind five hundred pods."""
ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Release:
    """The means."""

    objects: Objects
    clock: Clock
    ballots: Ballots
    pods: HeldPods
    checks: ReleaseChecks
    uses: UsesWriter
    journal: HoldJournal
    canonical: Canonical

    async def admit(self, request: Request) -> Sequence[Use]:
        """As ``app.grants.surroundings.Admissions``; of many owners those of the first alone are read."""
        first = next(in_turns(self._waiting(request)), [])
        try:
            pods, uses = await self._judge(request, first, tell=False)
        except ApiError:
            return ()  # ``let_go`` tries again
        return uses if pods else ()

    async def let_go(self, entry: Entry) -> None:
        """Let go the pods that a request covers at this moment. Raises ApiError: try again, from the beginning.

        ConflictError when somebody wrote to the request meanwhile: a review that takes it back may be among it (T34).
        """
        request, _ = entry.opened()
        began = self.clock.now()
        for some in in_turns(self._waiting(request)):
            known = self.uses.requests.get(entry.key)
            if known is None or known.uid != entry.uid:
                return
            await self._let_go(known, some, began)

    async def _let_go(self, entry: Entry, waiting: Sequence[HeldPod], began: datetime) -> None:
        request, _ = entry.opened()
        pods, uses = await self._judge(request, waiting, tell=True)
        if not pods:
            return
        # Either call proves that the request is, now, what was judged: a compare-and-swap, or a look.
        if uses != request.record.uses:
            await self.uses.write(entry, uses)
        else:
            await self.uses.confirm(entry)
        turns = asyncio.Semaphore(AT_ONCE)
        done = await asyncio.gather(*(self._open(request, pod, turns) for pod in pods), return_exceptions=True)
        for pod, result in zip(pods, done, strict=True):
            if result is True:
                self.journal.released(pod, request.name, (self.clock.now() - began).total_seconds())
        for result in done:
            if isinstance(result, BaseException):
                raise result

    def _waiting(self, request: Request) -> list[HeldPod]:
        """The held pods like those that a request is for, the first made first; none where it is not in force."""
        grant = request.grant
        if not isinstance(grant, WorkloadGrant) or not permits.is_open(request, self.clock.now()):
            return []
        found = self.pods.of((request.namespace, grant.service_account_name), grant.pod_template_digest)
        return [pod for pod in found if is_alike(request, pod)]

    async def _judge(
        self, request: Request, waiting: Sequence[HeldPod], *, tell: bool
    ) -> tuple[list[HeldPod], tuple[Use, ...]]:
        """The pods that go, with the uses; the owners are read live. Raises ApiError."""
        if not waiting or not permits.is_open(request, self.clock.now()):
            return [], request.record.uses
        chains, genuine = await asyncio.gather(self.checks.above(waiting), self.ballots.genuine(request))
        return self._covered(replace(request, reviews=tuple(genuine)), waiting, chains, tell=tell)

    def _covered(
        self, request: Request, waiting: Sequence[HeldPod], chains: Mapping[str, Chain], *, tell: bool
    ) -> tuple[list[HeldPod], tuple[Use, ...]]:
        """Those that the request covers, the first made first, and the uses with theirs; the others hear why not."""
        now, covered, counted = self.clock.now(), list[HeldPod](), request
        for pod in waiting:
            chain = NO_OWNER if pod.controller is None else chains[pod.controller.uid]
            if not is_for(request, pod, chain):
                continue
            why = self.checks.refusal(counted, pod, chain, now)
            if why:
                text = f"Stays held: AccessRequest {request.name} is approved, but {why}."
                if not self.checks.has_another(request, pod, chain):
                    text += f" {JUDGED_ANEW}"
                if tell:
                    self.journal.told(pod, "HoldContinues", text, warning=True)
                continue
            covered.append(pod)
            uses = _with(counted.record.uses, Use(pod.uid, PODS.kind, pod.name, pod.uid, floor(now), confirmed=True))
            counted = replace(counted, record=replace(counted.record, uses=uses))
        return covered, counted.record.uses

    async def _open(self, request: Request, pod: HeldPod, turns: asyncio.Semaphore) -> bool:
        """Take the gate off one pod; whether we did."""
        async with turns:
            for _ in range(ATTEMPTS):
                if not permits.is_open(request, self.clock.now()):
                    return False
                self.pods.let_go(pod)  # before the call, so that the watch tells no news of it
                try:
                    await self.objects.merge_patch(PODS, pod.name, _patch(pod), pod.namespace)
                except ConflictError:
                    fresh = await self._again(pod)
                    if fresh is None:
                        return False
                    pod = fresh
                except ApiError as error:
                    if error.code == HTTPStatus.NOT_FOUND:
                        return False
                    self.pods.kept(pod)
                    if isinstance(error, RefusedError):
                        text = f"Stays held: the API server does not let it go: {error.message}"
                        self.journal.told(pod, "HoldContinues", text, warning=True)
                    raise
                else:
                    return True
            text = f"pod {pod.namespace}/{pod.name} is changed by others all the time"
            raise ConflictError(text)

    async def _again(self, pod: HeldPod) -> HeldPod | None:
        """The pod as it is now, if it is still held and what was judged."""
        try:
            body = await self.objects.get(PODS, pod.name, pod.namespace)
        except ApiError:
            self.pods.kept(pod)
            raise
        if body is None or body["metadata"]["uid"] != pod.uid:
            return None
        fresh = held_pod_from(body, self.canonical)
        if not fresh.held or fresh.deleting:
            return None
        self.pods.kept(fresh)
        # Fail closed: a pod that runs something else, or for somebody else, is not what was judged.
        return fresh if _what(fresh) == _what(pod) else None


def _what(pod: HeldPod) -> tuple[object, ...]:
    return (pod.digest, pod.account, pod.controller, pod.mark)


def _with(uses: Sequence[Use], own: Use) -> tuple[Use, ...]:
    """The uses with one more; the pod that has one needs no other (T37)."""
    known = next((use for use in uses if use.key == own.key), None)
    if known is None:
        return (*uses, own)
    if known.confirmed:
        return tuple(uses)
    return tuple(replace(use, confirmed=True) if use is known else use for use in uses)


def _patch(pod: HeldPod) -> dict[str, Any]:
    """Gate, label and mark together; the gates of others stay."""
    others = [{"name": gate} for gate in pod.gates if gate != names.SCHEDULING_GATE]
    marks = {"labels": {names.LABEL_HELD: None}} | (
        {"annotations": {names.ANNOTATION_HELD_FOR: None}} if pod.mark else {}
    )
    return {
        "metadata": {"uid": pod.uid, "resourceVersion": pod.version, **marks},
        "spec": {"schedulingGates": others or None},
    }
