"""Look at a pod with the eyes of the gates of its namespace: what they find in it, whose it is, and what it runs."""

from dataclasses import dataclass, replace
from typing import Final, Protocol

from daypass.app.digests import pod_template_digest
from daypass.app.owners import NO_OWNER, Owners, controller_of, kinds_of_owners
from daypass.app.ports import Canonical, Json
from daypass.domain.agents import Signs, is_agents, is_by_agents
from daypass.domain.authors import NOBODY_KNOWS, Authors, is_known_controller, is_mirror
from daypass.domain.expressions import UndecidedError
from daypass.domain.gates import Demand, GateIndex, NamespaceGates, asks, of_mode
from daypass.domain.identity import Identity
from daypass.domain.json_values import mapping, member, text
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import GateMode, OwnerKind
from daypass.domain.privileges import Finding, of_account
from daypass.domain.request import OwnerReference
from daypass.domain.risk import Risk
from daypass.domain.what_runs import what_runs

DEFAULT_ACCOUNT: Final = "default"
"""What the API server puts where a pod names none."""
ADVISORY_SECONDS: Final = 1.5
"""So long at most do gates that only warn or record keep a call waiting."""


class GatesKnown(Protocol):
    """What is known of gates and of what ServiceAccounts may do."""

    def pod_gates(self) -> GateIndex:
        """The gates for pods, by namespace."""
        ...

    def account_power(self, namespace: str, name: str) -> Risk | None:
        """How much a ServiceAccount may do, and by which binding; None while that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Finds:
    """What gates find in a pod, and whose it is as far as the pod itself tells."""

    findings: tuple[Finding, ...]
    signs: Signs
    agents: tuple[Demand, ...]
    """Of gates whose agent it is, whoever its authors are."""
    open: tuple[Demand, ...]
    """Of gates whose agent it may be."""

    @property
    def enforced(self) -> bool:
        """Whether a gate that it falls under, or may fall under, would stop it."""
        return any(demand.by.mode is GateMode.ENFORCE for demand in (*self.agents, *self.open))

    @property
    def ask(self) -> bool:
        """Whether Daypass may make a request where none covers it."""
        return asks(of_mode((*self.agents, *self.open), GateMode.ENFORCE), waits=True)


@dataclass(frozen=True, slots=True)
class PartialInspection:
    """A pod in which a gate found something, before its owners are read; small, whatever the pod's size."""

    finds: Finds
    facts: PodFacts
    """Without what only the owners tell."""
    controller: OwnerReference | None
    made_earlier: bool


@dataclass(frozen=True, slots=True)
class Inspected:
    """A pod that gates concern: what they want of it."""

    facts: PodFacts
    demands: tuple[Demand, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Looks at pods; what no gate concerns costs no call and no copy."""

    known: GatesKnown
    owners: Owners
    canonical: Canonical

    def find(self, pod: Json, namespace: str, caller: Identity, *kinds: OwnerKind) -> Finds | None:
        """What gates find in a pod; None where they find nothing. Raises UndecidedError.

        ``kinds`` are those of what owns it.
        """
        found = self._demands(pod, namespace, caller)
        return None if found is None else self._finds(*found, pod, namespace, caller, kinds)

    def _demands(
        self, pod: Json, namespace: str, caller: Identity
    ) -> tuple[tuple[Finding, ...], tuple[Demand, ...]] | None:
        gates = self.known.pod_gates().of(namespace)
        if gates is None:
            return None
        metadata = mapping(pod.get("metadata"))
        if is_mirror(caller, mapping(metadata.get("annotations"))):
            return None
        account = account_of(pod)
        findings = (*gates.findings(pod), *self._power(gates, namespace, account))
        demands = gates.demands(findings)
        return (findings, demands) if demands else None

    def _finds(
        self,
        findings: tuple[Finding, ...],
        demands: tuple[Demand, ...],
        pod: Json,
        namespace: str,
        caller: Identity,
        kinds: tuple[OwnerKind, ...],
    ) -> Finds:
        metadata = mapping(pod.get("metadata"))
        author = None if is_known_controller(caller.username) else caller
        signs = Signs(namespace, account_of(pod), mapping(metadata.get("labels")), author, kinds)
        agents: list[Demand] = []
        others: list[Demand] = []
        for demand in demands:
            (agents if is_agents(demand.by.gate, signs) else others).append(demand)
        return Finds(findings, signs, tuple(agents), tuple(others))

    def look(
        self, pod: Json, namespace: str, caller: Identity, *, made_earlier: bool = False, may_ask: bool = False
    ) -> PartialInspection | None:
        """What can be seen of a pod at once; None where no gate concerns it. Raises UndecidedError.

        ``caller`` is who makes the pod; of one that was ``made_earlier``, who changes it or goes into it now. What it
        runs is told only where a request for it may be made.
        """
        found = self._demands(pod, namespace, caller)
        if found is None:
            return None
        controller = controller_of(pod)
        finds = self._finds(*found, pod, namespace, caller, kinds_of_owners(pod))
        author = finds.signs.caller
        if not finds.agents and controller is None and author is not None:
            # Nobody but the caller had a hand in it, or in what is done with it now, and the caller is no agent.
            return None
        metadata = mapping(pod.get("metadata"))
        facts = PodFacts(
            namespace=namespace,
            name=text(metadata, "name"),
            uid=text(metadata, "uid"),
            service_account=finds.signs.service_account,
            findings=finds.findings,
            digest=pod_template_digest(pod, self.canonical),
            authors=() if author is None else (author.username,),
            authors_unknown=False,
            owner=None,
            caller=caller,
            runs=what_runs(pod) if may_ask and finds.ask else (),
        )
        return PartialInspection(finds, facts, controller, made_earlier)

    async def finish(self, partial: PartialInspection) -> Inspected | None:
        """What the owners tell; None where it turns out to be no agent's. Raises ApiError."""
        facts, signs, controller = partial.facts, partial.finds.signs, partial.controller
        chain = NO_OWNER if controller is None else await self.owners.above(controller, facts.namespace)
        authors = chain.authors.and_of(Authors(facts.authors))
        if controller is None and (partial.made_earlier or signs.caller is None):
            # Fail closed: it has no owner, and whoever made it is not at hand.
            authors = authors.and_of(NOBODY_KNOWS)
        facts = replace(facts, authors=authors.usernames, authors_unknown=authors.unknown, owner=chain.owner)
        signs = replace(signs, kinds=(*signs.kinds, *chain.kinds))
        named = tuple(
            demand
            for demand in partial.finds.open
            if is_agents(demand.by.gate, signs) or is_by_agents(demand.by.gate, authors, signs.namespace)
        )
        demands = (*partial.finds.agents, *named)
        return Inspected(facts, demands) if demands else None

    def runs_the_same(self, partial: PartialInspection, before: Json) -> bool:
        """Whether a pod that is changed runs what it ran before; raises ValueError."""
        return pod_template_digest(before, self.canonical) == partial.facts.digest

    def _power(self, gates: NamespaceGates, namespace: str, account: str) -> tuple[Finding, ...]:
        if not gates.asks_power:
            return ()
        risk = self.known.account_power(namespace, account)
        if risk is None:
            # Fail closed: what the ServiceAccount may do decides here, and it is not known.
            raise UndecidedError(f"what ServiceAccount {account} may do is not known yet: try again in a moment")
        return of_account(risk, account)


def account_of(pod: Json) -> str:
    """The name of the ServiceAccount as which a pod runs."""
    name = member(pod, "spec", "serviceAccountName")
    return name if isinstance(name, str) and name else DEFAULT_ACCOUNT
