"""Decisions that ask the API server: bounded, and never in the way of those that need not."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from daypass.app.admission.answer import Answer, Call, Decide, allow, refuse
from daypass.webhook import listener as listening
from daypass.webhook.calls import call_from
from daypass.webhook.files import Mounts
from daypass.webhook.listener import Listener
from daypass.webhook.process import serving
from daypass.webhook.routes import Gates, Holds, gates, holds
from webhook.desk import Folders, a_review, trusting

PATH = "/" + "c" * 64


@asynccontextmanager
async def _served(decide: Decide, tmp_path: Path) -> AsyncIterator[Any]:
    authority = trustme.CA()
    folders = Folders(tmp_path, authority)
    mounts = Mounts(folders.serving, folders.signing, folders.paths)
    mounts.refresh()
    connector = aiohttp.TCPConnector(ssl=trusting(authority), limit=0)
    async with (
        serving(Listener((lambda: (PATH,), decide)), mounts, "127.0.0.1", 0) as address,
        aiohttp.ClientSession(connector=connector) as client,
    ):

        async def ask(name: str, padding: int = 0) -> dict[str, Any]:
            review = a_review("CREATE", new={"metadata": {"name": name}, "padding": "x" * padding})
            review["request"]["name"] = name
            async with client.post(f"https://{address}{PATH}", data=json.dumps(review).encode()) as answer:
                response: dict[str, Any] = json.loads(await answer.read())["response"]
                return response

        yield ask


def _slow(seconds: float) -> Decide:
    async def later() -> Answer:
        await asyncio.sleep(seconds)
        return allow("Late")

    return lambda call: later() if call.name.startswith("slow") else allow("Quick")


async def test_t49_what_waits_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "BUDGET_SECONDS", 60)
    answered = asyncio.Event()

    async def later() -> Answer:
        await answered.wait()
        return allow("Late")

    async with _served(lambda call: later() if call.name.startswith("slow") else allow("Quick"), tmp_path) as ask:
        waiting = [asyncio.create_task(ask(f"slow-{number}")) for number in range(200)]
        await asyncio.sleep(0.5)
        assert (await ask("quick"))["auditAnnotations"]["decision"] == "Quick"
        assert (await ask("quick", 300 * 1024))["auditAnnotations"]["decision"] == "Quick"
        assert not any(task.done() for task in waiting)
        answered.set()
        answers = await asyncio.gather(*waiting)
    assert {one["auditAnnotations"]["decision"] for one in answers} == {"Late"}


async def test_what_takes_too_long_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "BUDGET_SECONDS", 0.2)
    async with _served(_slow(30), tmp_path) as ask:
        answer = await ask("slow")
    assert not answer["allowed"]
    assert answer["status"]["code"] == 503
    assert "could not decide within 0.2 s" in answer["status"]["message"]


async def test_the_wait_for_a_place_counts_and_a_decision_never_begun_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coroutine that is dropped without being closed would be a warning, and so an error here."""
    monkeypatch.setattr(listening, "BUDGET_SECONDS", 0.3)
    monkeypatch.setattr(listening, "WAITING_AT_ONCE", 2)
    begun: list[str] = []

    async def later(name: str) -> Answer:
        begun.append(name)
        await asyncio.sleep(30)
        return allow()

    async with _served(lambda call: later(call.name), tmp_path) as ask:
        answers = await asyncio.gather(*(ask(f"slow-{number}") for number in range(5)))
    assert [one["auditAnnotations"]["decision"] for one in answers] == ["OutOfTime"] * 5
    assert begun


async def test_t11_an_error_while_waiting_is_no_decision(tmp_path: Path) -> None:
    async def broken() -> Answer:
        await asyncio.sleep(0)
        raise RuntimeError("broken")

    decide = gates(Gates(*(lambda _call: broken() for _ in range(4))))
    async with _served(decide, tmp_path) as ask:
        answer = await ask("it")
    assert not answer["allowed"]
    assert answer["auditAnnotations"]["decision"] == "CouldNotDecide"


_Slow = Coroutine[Any, Any, Answer]


class _UseCases:
    """Who was asked, and what they say."""

    def __init__(self, **answers: Answer) -> None:
        self.asked: list[str] = []
        self.answers = answers
        self.late: set[str] = set()

    def __call__(self, name: str) -> Decide:
        async def later(answer: Answer) -> Answer:
            self.asked.append(f"{name} begun")
            return answer

        def decide(_call: Call) -> Answer | _Slow:
            self.asked.append(name)
            answer = self.answers.get(name, allow("NotGated"))
            return later(answer) if name in self.late else answer

        return decide


def _call(operation: str, resource: str, group: str = "") -> Call:
    review = a_review(operation, resource, new={}, old={})
    review["request"]["resource"]["group"] = group
    return call_from(review)[1]


async def _answer(decide: Decide, call: Call) -> Answer:
    answer = decide(call)
    return answer if isinstance(answer, Answer) else await answer


@pytest.mark.parametrize(
    ("operation", "resource", "group", "asked"),
    [
        ("CREATE", "pods", "", ["pods", "actions"]),
        ("UPDATE", "pods", "", ["updates", "actions"]),
        ("UPDATE", "pods/ephemeralcontainers", "", ["updates", "actions"]),
        ("UPDATE", "pods/resize", "", ["updates", "actions"]),
        ("DELETE", "pods", "", ["actions"]),
        ("CREATE", "pods/eviction", "", ["actions"]),
        ("CONNECT", "pods/exec", "", ["connections"]),
        ("CONNECT", "pods/attach", "", ["connections"]),
        ("CONNECT", "pods/portforward", "", ["connections"]),
        ("CONNECT", "pods/proxy", "", ["actions"]),
        ("CREATE", "pods", "example.com", ["actions"]),
        ("CREATE", "deployments", "apps", ["actions"]),
    ],
)
async def test_t42_each_door_has_its_judge(operation: str, resource: str, group: str, asked: list[str]) -> None:
    cases = _UseCases()
    decide = gates(Gates(cases("pods"), cases("updates"), cases("connections"), cases("actions")))
    assert (await _answer(decide, _call(operation, resource, group))).allowed
    assert cases.asked == asked


@pytest.mark.parametrize("late", [(), ("pods",), ("actions",), ("pods", "actions")])
async def test_what_is_refused_first_spends_nothing_second(late: tuple[str, ...]) -> None:
    cases = _UseCases(pods=refuse("Refused", "no"))
    cases.late = set(late)
    decide = gates(Gates(cases("pods"), cases("updates"), cases("connections"), cases("actions")))
    answer = await _answer(decide, _call("CREATE", "pods"))
    assert answer.message == "no"
    assert "actions begun" not in cases.asked


@pytest.mark.parametrize("late", [("pods",), ("actions",), ("pods", "actions")])
async def test_what_is_given_up_before_it_begins_is_let_go_of_wholly(late: tuple[str, ...]) -> None:
    """Nobody awaits what a judge would have had to wait for: Python would warn of it, and so fail here."""
    cases = _UseCases()
    cases.late = set(late)
    decide = gates(Gates(cases("pods"), cases("updates"), cases("connections"), cases("actions")))
    answer = decide(_call("CREATE", "pods"))
    assert not isinstance(answer, Answer)
    answer.close()
    gc.collect()
    assert not {"pods begun", "actions begun"} & {*cases.asked}


@pytest.mark.parametrize("late", [(), ("pods",), ("actions",), ("pods", "actions")])
async def test_both_are_heard(late: tuple[str, ...]) -> None:
    warned = Answer(allowed=True, decision="Covered", warnings=("one",), annotations={"a": "1"})
    other = Answer(allowed=True, decision="NotGated", warnings=("two",), annotations={"b": "2"})
    cases = _UseCases(pods=warned, actions=other)
    cases.late = set(late)
    decide = gates(Gates(cases("pods"), cases("updates"), cases("connections"), cases("actions")))
    answer = await _answer(decide, _call("CREATE", "pods"))
    assert (answer.decision, answer.warnings, answer.annotations) == ("Covered", ("one", "two"), {"a": "1", "b": "2"})
    cases.answers["actions"] = refuse("Refused", "nor this")
    assert (await _answer(decide, _call("CREATE", "pods"))).message == "nor this"


async def test_the_door_of_holds_decides_on_pods_and_workloads_alone() -> None:
    cases = _UseCases()
    decide = holds(Holds(cases("pods"), cases("workloads")))
    for operation, resource, group in (
        ("CREATE", "pods", ""),
        ("CREATE", "deployments", "apps"),
        ("UPDATE", "jobs", "batch"),
        ("UPDATE", "replicationcontrollers", ""),
    ):
        assert (await _answer(decide, _call(operation, resource, group))).allowed
    assert cases.asked == ["pods", "workloads", "workloads", "workloads"]
    for operation, resource, group in (
        ("UPDATE", "pods", ""),
        ("DELETE", "jobs", "batch"),
        ("CREATE", "jobs", "example.com"),
        ("UPDATE", "deployments/scale", "apps"),
    ):
        answer = await _answer(decide, _call(operation, resource, group))
        assert answer.decision == "UnexpectedCall"
