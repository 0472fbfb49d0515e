"""P5, P6 and P7: how soon access begins and ends, of one and of a thousand."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.figures import Figure, percentile, spread
from bench.scene import NAMESPACE, Scene, seconds_of
from daypass.app.ports import CONFIG_MAPS

HOUR = 3600


async def one_approval(scene: Scene, count: int = 50) -> Figure:
    """P5: approval acknowledged to RoleBinding visible, idle."""
    took = []
    for uid in await scene.ask(count, HOUR):
        acknowledged = await scene.approve(uid)
        await scene.until(lambda uid=uid: uid in scene.bound, 30, "a binding")
        took.append(scene.bound[uid] - acknowledged)
        await asyncio.sleep(0.25)  # the API server makes its caches current for lists once in 100 ms
    met = statistics.median(took) <= 0.012 and percentile(took, 0.99) <= 0.024
    alone = await _one_write(scene, count)
    text = f"{spread(took)}; {_middle(took) / _middle(alone):.1f} times one write by itself ({spread(alone)})"
    return Figure("P5", "approval acknowledged to RoleBinding, idle", text, "p50 ≤ 12 ms, p99 ≤ 24 ms", met)


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst of approvals took, in seconds; processor time is for each grant."""

    first: float
    last: float
    controller: float
    api_server: float
    all_processes: float
    taken_back: int


async def many_approvals(scene: Scene, count: int, rounds: int) -> list[Figure]:
    """P6: so many approved at once, until all are bound, and the processor time."""
    bursts = [await _burst(scene, count) for _ in range(rounds)]
    alone = await _writes_at_once(scene, count)
    first, each = [one.first for one in bursts], [one.controller for one in bursts]
    text = (
        f"{_range(first, 's')} from the first approval, {_range([one.last for one in bursts], 's')} from the last;"
        f" {_middle(first) / alone:.1f} times {count} plain creates at once ({alone:.2f} s);"
        f" {max(one.taken_back for one in bursts)} bindings taken back for a while"
    )
    rest = (
        f"{_range([one.api_server for one in bursts], 'ms', 1000)} in the API server,"
        f" {_range([one.all_processes for one in bursts], 'ms', 1000)} in all processes"
    )
    goal = _middle(first) <= 5, _middle(each) <= 0.005
    return [
        Figure("P6", f"{count} requests approved at once, all bound", text, "≤ 5 s", goal[0]),
        Figure("P6", "controller CPU for each of them", _range(each, "ms", 1000), "≤ 5 ms", goal[1]),
        Figure("P6", "CPU of the others for each of them, load included", rest, ""),
    ]


async def _burst(scene: Scene, count: int) -> Burst:
    uids = await scene.ask(count, HOUR)
    before, started = scene.cpu_seconds(), time.time()
    acknowledged = max(await asyncio.gather(*(scene.approve(uid) for uid in uids)))
    await scene.until(lambda: all(uid in scene.bound for uid in uids), 300, "all bound")
    last = max(scene.bound[uid] for uid in uids)
    await scene.until(lambda: all(scene.state(uid) == "Active" for uid in uids), 300, "all active")
    used = {name: (seconds - before[name]) / count for name, seconds in scene.cpu_seconds().items()}
    taken_back = sum(uid in scene.gone for uid in uids)
    return Burst(
        last - started, last - acknowledged, used["controller"], used["kube-apiserver"], sum(used.values()), taken_back
    )


async def one_end(scene: Scene, count: int = 5) -> Figure:
    """P7: end of one grant after its deadline."""
    late = []
    for uid in await scene.ask(count, 10):
        await scene.approve(uid)
        await scene.until(lambda uid=uid: scene.state(uid) == "Active", 30, "an active grant")
        await asyncio.sleep(1.1)  # so that each has a deadline of its own
        late.append(uid)
    await scene.until(lambda: all(uid in scene.gone for uid in late), 60, "all ended")
    took = seconds_of(late, {uid: _deadline(scene, uid) for uid in late}, scene.gone)
    return Figure("P7", "end of one grant after its deadline", spread(took), "p50 ≤ 30 ms", _middle(took) <= 0.03)


async def many_ends(scene: Scene, count: int, lasts_seconds: int = 60) -> Figure:
    """P7: ends of so many grants that are due at the same instant, because all start at the same instant."""
    start = (datetime.now(UTC) + timedelta(seconds=20 + count // 20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    uids = await scene.ask(count, lasts_seconds, startTime=start)
    await asyncio.gather(*(scene.approve(uid) for uid in uids))
    await scene.until(lambda: all(scene.state(uid) == "Active" for uid in uids), 300, "all active")
    deadlines = {uid: _deadline(scene, uid) for uid in uids}
    await scene.until(lambda: all(uid in scene.gone for uid in uids), 300, "all ended")
    late = seconds_of(uids, deadlines, scene.gone)
    instants = len(set(deadlines.values()))
    what = f"end of {count} grants due at {'the same instant' if instants == 1 else f'{instants} instants'}"
    met = _middle(late) <= 0.7 and percentile(late, 0.99) <= 1.5
    return Figure("P7", what, spread(late, "s", 1.0), "p50 ≤ 0.7 s, p99 ≤ 1.5 s", met)


async def _one_write(scene: Scene, count: int) -> list[float]:
    """What this machine's API server takes for one create, in the same run: the scale of everything else."""
    took = []
    for number in range(count):
        started = time.perf_counter()
        await scene.admin.create(CONFIG_MAPS, {"metadata": {"name": f"scale-{number}"}}, NAMESPACE)
        took.append(time.perf_counter() - started)
    return took


async def _writes_at_once(scene: Scene, count: int) -> float:
    """Seconds for so many plain creates, all at once."""
    started = time.perf_counter()
    made = [{"metadata": {"name": f"burst-{number}"}} for number in range(count)]
    await asyncio.gather(*(scene.admin.create(CONFIG_MAPS, one, NAMESPACE) for one in made))
    return time.perf_counter() - started


def _range(values: list[float], unit: str, scale: float = 1.0) -> str:
    """Median of the rounds, with the extremes."""
    middle, least, most = (of(values) * scale for of in (statistics.median, min, max))
    return f"{middle:.3g} {unit}" + (f" ({least:.3g} to {most:.3g}, {len(values)} rounds)" if len(values) > 1 else "")


def _deadline(scene: Scene, uid: str) -> float:
    return datetime.fromisoformat(scene.requests[uid]["status"]["expirationTime"]).timestamp()


def _middle(values: list[float]) -> float:
    return statistics.median(values)
