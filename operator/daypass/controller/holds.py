"""Puts together what looks after permits."""

from collections.abc import Collection

from daypass.app.grants.judge import Judge
from daypass.app.holds.eviction import Eviction, Evictions
from daypass.app.holds.journal import HoldJournal
from daypass.app.holds.ledger import Ledger
from daypass.app.holds.pods import HeldPods
from daypass.app.holds.release import Release
from daypass.app.holds.settlement import Settlement
from daypass.app.holds.standing import Standings
from daypass.app.holds.telling import Telling
from daypass.app.holds.tending import Tending
from daypass.app.holds.workloads import Workloads
from daypass.app.owners import Owners
from daypass.app.policies.known import Reports
from daypass.app.ports import Kinds


def tending_of(
    judge: Judge,
    reports: Reports,
    evictions: Evictions,
    kinds: Kinds,
    pods: HeldPods,
    journal: HoldJournal,
    never: Collection[str],
) -> Tending:
    """All of it, on the means of those who judge requests and report on policies."""
    objects, clock, policies, requests = reports.objects, reports.clock, reports.policies, judge.requests
    standings = Standings(policies, Owners(objects), requests, never)
    ledger = Ledger(objects, requests)
    return Tending(
        objects=objects,
        requests=requests,
        pods=pods,
        release=Release(objects, clock, judge.ballots, pods, standings, ledger, journal, judge.canonical),
        settlement=Settlement(objects, kinds, clock, ledger, journal),
        eviction=Eviction(objects, evictions, clock, policies, journal),
        telling=Telling(requests, pods, standings, journal),
        workloads=Workloads(objects, kinds, pods),
        journal=journal,
    )
