"""One timer for all deadlines."""

from datetime import UTC, datetime, timedelta

from daypass.controller.alarm import Alarm
from kube.fake import until


class RunningClock:
    """Ours, a minute behind the API server's."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=1)


async def test_rings_in_order_once_for_the_moment_that_was_set_last() -> None:
    clock, rung = RunningClock(), list[str]()
    alarm = Alarm(clock, rung.append)
    now = clock.now()
    alarm.set("later", now + timedelta(milliseconds=60))
    alarm.set("sooner", now + timedelta(milliseconds=20))
    alarm.set("moved", now + timedelta(milliseconds=10))
    alarm.set("moved", now + timedelta(milliseconds=40))
    alarm.set("never", now + timedelta(milliseconds=30))
    alarm.set("never", None)
    alarm.set("past", now - timedelta(days=1))
    assert len(alarm) == 4
    await until(lambda: not len(alarm))
    assert rung == ["past", "sooner", "moved", "later"]


async def test_ten_thousand_of_one_instant_ring_together() -> None:
    clock, rung = RunningClock(), list[str]()
    alarm = Alarm(clock, rung.append)
    moment = clock.now() + timedelta(milliseconds=200)
    for number in range(10_000):
        alarm.set(str(number), moment)
    assert not rung
    await until(lambda: rung)
    assert len(rung) == 10_000
    alarm.stop()


async def test_a_ring_may_set_the_alarm_again() -> None:
    clock, rung = RunningClock(), list[str]()

    def again(name: str) -> None:
        rung.append(name)
        if len(rung) < 3:
            alarm.set(name, clock.now() + timedelta(milliseconds=5))

    alarm = Alarm(clock, again)
    alarm.set("often", clock.now())
    await until(lambda: len(rung) == 3)
    assert not len(alarm)
