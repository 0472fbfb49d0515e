"""What a leader is made of: caches, use cases and journals, put together once for each leadership."""

from dataclasses import dataclass
from typing import Any

from daypass.app.grants.found import Grants
from daypass.app.grants.judge import Judge
from daypass.app.grants.reconcile import Reconciler, Settings
from daypass.app.grants.requests import Requests
from daypass.app.grants.sweep import Sweep
from daypass.app.grants.votes import Ballots
from daypass.app.grants.writer import GrantWriter
from daypass.app.holds.pods import HeldPods
from daypass.app.policies.known import Policies
from daypass.app.policies.reports import Reports
from daypass.app.ports import ACCESS_REQUESTS
from daypass.controller.dispatcher import Dispatcher
from daypass.controller.gates import GateKeeping
from daypass.controller.hold_journal import KubernetesHoldJournal
from daypass.controller.holds import permit_reconciler
from daypass.controller.journal import KubernetesJournal
from daypass.controller.leadership import LeaderEvictions, LeaderObjects, acted_until
from daypass.controller.relisting import PolicyRelist
from daypass.controller.watches import Watches
from daypass.domain.gate_bounds import Bounds
from daypass.expressions.cel import CelExpressions
from daypass.kube.cache import Cache
from daypass.kube.client import Client
from daypass.kube.discovery import Discovery
from daypass.kube.events import Recorder
from daypass.kube.lease import Lease
from daypass.observe import metrics
from daypass.signing.canonical import canonical_json
from daypass.signing.reviews import ReviewVerifier


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    namespace: str
    health_address: str
    retention_seconds: int
    never: frozenset[str] = frozenset()
    """Namespaces in which nothing is granted, and so nothing gated, besides kube-system and our own."""

    @property
    def bounds(self) -> Bounds:
        """What no gate may name."""
        return Bounds(self.namespace, self.never)


@dataclass(frozen=True, slots=True)
class Leader:
    """All that lasts as long as the leadership."""

    client: Client
    watches: Watches
    gates: GateKeeping
    sweep: Sweep
    refresh_policies: PolicyRelist
    recorder: Recorder
    dispatcher: Dispatcher

    @property
    def caches(self) -> tuple[Cache[Any], ...]:
        """What is to be followed."""
        return (*self.watches.all, *self.gates.caches)

    async def begin(self) -> None:
        """Learn what there is, ending what is overdue before all else; then work may be done. Raises ApiError."""
        await self.watches.chain_synced()
        await self.sweep.end_overdue()
        await self.watches.world_synced()
        # Every policy and every request is known before the first is judged: limits count the others (T35).
        await self.refresh_policies()
        async for bodies, _ in self.client.pages(ACCESS_REQUESTS):
            for body in bodies:
                self.dispatcher.heard(ACCESS_REQUESTS, body, False)  # noqa: FBT003 - not gone
        await self.sweep.bury_orphans()
        self.dispatcher.open()


def leader_of(client: Client, lease: Lease, options: Options) -> Leader:
    """Put it together; nothing is begun yet."""
    clock = client.clock
    objects = LeaderObjects(client, lease.held)
    recorder = Recorder(client, clock, dropped=metrics.events_dropped.inc)
    journal = KubernetesJournal(recorder)
    requests, policies = Requests(), Policies()
    dispatcher = Dispatcher(clock, requests, policies)
    grants = Grants(dispatcher.grant_changed)
    pods = HeldPods(dispatcher.pod_arrived, dispatcher.pod_vanished)
    watches = Watches(
        client,
        grants,
        policies,
        pods,
        role_changed=dispatcher.role_changed,
        namespace_changed=dispatcher.namespace_changed,
        account_changed=dispatcher.account_changed,
    )
    expressions = CelExpressions()
    ballots = Ballots(objects, clock, options.namespace, ReviewVerifier)
    judge = Judge(watches, requests, ballots, expressions, canonical_json, dispatcher.policy_failed)
    writer = GrantWriter(objects, clock, grants, journal)
    gates = GateKeeping(client, objects, policies, recorder, options.bounds, dispatcher.gate_settled)
    dispatcher.follow_policies(gates.changed)
    kinds = Discovery(client)
    reports = Reports(objects, clock, policies, expressions, gates.keeper, options.bounds, kinds)
    sweep = Sweep(objects, clock, requests, grants, writer, journal)
    refresh_policies = PolicyRelist(client, policies, dispatcher.heard)
    permits = permit_reconciler(
        judge,
        reports,
        LeaderEvictions(client, lease.held),
        kinds,
        pods,
        KubernetesHoldJournal(recorder),
        never=options.bounds.namespaces,
    )
    reconciler = Reconciler(
        objects=objects,
        clock=clock,
        known=watches,
        requests=requests,
        grants=grants,
        judge=judge,
        writer=writer,
        journal=journal,
        settings=Settings(options.retention_seconds, acted_until(lease.taken_over)),
        reports=reports,
        workloads=permits.workloads,
        admissions=permits.release,
        refresh_policies=refresh_policies,
    )
    dispatcher.equip(reconciler, reports, sweep, permits)
    return Leader(client, watches, gates, sweep, refresh_policies, recorder, dispatcher)
