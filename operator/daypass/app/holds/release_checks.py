"""What a held pod needs before it may go, and who stands behind it, judged now and not when it was admitted (T34)."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from daypass.app.grants.requests import Requests
from daypass.app.holds.pods import HeldPod
from daypass.app.holds.workloads import is_made
from daypass.app.owners import Chain, Owners
from daypass.app.policies.known import Policies
from daypass.domain import gates, permits
from daypass.domain.authors import Authors
from daypass.domain.gates import ACCOUNT_POWER, GateIndex
from daypass.domain.hold_marks import hold_mark
from daypass.domain.identity import Identity
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import GateMode, Policy
from daypass.domain.request import Request, WorkloadGrant

NOBODY: Final = Identity("")
OWNERS_AT_ONCE: Final = 50
"""Owners that are read for one request before any of its pods goes: anybody may give pods as many as they like."""
REMEMBERED: Final = 4_096


@dataclass(slots=True)
class ReleaseChecks:
    """The gates as they are now, and the chains of owners, read live."""

    policies: Policies
    owners: Owners
    requests: Requests
    never: Collection[str]
    """Namespaces that no gate reaches."""
    _known: dict[str, Chain] = field(default_factory=dict)
    _index: tuple[Sequence[Policy], GateIndex] | None = field(default=None)

    async def above(self, pods: Iterable[HeldPod]) -> dict[str, Chain]:
        """What controls these pods, by the uid of their own controller: each chain is followed once. Raises ApiError."""
        asked = {pod.controller.uid: (pod.controller, pod.namespace) for pod in pods if pod.controller is not None}
        chains, uids = dict[str, Chain](), list(asked)
        while uids:
            some, uids = uids[:OWNERS_AT_ONCE], uids[OWNERS_AT_ONCE:]
            found = await asyncio.gather(*(self.owners.above(*asked[uid]) for uid in some))
            chains |= dict(zip(some, found, strict=True))
        self._known |= chains
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return chains

    async def known_above(self, pods: Iterable[HeldPod]) -> dict[str, Chain]:
        """The same as it was last read: for what is told, never for what is let go. Raises ApiError."""
        asked = {pod.controller.uid: pod for pod in pods if pod.controller is not None}
        known = {uid: self._known[uid] for uid in asked if uid in self._known}
        return known | await self.above(pod for uid, pod in asked.items() if uid not in known)

    def refusal(self, request: Request, pod: HeldPod, chain: Chain, now: datetime) -> str:
        """Why an approved request does not let a pod go that it is for; empty when it does.

        Rule: whoever called for a pod is not written on it. They are among the authors of the request that it was held
        for: under that one it goes, and under a person's if none of those authors approved it (T55).
        """
        grant = self._held_for(request, pod, chain)
        if grant is None:
            # Fail closed: anybody may have made it, an approver too (T69).
            return "the request that this pod was held for is gone, which alone says who made the pod"
        if not is_made(request) and self.policies.unreadable:
            # Fail closed: nobody knows what else the request would have to name (T63).
            return f"policy {next(iter(self.policies.unreadable))} can't be read, and its gate may concern this pod"
        facts = _facts(pod, chain, chain.authors.and_of(Authors(grant.authors, grant.authors_unknown)))
        return permits.refusal(request, facts, self._needed(request, facts), now)

    def fits(self, request: Request, pod: HeldPod, chain: Chain) -> bool:
        """Whether a request could let a pod go if the right people approve it: for what is told alone."""
        if not is_for(request, pod, chain) or self._held_for(request, pod, chain) is None:
            return False
        facts = _facts(pod, chain, chain.authors)
        return not permits.difference(request, facts, self._needed(request, facts)) and not permits.is_spent(request)

    def has_another(self, request: Request, pod: HeldPod, chain: Chain) -> bool:
        """Whether there is still another request that Daypass made for a pod."""
        return not is_made(request) and self._held_for(request, pod, chain) is not None

    def _held_for(self, request: Request, pod: HeldPod, chain: Chain) -> WorkloadGrant | None:
        """What Daypass asked for when the pod was held."""
        others = () if is_made(request) else self.requests.workloads(*pod.account, pod.digest)
        found = (one.grant for one in (request, *others) if is_made(one) and is_for(one, pod, chain))
        return next((grant for grant in found if isinstance(grant, WorkloadGrant)), None)

    def _needed(self, request: Request, facts: PodFacts) -> tuple[str, ...]:
        """The privileges that the request must name for this pod to go.

        A request that Daypass made for this pod names what admission found it to need. Any other must name whatever any
        gate of the namespace wants to know of, for nobody can tell any more which of them concern it.
        """
        if is_made(request):
            return ()
        found = self._gates().of(facts.namespace)
        if found is None:
            return ()
        demands = gates.of_mode(found.demands(facts.findings), GateMode.ENFORCE)
        # Fail closed: what its ServiceAccount may do is not looked up here.
        power = (ACCOUNT_POWER[0].partition(":")[0],) if found.asks_power else ()
        return (*gates.needed(demands), *power)

    def _gates(self) -> GateIndex:
        policies = self.policies.readable()
        if self._index is None or self._index[0] is not policies:
            self._index = (policies, GateIndex(policies, self.never))
        return self._index[1]


def _facts(pod: HeldPod, chain: Chain, authors: Authors) -> PodFacts:
    return PodFacts(
        namespace=pod.namespace,
        name=pod.name,
        uid=pod.uid,
        service_account=pod.service_account,
        findings=pod.findings,
        digest=pod.digest,
        authors=authors.usernames,
        authors_unknown=authors.unknown,
        owner=chain.owner,
        caller=NOBODY,
    )


def in_turns(pods: Sequence[HeldPod]) -> Iterator[list[HeldPod]]:
    """The same pods, so many at a time as have ``OWNERS_AT_ONCE`` owners in all."""
    turn, owners = list[HeldPod](), set[str]()
    for pod in pods:
        owner = "" if pod.controller is None else pod.controller.uid
        if owner and owner not in owners and len(owners) == OWNERS_AT_ONCE:
            yield turn
            turn, owners = [], set()
        turn.append(pod)
        owners |= {owner} if owner else set()
    if turn:
        yield turn


def is_alike(request: Request, pod: HeldPod) -> bool:
    """Whether a request is for pods like this one: where, as whom, what it runs, and for what it was held."""
    grant = request.grant
    if not isinstance(grant, WorkloadGrant) or (request.namespace, grant.service_account_name) != pod.account:
        return False
    if grant.pod_template_digest and grant.pod_template_digest != pod.digest:
        return False
    return not is_made(request) or pod.mark == hold_mark(grant)


def is_for(request: Request, pod: HeldPod, chain: Chain) -> bool:
    """Whether a request is for a pod.

    One that Daypass made is only for those pods that were held for it: of this owner, with these authors, in need of
    these privileges.
    """
    if not is_alike(request, pod) or not isinstance(request.grant, WorkloadGrant):
        return False
    wanted, found = request.grant.owner, chain.owner
    same_owner = (None if wanted is None else wanted.uid) == (None if found is None else found.uid)
    return not is_made(request) or same_owner
