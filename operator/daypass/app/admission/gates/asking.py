"""Make the request that would help, when a gate refuses or holds something: one for each cause (T56)."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

from daypass.api import convert
from daypass.app.admission.gates.drafts import Drafts, prospect
from daypass.app.admission.gates.earlier_requests import refused_for_good, standing
from daypass.app.ports import ACCESS_REQUESTS, AlreadyExistsError, ApiError, Clock, Objects
from daypass.domain.causes import Cause
from daypass.domain.conditions import State, state_of
from daypass.domain.denials import again_at, is_an_answer
from daypass.domain.identity import subject_of
from daypass.domain.json_values import text
from daypass.domain.permits import is_spent
from daypass.domain.policy import Policy
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import ActionGrant, Request, WorkloadGrant
from daypass.domain.times import rfc3339

ATTEMPTS: Final = 8
"""Names tried for one request: those of earlier ones that ended without an answer are taken."""
UNAPPROVED_AT_MOST: Final = 20
"""Requests made for one requester in one namespace that wait, or waited lately: a flood only has to vary what runs."""
LATELY: Final = timedelta(hours=1)
"""What a policy denies, or its requester takes back, waits for a moment only: each makes room for the next (T16)."""
TOLD_SECONDS: Final = 30.0
"""So long is remembered what was just made: far longer than a watch takes to tell it."""
FAILED_SECONDS: Final = 2.0
"""So long nobody tries again what just failed."""
REMEMBERED: Final = 4096
_VERSION: Final = ("metadata", "resourceVersion")


_Asker: TypeAlias = tuple[str, str]
"""A namespace, and in whose name it is asked for there."""


class AskingKnown(Protocol):
    """What is known of requests and policies."""

    def made(self, cause: str) -> Sequence[Request]:
        """The requests that were made for a cause, ended ones too."""
        ...

    def asked(self, namespace: str, username: str) -> Sequence[Request]:
        """The requests that were made in somebody's name in a namespace, ended ones too."""
        ...

    def has_heard(self, version: str) -> bool:
        """Whether what was written to requests up to that resourceVersion is known."""
        ...

    def policies(self) -> PolicySet:
        """Every policy that could be read."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of asking: the request, its state (None: not looked at yet), and a sentence for the caller."""

    name: str
    """Empty where there is no request."""
    state: State | None
    message: str
    version: str = field(default="", compare=False)
    """The resourceVersion at which the request was made or read, where the watch may not have told of it."""

    @property
    def waits(self) -> bool:
        """Whether there is a request that may still let something through."""
        return bool(self.name) and (self.state is None or not self.state.final)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was said of a cause, until the watch tells it or it is worth another try; small, whatever was refused."""

    asker: _Asker
    asked: Asked
    until: float


@dataclass(slots=True)
class Asking:
    """Makes requests; ten thousand refusals of one cause cost one call to the API server."""

    objects: Objects
    known: AskingKnown
    clock: Clock
    drafts: Drafts
    _running: dict[str, asyncio.Task[Asked]] = field(default_factory=dict)
    _making: dict[str, Cause] = field(default_factory=dict)
    """Causes whose request is on its way to the API server, so that a burst is counted as a flood is."""
    _told: dict[str, _Told] = field(default_factory=dict)

    async def ask(self, cause: Cause) -> Asked:
        """See to it that there is a request for a cause, unless one was denied; what became of it.

        Rule: one that waits or is in force, with a use left, is enough. After a denial by a person or a Deny policy
        there is no other: the same would be asked of the same people. Where one ended without an answer, or its access
        did, the next has a number; where it was denied for want of an Allow policy too, but after a while.
        Never call this on a dry run.
        """
        known = self._found(cause, self.known.made(cause.hash))
        if known is not None:
            return known
        told = self._told.get(cause.hash)
        if told is not None and self._is_news(told):
            return told.asked
        running = self._running.get(cause.hash)
        if running is None:
            running = self._running[cause.hash] = asyncio.create_task(self._make(cause))
            running.add_done_callback(lambda _: self._running.pop(cause.hash, None))
        return await asyncio.shield(running)

    def _found(self, cause: Cause, made: Sequence[Request]) -> Asked | None:
        """What there is to say of the requests that are there already; None where another may be made."""
        own = [(one, state_of(one.record)) for one in made if _is_for(one, cause)]
        for one, state in own:
            if (state is None or not state.final) and not is_spent(one):
                return Asked(one.name, state, standing(one))
        denied = [one for one, state in own if state is State.DENIED]
        policies = self.known.policies()
        for one in denied:
            if is_an_answer(one, policies):
                return Asked(one.name, State.DENIED, refused_for_good(one))
        if denied and self.clock.now() < (again := again_at(denied)):
            last = max(denied, key=lambda one: one.record.end_time or one.creation_time)
            return Asked(last.name, State.DENIED, f"{standing(last)}; it is asked again from {rfc3339(again)} on")
        return None

    def _is_news(self, told: _Told) -> bool:
        """Whether the watch can't have told of it yet: what it told, a deletion too, counts more than what was said."""
        version = told.asked.version
        return time.monotonic() < told.until and not (version and self.known.has_heard(version))

    async def _make(self, cause: Cause) -> Asked:
        allowing = self.drafts.allowing(cause)
        asked = self._hindrance(cause, allowing)
        if asked is None:
            self._making[cause.hash] = cause
            try:
                asked = await self._create(cause, allowing)
            finally:
                del self._making[cause.hash]
        lasting = TOLD_SECONDS if asked.name else FAILED_SECONDS
        self._told.pop(cause.hash, None)
        self._told[cause.hash] = _Told(_asker(cause), asked, time.monotonic() + lasting)
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        return asked

    def _hindrance(self, cause: Cause, allowing: Sequence[Policy]) -> Asked | None:
        """Why it would be of no use to ask."""
        if not allowing:
            return Asked("", None, self.drafts.hopeless(cause))
        asker, since = _asker(cause), self.clock.now() - LATELY
        waiting = {one.name for one in self.known.asked(*asker) if _is_unapproved(one, since)}
        waiting |= {making.name() for making in self._making.values() if _asker(making) == asker}
        waiting |= {
            told.asked.name
            for told in self._told.values()
            if told.asker == asker and told.asked.waits and self._is_news(told)
        }
        if len(waiting) >= UNAPPROVED_AT_MOST:
            why = (
                f"{len(waiting)} requests made for {cause.requester.username} within an hour wait, or were not approved:"
                " this one was not made"
            )
            return Asked("", None, why)
        return None

    async def _create(self, cause: Cause, allowing: Sequence[Policy]) -> Asked:
        made = self.known.made(cause.hash)
        known = self._found(cause, made)
        if known is not None:
            # Another replica's, of which the watch told since we looked (T56).
            return known
        names_taken = {one.name for one in made}
        number, tries = 1, 0
        while tries < ATTEMPTS:
            name = cause.name(number)
            number += 1
            if name in names_taken:
                continue
            tries += 1
            try:
                manifest = self.drafts.manifest(cause, name, allowing)
                body = await self.objects.create(ACCESS_REQUESTS, manifest, cause.namespace)
                told = f"request {name} was made and {prospect(allowing)}"
                return Asked(name, None, told, text(body, *_VERSION))
            except AlreadyExistsError:
                found = await self._existing(cause, name)
            except ApiError as error:
                return Asked("", None, f"the request could not be made: {error.message}")
            if found is not None:
                return found
        return Asked("", None, f"the request could not be made: {ATTEMPTS} names for it are taken")

    async def _existing(self, cause: Cause, name: str) -> Asked | None:
        """What to say where the name is taken; None where the next number is to be tried.

        Another of us may have made it a moment ago. What is not what we would have made is nothing to us (T24).
        """
        try:
            body = await self.objects.get(ACCESS_REQUESTS, name, cause.namespace)
            request = None if body is None else convert.request_from(body)
        except (ApiError, convert.MalformedError) as error:
            return Asked("", None, f"request {name} is there and could not be read: {error}")
        found = None if request is None else self._found(cause, [request])
        return None if found is None else replace(found, version=text(body, *_VERSION))


def _is_for(request: Request, cause: Cause) -> bool:
    """Whether this is a request that we would have made for a cause: a label alone, anybody might set (T24)."""
    grant = request.grant
    if not isinstance(grant, WorkloadGrant | ActionGrant) or not request.name.startswith(cause.name()):
        return False
    return (
        request.requester.username == cause.requester.username
        and request.subject.username == subject_of(cause.requester).username
        and replace(grant, findings=()) == replace(cause.grant, findings=())
    )


def _is_unapproved(request: Request, since: datetime) -> bool:
    """Whether a request waits, or came to nothing since then."""
    state, record = state_of(request.record), request.record
    if state is None or not state.final:
        return state is not State.ACTIVE
    return record.approved_time is None and (record.end_time or request.creation_time) > since


def _asker(cause: Cause) -> _Asker:
    return cause.namespace, cause.requester.username
