"""Work is done once, in order of urgency, and tried again when it fails."""

import asyncio
from collections.abc import Awaitable, Callable

from daypass.app.ports import UnavailableError
from daypass.controller.queue import Queue, Task, Work

A = Work(Task.RECONCILE, "shop/a")


async def _run(queue: Queue, until: Callable[[], bool], workers: int = 2) -> None:
    tasks = [asyncio.create_task(queue.work()) for _ in range(workers)]
    async with asyncio.timeout(5):
        while not until():  # noqa: ASYNC110 - what is waited for is the test's own
            await asyncio.sleep(0.005)
    queue.close()
    await asyncio.gather(*tasks)


def _recording(
    done: list[Work], first: Callable[[Work], Awaitable[None]] | None = None
) -> Callable[[Work], Awaitable[None]]:
    async def handle(work: Work) -> None:
        done.append(work)
        if first is not None:
            await first(work)

    return handle


async def test_many_news_of_one_thing_are_one_piece_of_work() -> None:
    done: list[Work] = []
    queue = Queue(_recording(done))
    for _ in range(100):
        queue.put(A)
    assert len(queue) == 1
    await _run(queue, lambda: bool(done))
    assert done == [A]


async def test_news_during_the_work_are_worked_on_afterwards_and_never_at_the_same_time() -> None:
    done: list[Work] = []
    busy = 0

    async def again(work: Work) -> None:
        nonlocal busy
        busy += 1
        assert busy == 1
        if len(done) == 1:
            queue.put(work)
            queue.put(work)
        await asyncio.sleep(0.02)
        busy -= 1

    queue = Queue(_recording(done, again))
    queue.put(A)
    await _run(queue, lambda: len(done) == 2 and not busy)
    assert done == [A, A]


async def test_failed_work_comes_again_later_and_others_go_on() -> None:
    done: list[Work] = []

    async def fail(work: Work) -> None:
        if work == A and done.count(A) < 3:
            raise UnavailableError("busy", 503)

    queue = Queue(_recording(done, fail))
    queue.put(A)
    queue.put(Work(Task.RECONCILE, "shop/b"))
    await _run(queue, lambda: done.count(A) == 3)
    assert done[1].name == "shop/b"


async def test_ends_of_access_go_first() -> None:
    done: list[Work] = []
    queue = Queue(_recording(done))
    queue.put(Work(Task.REPORT, "policy"))
    queue.put(A)
    queue.put(Work(Task.CUT, "shop/late"))
    await _run(queue, lambda: len(done) == 3, workers=1)
    assert [work.task for work in done] == [Task.CUT, Task.RECONCILE, Task.REPORT]
