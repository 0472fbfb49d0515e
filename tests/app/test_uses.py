"""Reserving uses: once for each call, never more than there are, through however many of us (T47)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from app.fake_server import FakeServer, moment
from daypass.api import convert
from daypass.app.admission.gates.uses import Uses
from daypass.app.ports import ACCESS_REQUESTS, ApiError, ConflictError, RefusedError, UnavailableError
from daypass.domain.conditions import State
from daypass.domain.request import Request, Use

NOW = datetime.now(UTC).replace(microsecond=0)
CONDITIONS = [
    {"type": kind, "status": "True", "reason": State.ACTIVE.value, "observedGeneration": 1}
    for kind in ("Approved", "Granted", "Ready")
]


class Scene:
    """A request for three uses on a fake server, and the replicas of the webhook that use it."""

    def __init__(self, most: int = 3) -> None:
        self.server = FakeServer()
        self.server.put(ACCESS_REQUESTS, "wipe", "shop", **self.contents("uid-of-wipe", most))

    @staticmethod
    def contents(uid: str, most: int = 3) -> dict[str, Any]:
        """The request, active for an hour."""
        target = {"verb": "delete", "group": "", "resource": "persistentvolumeclaims", "name": "data"}
        action = {**target, "maxUses": most}
        return {
            "metadata": {"uid": uid},
            "spec": {"action": action, "durationSeconds": 600, "reason": "x", "requester": {"username": "alice"}},
            "status": {
                "conditions": CONDITIONS,
                "startTime": moment(NOW),
                "expirationTime": moment(NOW + timedelta(hours=1)),
            },
        }

    def uses(self) -> Uses:
        """Another replica."""
        server: Any = self.server
        return Uses(server, server)

    def permit(self) -> Request:
        """The request as a watch that is up to date tells it."""
        body = self.body
        return replace(convert.request_from(body), version=body["metadata"]["resourceVersion"])

    @property
    def body(self) -> dict[str, Any]:
        return self.server.objects[(ACCESS_REQUESTS.plural, "shop", "wipe")]

    @property
    def keys(self) -> list[str]:
        return [use["key"] for use in self.body["status"].get("uses", [])]

    async def reserve(self, uses: Uses, key: str, permit: Request | None = None) -> str:
        return await uses.reserve(permit or self.permit(), a_use(key))


def a_use(key: str) -> Use:
    return Use(key, "PersistentVolumeClaim", "data", key, NOW)


async def test_a_use_is_written_down() -> None:
    scene = Scene()
    assert await scene.reserve(scene.uses(), "a") == ""
    assert scene.body["status"]["uses"] == [
        {
            "key": "a",
            "kind": "PersistentVolumeClaim",
            "name": "data",
            "uid": "a",
            "time": moment(NOW),
            "confirmed": False,
        }
    ]
    assert scene.body["status"]["startTime"]


async def test_t47_the_same_key_is_one_use_however_often_it_is_asked() -> None:
    scene = Scene()
    uses, before = scene.uses(), scene.permit()
    assert await scene.reserve(uses, "a") == ""
    assert await scene.reserve(uses, "a") == ""
    assert await scene.reserve(uses, "a", before) == ""  # the watch has not told it yet
    assert await asyncio.gather(*(scene.reserve(uses, "b") for _ in range(5))) == [""] * 5
    assert scene.keys == ["a", "b"]
    assert scene.server.count("patch", ACCESS_REQUESTS) == 2


async def test_a_key_of_the_moment_before_is_the_same_call() -> None:
    scene = Scene(most=1)
    uses = scene.uses()
    assert await uses.reserve(scene.permit(), a_use("x@1")) == ""
    assert await uses.reserve(scene.permit(), a_use("x@2"), ("x@2", "x@1")) == ""
    assert await uses.reserve(scene.permit(), a_use("x@3"), ("x@3", "x@2")) == "has no use left of 1"
    assert scene.keys == ["x@1"]


async def test_no_more_uses_than_there_are() -> None:
    scene = Scene(most=2)
    uses = scene.uses()
    answers = await asyncio.gather(*(scene.reserve(uses, key) for key in "abcd"))
    assert sorted(answers) == ["", "", "has no use left of 2", "has no use left of 2"]
    assert len(scene.keys) == 2


async def test_many_at_once_are_written_at_once() -> None:
    scene = Scene(most=100)
    uses = scene.uses()
    answers = await asyncio.gather(*(scene.reserve(uses, f"pod-{number}") for number in range(100)))
    assert answers == [""] * 100
    assert len(scene.keys) == 100
    assert scene.server.count("patch", ACCESS_REQUESTS) <= 3
    assert scene.server.count("get", ACCESS_REQUESTS) == 0
    assert uses._writers == {}


async def test_t47_who_was_told_that_none_is_left_has_none_written_though_one_is_given_back_meanwhile() -> None:
    scene = Scene(most=2)
    await scene.reserve(scene.uses(), "a")
    stale = scene.permit()
    given_back = {"metadata": {"resourceVersion": stale.version}, "status": {"uses": None}}
    await scene.server.merge_patch(ACCESS_REQUESTS, "wipe", given_back, "shop", "status")
    uses = scene.uses()
    answers = await asyncio.gather(*(scene.reserve(uses, key, stale) for key in "bc"))
    assert answers == ["", "has no use left of 2"]
    assert scene.keys == ["b"]


@pytest.mark.parametrize("replicas", [2, 5])
async def test_of_replicas_that_race_for_the_last_use_one_wins(replicas: int) -> None:
    scene = Scene(most=1)
    permit = scene.permit()
    answers = await asyncio.gather(
        *(scene.reserve(scene.uses(), f"from-{number}", permit) for number in range(replicas))
    )
    assert answers.count("") == 1
    assert answers.count("has no use left of 1") == replicas - 1
    assert len(scene.keys) == 1


async def test_replicas_that_race_all_get_what_there_is() -> None:
    scene = Scene(most=40)
    permit = scene.permit()
    pair = scene.uses(), scene.uses()
    answers = await asyncio.gather(*(scene.reserve(pair[number % 2], f"pod-{number}", permit) for number in range(40)))
    assert answers == [""] * 40
    assert len(set(scene.keys)) == 40


async def test_the_same_call_through_two_replicas_is_one_use() -> None:
    scene = Scene(most=1)
    permit = scene.permit()
    answers = await asyncio.gather(*(scene.reserve(scene.uses(), "one", permit) for _ in range(2)))
    assert answers == ["", ""]
    assert scene.keys == ["one"]


async def test_an_answer_that_did_not_come_may_have_been_a_yes() -> None:
    scene = Scene(most=1)
    uses = scene.uses()

    async def lost(*args: Any) -> Any:  # noqa: ANN401 - as the fake server
        await FakeServer.merge_patch(scene.server, *args)
        raise UnavailableError("no answer")

    scene.server.merge_patch = lost  # type: ignore[assignment, method-assign]
    assert await scene.reserve(uses, "a") == ""
    assert scene.keys == ["a"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RefusedError("policy says no", 403), "could not be used: policy says no"),
        (ApiError("gone", HTTPStatus.NOT_FOUND), "is gone"),
        (ConflictError("changed", 409), "could not be used: it changed 8 times meanwhile; try again"),
        (UnavailableError("no answer"), "could not be used: it changed 8 times meanwhile; try again"),
    ],
)
async def test_t11_what_can_t_be_reserved_is_not(error: Exception, why: str) -> None:
    scene = Scene()
    scene.server.broken[("patch", ACCESS_REQUESTS.plural)] = error
    uses = scene.uses()
    assert await scene.reserve(uses, "a") == why
    assert scene.keys == []
    assert uses._writers == {}


async def test_t34_a_request_that_ended_meanwhile_is_not_used() -> None:
    scene = Scene()
    permit = scene.permit()
    ended = [{**one, "reason": "Revoked", "status": "False"} for one in CONDITIONS]
    scene.server.put(ACCESS_REQUESTS, "wipe", "shop", spec=scene.body["spec"], status={"conditions": ended})
    assert await scene.reserve(scene.uses(), "a", permit) == "is Revoked"
    assert scene.keys == []


async def test_another_request_under_the_name_is_not_used() -> None:
    scene = Scene()
    permit = scene.permit()
    scene.server.remove(ACCESS_REQUESTS, "wipe", "shop")
    scene.server.put(ACCESS_REQUESTS, "wipe", "shop", **Scene.contents("another"))
    assert await scene.reserve(scene.uses(), "a", permit) == "is gone"
    assert scene.keys == []


async def test_what_the_controller_wrote_meanwhile_stays() -> None:
    scene = Scene()
    uses = scene.uses()
    assert await scene.reserve(uses, "a") == ""
    stale = scene.permit()
    confirmed = [{**use, "confirmed": True} for use in scene.body["status"]["uses"]]
    await scene.server.merge_patch(
        ACCESS_REQUESTS,
        "wipe",
        {"metadata": {"resourceVersion": scene.body["metadata"]["resourceVersion"]}, "status": {"uses": confirmed}},
        "shop",
        "status",
    )
    assert await scene.reserve(uses, "b", stale) == ""
    assert [use["confirmed"] for use in scene.body["status"]["uses"]] == [True, False]


async def test_a_use_that_was_given_back_is_there_again() -> None:
    scene = Scene(most=1)
    uses = scene.uses()
    assert await scene.reserve(uses, "a") == ""
    scene.body["status"]["uses"] = []
    scene.body["metadata"]["resourceVersion"] = "900"
    assert await scene.reserve(uses, "b") == ""
    assert scene.keys == ["b"]


async def test_the_next_request_is_used_where_one_has_none_left() -> None:
    scene = Scene(most=1)
    uses = scene.uses()
    permit = scene.permit()
    assert await scene.reserve(scene.uses(), "a") == ""
    chosen, why = await uses.spend([permit], a_use("b"))
    assert (chosen, why) == (None, "request wipe has no use left of 1")
    again, _ = await uses.spend([permit, scene.permit()], a_use("a"))
    assert again == scene.permit()


async def test_who_stops_waiting_harms_nobody() -> None:
    scene = Scene()
    uses = scene.uses()
    first = asyncio.create_task(scene.reserve(uses, "a"))
    second = asyncio.create_task(scene.reserve(uses, "b"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == ""


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daypass.app.admission.gates.uses.REMEMBERED", 3)
    scene = Scene()
    uses = scene.uses()
    for number in range(5):
        scene.server.remove(ACCESS_REQUESTS, "wipe", "shop")
        scene.server.put(ACCESS_REQUESTS, "wipe", "shop", **Scene.contents(f"uid-{number}"))
        assert await scene.reserve(uses, "a") == ""
    assert [*uses._written] == ["uid-2", "uid-3", "uid-4"]
