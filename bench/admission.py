"""P1, P2 and P8: how soon the webhook answers, how much it answers on one core, and what memory it takes."""

import statistics
from typing import Final

from bench import estate, samples
from bench.estate import Json
from bench.figures import Figure, of_runs, say
from bench.load import Result
from bench.outpost import Outpost, Said, outpost

POLICIES: Final = 100
REQUESTS: Final = 10_000
TEAMS: Final = 8
"""Whose pods are made here."""
ROUNDS: Final = 5
SECONDS: Final = 3.0
RATE: Final = 500.0
CALLERS: Final = 16
CONNECTIONS: Final = 32
_HELD_BY: Final = 7
"""Request 7 is for pods of ServiceAccount agent in shop-7 that mount /var/log/7."""


async def figures(only: set[str]) -> list[Figure]:
    """Those of them that are wanted."""
    found: list[Figure] = []
    async with outpost(estate.policies(POLICIES), REQUESTS) as webhook:
        started = webhook.memory()
        if "P1" in only:
            found += say(*await _latency(webhook))
        if "P2" in only:
            found += say(*await _throughput(webhook))
        if "P8" in only:
            found += say(await _memory(webhook, started))
    return found


async def _latency(webhook: Outpost) -> list[Figure]:
    """P1: mostly pods in which gates find nothing, one that is covered and one that is refused."""
    mixed = [*_ordinary(), _covered(), _refused()]
    ours: list[Result] = []
    floor: list[Result] = []
    for _ in range(ROUNDS):
        ours.append(await webhook.load(mixed, seconds=SECONDS, connections=CALLERS, rate=RATE))
        floor.append(await webhook.floor(mixed, seconds=SECONDS / 2, connections=CALLERS, rate=RATE))
    p50, p99 = ([one.p50 for one in ours], [one.p99 for one in ours])
    least = statistics.median(one.p50 for one in floor), statistics.median(one.p99 for one in floor)
    text = (
        f"p50 {of_runs(p50, ' ms', 1000)}, p99 {of_runs(p99, ' ms', 1000)};"
        f" a server that only answers: p50 {least[0] * 1000:.3g} ms, p99 {least[1] * 1000:.3g} ms"
    )
    met = statistics.median(p50) <= 0.001 and statistics.median(p99) <= 0.005
    what = f"webhook at {RATE:.0f} reviews/s on one core, {POLICIES} policies with gates, {REQUESTS:,} requests"
    return [Figure("P1", what, text, "p50 ≤ 1 ms, p99 ≤ 5 ms", met)]


async def _throughput(webhook: Outpost) -> list[Figure]:
    """P2: as much as it takes."""
    ours: list[Result] = []
    floor: list[Result] = []
    cost: list[float] = []
    ordinary = _ordinary()
    for _ in range(ROUNDS):
        before = webhook.cpu_seconds()
        one = await webhook.load(ordinary, seconds=SECONDS, connections=CONNECTIONS)
        cost.append((webhook.cpu_seconds() - before) / one.all_answers)
        ours.append(one)
        floor.append(await webhook.floor(ordinary, seconds=SECONDS / 2, connections=CONNECTIONS))
    rates, p99 = [one.rate for one in ours], [one.p99 for one in ours]
    ceiling = [one.rate for one in floor]
    size = len(ordinary[0].review)
    text = (
        f"{of_runs(rates, '/s')}, p99 {of_runs(p99, ' ms', 1000)}, {of_runs(cost, ' µs', 1e6)} of processor for each;"
        f" a server that only answers: {of_runs(ceiling, '/s')}, {statistics.median(ceiling) / statistics.median(rates):.1f} times"
    )
    met = statistics.median(rates) >= 8000 and statistics.median(p99) <= 0.008
    what = f"webhook on one core, {CONNECTIONS} connections, pods of {size / 1000:.1f} kB in which gates find nothing"
    found = [Figure("P2", what, text, "≥ 8,000/s, p99 ≤ 8 ms", met)]
    for kind, said in (("covered by an approved request", _covered()), ("refused", _refused())):
        others = [await webhook.load([said], seconds=SECONDS / 2, connections=CONNECTIONS) for _ in range(ROUNDS)]
        text = f"{of_runs([one.rate for one in others], '/s')}, p99 {of_runs([one.p99 for one in others], ' ms', 1000)}"
        found.append(Figure("P2", f"the same, pods that are {kind} (dry run)", text, ""))
    return found


async def _memory(webhook: Outpost, started: tuple[float, float]) -> Figure:
    """P8: after some load, where there was none."""
    await webhook.load(_ordinary(), seconds=SECONDS, connections=CONNECTIONS)
    now, highest = webhook.memory()
    what = f"memory of the webhook with {REQUESTS:,} requests and {POLICIES} policies with gates, after load"
    text = f"{now:.0f} MiB resident, {highest:.0f} at most; {started[0]:.0f} when it was ready"
    return Figure("P8", what, text, "≤ 100 MiB", now <= 100)


def _ordinary() -> list[Said]:
    wanted = '"decision": "NotGated"'
    return [Said(samples.review(samples.pod(f"shop-{number}")), wanted) for number in range(TEAMS)]


def _covered() -> Said:
    return Said(_by_hand(_HELD_BY, f"/var/log/{_HELD_BY}"), '"decision": "Covered"')


def _refused() -> Said:
    return Said(_by_hand(_HELD_BY, "/etc"), '"decision": "Refused"')


def _by_hand(team: int, path: str) -> bytes:
    volume: Json = {"name": "node", "hostPath": {"path": path, "type": ""}}
    return samples.review(samples.pod(f"shop-{team}", volume, owned=False), "alice", dry_run=True)
