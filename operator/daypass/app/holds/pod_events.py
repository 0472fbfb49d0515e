"""Tells held pods and those who made them what they wait for, and why they stay held."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from daypass.app.grants.requests import Requests
from daypass.app.holds.journal import HoldJournal
from daypass.app.holds.pods import Account, HeldPod, HeldPods
from daypass.app.holds.release_checks import ReleaseChecks, is_alike, is_for
from daypass.app.holds.workloads import is_made
from daypass.app.owners import NO_OWNER, Chain
from daypass.domain.conditions import State, state_of
from daypass.domain.hold_marks import hold_mark
from daypass.domain.plain_text import shortened
from daypass.domain.request import Request, WorkloadGrant
from daypass.domain.wording import JUDGED_ANEW, fate, is_by_a_person

TOLD_AT_MOST: Final = 50
"""Pods of one request to which the same is said; their owner is always told."""
LONGEST_WORD: Final = 640
"""Of what is said with the end of a request: an Event's 1,024 characters hold it with the way out behind it."""
REASONS: Final = {
    State.DENIED: "HoldDenied",
    State.TIMED_OUT: "HoldUnanswered",
}
ENDED: Final = "HoldContinues"
FORSAKEN: Final = "no AccessRequest is for it as it is now"
WAITS: Final = "Held"


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said last of a request, and of which objects, by uid."""

    reason: str
    message: str
    to: set[str] = field(default_factory=set)


@dataclass(slots=True)
class PodEvents:
    """The means."""

    requests: Requests
    pods: HeldPods
    checks: ReleaseChecks
    journal: HoldJournal
    _said: dict[str, _Said] = field(default_factory=dict)
    """By the request's uid. Patrols come by again and again, and nothing is said twice."""
    _forsaken: dict[str, bool] = field(default_factory=dict)
    """Pods for which there was no request at the last look, by uid, and whether they were told."""

    async def tell(self, request: Request) -> None:
        """Say of a request that is not in force what it means to the pods that wait for it. Raises ApiError.

        A pod for which another request is open still has hope, so of one that ended nothing is said to it.
        """
        state, ready = state_of(request.record), request.record.condition("Ready")
        if state is State.ACTIVE:
            self.forget(request.uid)
        if state is None or state is State.ACTIVE or ready is None:
            return
        if state.final:
            await self._say(request, REASONS.get(state, ENDED), _stays(request, state, ready.message), warning=True)
        else:
            message = f"Held for AccessRequest {request.name}: {ready.message}"
            await self._say(request, WAITS, message, warning=False)

    async def tell_gone(self, request: Request) -> None:
        """The request was deleted, and with it the hope of its pods. Raises ApiError."""
        message = f"Stays held: AccessRequest {request.name} was deleted. {JUDGED_ANEW}"
        await self._say(request, ENDED, message, warning=True)

    def tell_forsaken(self) -> None:
        """Say of pods whose request is not there that they wait for nothing.

        Rule: none that Daypass made is for such a pod, and without that one nobody else's lets it go. It was so at two
        looks in a row, for news of a request may come after those of its pod.
        """
        found, marks = dict[str, bool](), dict[tuple[Account, str], Collection[str]]()
        room = TOLD_AT_MOST
        for pod in self.pods.all():
            alike = (pod.account, pod.digest)
            if alike not in marks:
                marks[alike] = self._marks(*alike)
            if pod.mark in marks[alike]:
                continue
            told = self._forsaken.get(pod.uid)
            if told is False and room:
                room -= 1
                told = self.journal.told(pod, ENDED, f"Stays held: {FORSAKEN}. {JUDGED_ANEW}", warning=True)
            found[pod.uid] = bool(told)
        self._forsaken = found

    def forget(self, request_uid: str) -> None:
        """Nothing more is to be said of a request."""
        self._said.pop(request_uid, None)

    def forget_pod(self, pod: HeldPod) -> None:
        """A pod is held no more."""
        for request in self.requests.workloads(*pod.account, pod.digest):
            said = self._said.get(request.uid)
            if said is not None:
                said.to.discard(pod.uid)

    def waiting(self, request: Request) -> list[HeldPod]:
        """The held pods that a request may be for."""
        grant = request.grant
        if not isinstance(grant, WorkloadGrant) or not grant.pod_template_digest:
            return []
        return self.pods.of((request.namespace, grant.service_account_name), grant.pod_template_digest)

    def _marks(self, account: Account, digest: str) -> Collection[str]:
        """For what Daypass made requests that run this."""
        made = (one.grant for one in self.requests.workloads(*account, digest) if is_made(one))
        return {hold_mark(grant) for grant in made if isinstance(grant, WorkloadGrant)}

    async def _say(self, request: Request, reason: str, message: str, *, warning: bool) -> None:
        about = [pod for pod in self.waiting(request) if is_alike(request, pod)]
        if not about:
            self.forget(request.uid)
            return
        chains = await self.checks.known_above(about)
        pods = []
        for pod in about:
            chain = NO_OWNER if pod.controller is None else chains[pod.controller.uid]
            if is_for(request, pod, chain) and not (warning and self._hopes(request, pod, chain)):
                pods.append(pod)
        owners = {pod.controller.uid: pod.controller for pod in pods if pod.controller is not None}
        owners |= {
            chain.owner.uid: chain.owner for key, chain in chains.items() if key in owners and chain.owner is not None
        }
        said = self._said.get(request.uid)
        if said is None or (said.reason, said.message) != (reason, message):
            said = self._said[request.uid] = _Said(reason, message)
        for pod in pods[:TOLD_AT_MOST]:
            if pod.uid not in said.to and self.journal.told(pod, reason, message, warning=warning):
                said.to.add(pod.uid)
        for owner in owners.values():
            if owner.uid not in said.to and self.journal.told_owner(
                request.namespace, owner, reason, message, warning=warning
            ):
                said.to.add(owner.uid)

    def _hopes(self, request: Request, pod: HeldPod, chain: Chain) -> bool:
        """Whether another request may still let the pod go."""
        return any(
            other.uid != request.uid and not _is_over(other) and self.checks.fits(other, pod, chain)
            for other in self.requests.workloads(*pod.account, pod.digest)
        )


def _stays(request: Request, state: State, said: str) -> str:
    """Why pods stay held after their request, and what can be done about it."""
    told = fate(state, shortened(said, LONGEST_WORD).removesuffix("."))
    cure = JUDGED_ANEW
    if state is State.DENIED and is_by_a_person(state, said):
        again = f"kubectl delete areq {request.name} -n {request.namespace}"
        cure = f"To be asked again, change what it runs; or have the request deleted ({again}), then delete the pod."
    return f"Stays held: AccessRequest {request.name} {told}. {cure}"


def _is_over(request: Request) -> bool:
    state = state_of(request.record)
    return state is not None and state.final
