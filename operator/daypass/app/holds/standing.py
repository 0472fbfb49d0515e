"""What a held pod needs before it may go, and who stands behind it, judged now and not when it was admitted (T34)."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from daypass.app.admission.gates.owners import Chain, Owners
from daypass.app.holds.pods import HeldPod
from daypass.app.holds.workloads import is_made
from daypass.app.policies.known import Policies
from daypass.domain import gates
from daypass.domain.authors import Authors
from daypass.domain.gates import ACCOUNT_POWER, GateIndex
from daypass.domain.identity import Identity
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import GateMode, Policy
from daypass.domain.request import Request, WorkloadGrant

NOBODY: Final = Identity("")
REMEMBERED: Final = 4_096


@dataclass(slots=True)
class Standings:
    """The gates as they are now, and the chains of owners, read live."""

    policies: Policies
    owners: Owners
    never: Collection[str]
    """Namespaces that no gate reaches."""
    _known: dict[str, Chain] = field(default_factory=dict)
    _index: tuple[Sequence[Policy], GateIndex] | None = field(default=None)

    async def above(self, pods: Iterable[HeldPod]) -> dict[str, Chain]:
        """What controls these pods, by the uid of their own controller: each chain is followed once. Raises ApiError."""
        asked = {pod.controller.uid: (pod.controller, pod.namespace) for pod in pods if pod.controller is not None}
        found = await asyncio.gather(*(self.owners.above(*one) for one in asked.values()))
        chains = dict(zip(asked, found, strict=True))
        self._known |= chains
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return chains

    async def known_above(self, pods: Iterable[HeldPod]) -> dict[str, Chain]:
        """The same as it was last read: for what is told, never for what is let go. Raises ApiError."""
        asked = {pod.controller.uid: pod for pod in pods if pod.controller is not None}
        known = {uid: self._known[uid] for uid in asked if uid in self._known}
        return known | await self.above(pod for uid, pod in asked.items() if uid not in known)

    def facts(self, request: Request, pod: HeldPod, chain: Chain) -> PodFacts:
        """The pod as its request's approvers must be able to answer for it.

        Whoever called for it is not written on a pod. Of a request that Daypass made, they are among its authors; for
        any other request they are somebody whom nobody knows.
        """
        grant = request.grant
        authors = chain.authors
        if is_made(request) and isinstance(grant, WorkloadGrant):
            authors = authors.and_of(Authors(grant.authors, grant.authors_unknown))
        elif pod.controller is None:
            # Fail closed: anybody may have made it, an approver too (T69).
            authors = Authors(unknown=True)
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

    def needed(self, request: Request, facts: PodFacts) -> tuple[str, ...]:
        """The privileges that the request must name for this pod to go.

        A request that Daypass made for this owner and content names what admission found it to need. Any other must
        name whatever any gate of the namespace wants to know of, for nobody can tell any more whose pod it is.
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


def is_for(request: Request, pod: HeldPod, chain: Chain) -> bool:
    """Whether a request is for a pod: where, as whom, what it runs, and of those that Daypass made also whose pods."""
    grant = request.grant
    if not isinstance(grant, WorkloadGrant) or (request.namespace, grant.service_account_name) != pod.account:
        return False
    if grant.pod_template_digest and grant.pod_template_digest != pod.digest:
        return False
    if not is_made(request):
        return True
    wanted, found = grant.owner, chain.owner
    return (None if wanted is None else wanted.uid) == (None if found is None else found.uid)
