"""Policies after a watch was cut: what is gone is found by listing. The API server is a fake."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

from daypass.app.policies.known import Policies
from daypass.app.ports import Json, Resource
from daypass.controller.relisting import PolicyRelist

SPEC = {
    "effect": "Allow",
    "match": {"grants": {"roles": [{"kind": "ClusterRole", "name": "view"}]}},
    "autoApprove": True,
}


def a_body(name: str, uid: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "uid": uid, "generation": 1, "resourceVersion": str(version)}
    return {"apiVersion": "daypass.dev/v1alpha1", "kind": "ApprovalPolicy", "metadata": metadata, "spec": SPEC}


class FakeList:
    """Answers with two pages; ``between`` happens after the answer was made, before it is heard."""

    def __init__(self, *bodies: Json) -> None:
        self.bodies = list(bodies)
        self.between: Callable[[], object] = lambda: None

    async def pages(self, _resource: Resource) -> AsyncGenerator[tuple[list[Json], str], None]:
        bodies = list(self.bodies)
        self.between()
        yield bodies[:1], ""
        yield bodies[1:], "30"


def a_relist(policies: Policies, server: FakeList) -> PolicyRelist:
    def heard(_resource: Resource, body: Json, gone: bool) -> None:  # noqa: FBT001 - as kopf calls it
        if gone:
            policies.drop(body["metadata"]["name"], body["metadata"]["uid"])
        else:
            policies.take(body)

    return PolicyRelist(server, policies, heard)


async def test_t34_policies_that_went_unheard_are_dropped() -> None:
    policies, one, two = Policies(), a_body("one", "1", 10), a_body("two", "2", 11)
    server = FakeList(one, two)
    relist = a_relist(policies, server)
    await relist()
    assert policies.uids() == {"one": "1", "two": "2"}
    server.bodies = [two, a_body("three", "3", 12)]
    await relist()
    assert policies.uids() == {"two": "2", "three": "3"}
    server.bodies = [a_body("two", "22", 15)]
    await relist()
    assert policies.uids() == {"two": "22"}


async def test_t34_news_that_overtake_the_list_stand() -> None:
    policies, one, two = Policies(), a_body("one", "1", 10), a_body("two", "2", 11)
    policies.take(one)
    server = FakeList(one)

    def meanwhile() -> None:
        policies.drop("one", "1")
        policies.take(two)

    server.between = meanwhile
    await a_relist(policies, server)()
    assert policies.uids() == {"two": "2"}
