"""A request that another version wrote and this one can't understand: it says so once, and is granted nothing (T63)."""

from collections.abc import Mapping
from typing import Any

from builders import NOON
from daypass.app.grants.requests import Requests
from daypass.app.grants.unreadable import tell_unreadable
from daypass.app.ports import Json, Resource
from daypass.domain.conditions import State


class Writes:
    """Notes what is written."""

    def __init__(self) -> None:
        self.patches: list[Json] = []

    async def merge_patch(
        self, _resource: Resource, _name: str, patch: Json, namespace: str = "", subresource: str = ""
    ) -> Json:
        assert (namespace, subresource) == ("shop", "status")
        self.patches.append(patch)
        return patch


class Notes:
    """Notes what is decided."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def decided(self, _about: object, _before: State | None, after: State, _message: str) -> None:
        self.states.append(after)


def _body(status: Mapping[str, Any], version: str = "7") -> Json:
    metadata = {"name": "odd", "namespace": "shop", "uid": "uid-1", "resourceVersion": version, "generation": 1}
    return {"metadata": metadata, "spec": {"grant": "of a later version"}, "status": status}


async def test_t63_says_so_once() -> None:
    requests, writes, notes = Requests(), Writes(), Notes()
    entry = requests.take(_body({}))
    assert entry is not None
    assert entry.slim is None
    await tell_unreadable(entry, writes, notes, NOON)  # type: ignore[arg-type]
    assert notes.states == [State.UNDECIDED]
    (patch,) = writes.patches
    assert patch["metadata"] == {"resourceVersion": "7"}
    again = requests.take(_body(patch["status"], "8"))
    assert again is not None
    await tell_unreadable(again, writes, notes, NOON)  # type: ignore[arg-type]
    assert len(writes.patches) == 1


async def test_t63_what_is_over_stays_over() -> None:
    entry = Requests().take(_body({"conditions": [{"type": "Ready", "status": "False", "reason": "Expired"}]}))
    writes = Writes()
    assert entry is not None
    await tell_unreadable(entry, writes, Notes(), NOON)  # type: ignore[arg-type]
    assert not writes.patches
