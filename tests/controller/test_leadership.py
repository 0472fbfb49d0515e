"""Writes only of the leader, and until when its predecessor can have acted."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from builders import NOON
from daypass.app.ports import JOBS, UnavailableError
from daypass.controller.leadership import AFTERLIFE_SECONDS, LeaderObjects, NotLeadingError, acted_until


class FakeObjects:
    """Notes each call, and answers it with something."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, verb: str) -> Callable[..., Awaitable[dict[str, Any]]]:
        async def call(*_: object) -> dict[str, Any]:
            self.calls.append(verb)
            return {}

        return call


@pytest.mark.parametrize(
    ("verb", "given"),
    [("create", ({},)), ("replace", ("name", {})), ("merge_patch", ("name", {})), ("delete", ("name", "uid"))],
)
async def test_t38_who_does_not_hold_the_lease_writes_nothing(verb: str, given: tuple[object, ...]) -> None:
    server: Any = FakeObjects()
    leading = True
    objects = LeaderObjects(server, lambda: leading)
    await getattr(objects, verb)(JOBS, *given)
    assert server.calls == [verb]
    leading = False
    with pytest.raises(NotLeadingError):
        await getattr(objects, verb)(JOBS, *given)
    assert server.calls == [verb]
    await objects.get(JOBS, "name")
    assert server.calls == [verb, "get"]
    assert issubclass(NotLeadingError, UnavailableError), "so it is tried again, not taken for a refusal"


def test_t37_former_leader_that_vanished_may_have_acted_for_as_long_as_it_believed_to_lead() -> None:
    spec = {"holderIdentity": "former", "renewTime": "2026-03-02T12:00:00.000000Z"}
    assert acted_until(spec) == NOON + timedelta(seconds=AFTERLIFE_SECONDS)
    assert acted_until({**spec, "holderIdentity": ""}) == NOON, "it gave the Lease back"
    assert acted_until({"holderIdentity": "former"}) is None
    assert acted_until(None) is None
