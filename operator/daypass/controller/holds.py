"""Puts together what looks after permits."""

from collections.abc import Collection

from daypass.app.grants.judge import Judge
from daypass.app.holds.eviction import Eviction, Evictions
from daypass.app.holds.journal import HoldJournal
from daypass.app.holds.pod_events import PodEvents
from daypass.app.holds.pods import HeldPods
from daypass.app.holds.reconcile import PermitReconciler
from daypass.app.holds.release import Release
from daypass.app.holds.release_checks import ReleaseChecks
from daypass.app.holds.reservations import Reservations
from daypass.app.holds.uses import UsesWriter
from daypass.app.holds.workloads import Workloads
from daypass.app.owners import Owners
from daypass.app.policies.reports import Reports
from daypass.app.ports import Kinds


def permit_reconciler(
    judge: Judge,
    reports: Reports,
    evictions: Evictions,
    kinds: Kinds,
    pods: HeldPods,
    journal: HoldJournal,
    never: Collection[str],
) -> PermitReconciler:
    """All of it, on the means of those who judge requests and report on policies."""
    objects, clock, policies, requests = reports.objects, reports.clock, reports.policies, judge.requests
    checks = ReleaseChecks(policies, Owners(objects), requests, never)
    uses = UsesWriter(objects, requests)
    return PermitReconciler(
        objects=objects,
        requests=requests,
        pods=pods,
        release=Release(objects, clock, judge.ballots, pods, checks, uses, journal, judge.canonical),
        reservations=Reservations(objects, kinds, clock, uses, journal),
        eviction=Eviction(objects, evictions, clock, policies, journal),
        pod_events=PodEvents(requests, pods, checks, journal),
        workloads=Workloads(objects, kinds, pods),
        journal=journal,
    )
