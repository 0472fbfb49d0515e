"""What is heard becomes work; late news of what was there before under the same name change nothing."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from builders import NOON
from daypass.app.grants.requests import Requests
from daypass.app.policies.known import Policies
from daypass.app.ports import ACCESS_REQUESTS, APPROVAL_POLICIES, UnavailableError
from daypass.controller import dispatcher as module
from daypass.controller.dispatcher import Dispatcher


class StandingClock:
    """It is noon."""

    def now(self) -> Any:  # noqa: ANN401 - a datetime
        return NOON


def a_body(uid: str, version: int) -> dict[str, Any]:
    metadata = {"name": "fix", "namespace": "shop", "uid": uid, "resourceVersion": str(version), "generation": 1}
    return {"metadata": metadata, "spec": {}}


async def test_late_news_that_a_former_request_is_gone_leave_the_new_one_its_deadline() -> None:
    requests = Requests()
    dispatcher = Dispatcher(StandingClock(), requests, Policies())
    dispatcher.heard(ACCESS_REQUESTS, a_body("first", 10), gone=False)
    dispatcher.heard(ACCESS_REQUESTS, a_body("second", 20), gone=False)
    dispatcher._alarm.set("shop/fix", NOON + timedelta(hours=1))
    dispatcher.heard(ACCESS_REQUESTS, a_body("first", 15), gone=True)
    assert requests.key_of("second") == "shop/fix"
    assert len(dispatcher._alarm) == 1
    dispatcher.heard(ACCESS_REQUESTS, a_body("second", 25), gone=True)
    assert not len(dispatcher._alarm)
    assert requests.key_of("second") is None
    dispatcher.close()


async def test_late_news_that_a_former_policy_is_gone_are_no_news() -> None:
    policies = Policies()
    dispatcher = Dispatcher(StandingClock(), Requests(), policies)
    dispatcher.heard(APPROVAL_POLICIES, a_body("first", 10), gone=False)
    dispatcher.heard(APPROVAL_POLICIES, a_body("second", 20), gone=False)
    queued = len(dispatcher._queue)
    dispatcher.heard(APPROVAL_POLICIES, a_body("first", 15), gone=True)
    assert policies.uids() == {"fix": "second"}
    assert len(dispatcher._queue) == queued
    dispatcher.close()


class FakeWork:
    """A fake of the use cases and of the client: notes what a patrol does, and fails where it is told to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.broken = ""

    def __getattr__(self, step: str) -> Any:  # noqa: ANN401 - any method
        async def do(*_: object) -> Any:  # noqa: ANN401
            self.done.append(step)
            if step == self.broken:
                raise UnavailableError("no answer")
            return [], ""

        return do


async def patrolled(work: Any, monkeypatch: pytest.MonkeyPatch) -> Dispatcher:  # noqa: ANN401 - a fake of three
    """A dispatcher after a cut watch and a good many patrols."""
    monkeypatch.setattr(module, "PATROL_SECONDS", 0.01)
    monkeypatch.setattr(module, "RELIST_PAUSE", 0.01)
    dispatcher = Dispatcher(StandingClock(), Requests(), Policies())
    dispatcher.equip(work, work, work, work)
    dispatcher.relist_soon()
    patrol = asyncio.create_task(dispatcher.patrol(work))
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(patrol), 0.2)
    patrol.cancel()
    await asyncio.gather(patrol, return_exceptions=True)
    dispatcher.close()
    return dispatcher


async def test_patrol_after_a_cut_watch_lists_requests_and_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    work = FakeWork()
    await patrolled(work, monkeypatch)
    assert work.done[:4] == ["end_overdue", "list", "refresh_policies", "bury_orphans"]
    assert work.done[4:7] == ["end_overdue", "refresh_policies", "bury_orphans"]


@pytest.mark.parametrize("broken", ["list", "refresh_policies", "bury_orphans"])
async def test_t30_overdue_access_is_ended_whatever_else_fails(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = FakeWork()
    work.broken = broken
    await patrolled(work, monkeypatch)
    assert work.done.count("end_overdue") > 2
    assert work.done.count("list") > 2, "and what was to be listed is tried again"
