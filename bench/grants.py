"""P5, P6 and P7: how soon access begins and ends, of one and of a thousand."""

import asyncio
import statistics
import time
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
        await asyncio.sleep(0.05)
    met = statistics.median(took) <= 0.012 and percentile(took, 0.99) <= 0.024
    alone = await _one_write(scene, count)
    text = f"{spread(took)}; {_middle(took) / _middle(alone):.1f} times one write by itself ({spread(alone)})"
    return Figure("P5", "approval acknowledged to RoleBinding, idle", text, "p50 ≤ 12 ms, p99 ≤ 24 ms", met)


async def many_approvals(scene: Scene, count: int) -> list[Figure]:
    """P6: so many approved at once, until all are bound, and the controller's CPU."""
    uids = await scene.ask(count, HOUR)
    cpu, started = scene.controller_cpu_seconds(), time.time()
    acknowledged = max(await asyncio.gather(*(scene.approve(uid) for uid in uids)))
    await scene.until(lambda: all(uid in scene.bound for uid in uids), 300, "all bound")
    last = max(scene.bound[uid] for uid in uids)
    await scene.until(lambda: all(scene.state(uid) == "Active" for uid in uids), 300, "all active")
    each = (scene.controller_cpu_seconds() - cpu) / count
    text = f"{last - started:.2f} s from the first approval, {last - acknowledged:.2f} s from the last"
    return [
        Figure("P6", f"{count} requests approved at once, all bound", text, "≤ 5 s", last - started <= 5),
        Figure("P6", "controller CPU for each of them", f"{each * 1000:.2f} ms", "≤ 5 ms", each <= 0.005),
    ]


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


async def many_ends(scene: Scene, count: int, lasts_seconds: int = 90) -> Figure:
    """P7: ends of so many grants that are due at the same instant, because all start at the same instant."""
    start = (datetime.now(UTC) + timedelta(seconds=60 + count // 5)).strftime("%Y-%m-%dT%H:%M:%SZ")
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


def _deadline(scene: Scene, uid: str) -> float:
    return datetime.fromisoformat(scene.requests[uid]["status"]["expirationTime"]).timestamp()


def _middle(values: list[float]) -> float:
    return statistics.median(values)
