"""Deleting what a grant consists of: once, and not forgotten where it failed. The API server here is a fake."""

import asyncio
from typing import Any

import pytest

from builders import NOON, a_request
from daypass.app.grants.found import Grants
from daypass.app.grants.writer import GrantWriter
from daypass.app.ports import UnavailableError
from daypass.domain.grants import Found, FoundBinding, GrantKind, binding_content

REQUEST = a_request().build()
BINDING = FoundBinding(Found("binding-1", "10", "shop", "daypass-1"), binding_content(REQUEST, NOON, "job-1"))


class Deleting:
    """A fake of the one call that is made here."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls: list[str] = []
        self.fails = fails

    async def delete(self, _resource: object, _name: str, uid: str, _namespace: str = "") -> bool:
        self.calls.append(uid)
        await asyncio.sleep(0)
        if self.fails:
            raise UnavailableError("no answer")
        return True


def a_writer(objects: Deleting) -> tuple[GrantWriter, Grants]:
    grants = Grants()
    grants.made(BINDING)
    nothing: Any = None
    server: Any = objects
    return GrantWriter(server, nothing, grants, nothing), grants


async def test_two_who_end_a_grant_at_once_delete_its_binding_once_on_a_fake_server() -> None:
    server = Deleting()
    writer, grants = a_writer(server)
    done = await asyncio.gather(*(writer.delete(REQUEST.uid, GrantKind.BINDING) for _ in range(2)))
    assert sorted(done) == [False, True]
    assert server.calls == ["binding-1"]
    assert grants.observed(REQUEST.uid).empty


async def test_t34_binding_whose_delete_failed_is_still_there_on_a_fake_server() -> None:
    writer, grants = a_writer(Deleting(fails=True))
    with pytest.raises(UnavailableError):
        await writer.delete(REQUEST.uid, GrantKind.BINDING)
    assert grants.observed(REQUEST.uid).binding == BINDING
    grants.heard(None, BINDING)
    assert grants.observed(REQUEST.uid).binding == BINDING
