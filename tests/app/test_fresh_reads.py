"""One read for many, and never one that began before the question."""

import asyncio

import pytest

from daypass.app.fresh_reads import FreshRead


class SlowSource:
    """A fake of something read: counts how often, and fails when told to."""

    def __init__(self) -> None:
        self.begun, self.done, self.broken = 0, 0, False

    async def read(self) -> None:
        self.begun += 1
        await asyncio.sleep(0.01)
        if self.broken:
            raise OSError("no answer")
        self.done += 1


async def test_those_who_ask_at_once_share_a_read() -> None:
    source = SlowSource()
    fresh = FreshRead(source.read)
    await asyncio.gather(*(fresh() for _ in range(50)))
    assert source.begun == 1
    await fresh()
    assert source.begun == 2


async def test_t34_who_asks_while_a_read_is_under_way_waits_for_the_next() -> None:
    source = SlowSource()
    fresh = FreshRead(source.read)
    first = asyncio.create_task(fresh())
    await asyncio.sleep(0.005)
    late = [asyncio.create_task(fresh()) for _ in range(10)]
    await first
    assert source.done == 1
    assert not any(one.done() for one in late)
    await asyncio.gather(*late)
    assert source.begun == 2


async def test_a_failure_is_everyones_and_not_of_those_who_come_later() -> None:
    source = SlowSource()
    fresh = FreshRead(source.read)
    source.broken = True
    answers = await asyncio.gather(fresh(), fresh(), return_exceptions=True)
    assert [type(one) for one in answers] == [OSError, OSError]
    source.broken = False
    await fresh()


async def test_who_gives_up_takes_the_read_from_nobody() -> None:
    source = SlowSource()
    fresh = FreshRead(source.read)
    first, second = asyncio.create_task(fresh()), asyncio.create_task(fresh())
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert source.done == 1
    with pytest.raises(asyncio.CancelledError):
        await first
