"""A controller that heard nothing, or too little: what it must not grant, and when it must end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bed import Bed
from bed.daypass import controller_process
from cluster.errands import MERGE, Errand
from cluster.proxy import Proxy

KEYS = "/api/v1/namespaces/daypass-system/configmaps/daypass-signing-keys"


@pytest.fixture
def errand(cluster: Bed, namespace: str) -> Errand:
    return Errand(cluster, namespace)


@pytest.fixture
def deaf(proxy: Proxy) -> Proxy:
    """A controller whose watch of policies can be made to tell nothing."""
    proxy.controller.start()
    return proxy


def _silence(request: web.Request) -> web.Response | None:
    """Watches of policies end in order, without having told anything."""
    silent = "watch" in request.query and request.path.endswith("/approvalpolicies")
    return web.Response(content_type="application/json") if silent else None


def test_t34_policy_deleted_while_the_watch_was_cut_grants_nothing(deaf: Proxy, errand: Errand) -> None:
    policy = errand.policy(autoApprove=True)
    errand.ask("before")
    errand.until("before", "Active")
    deaf.fault = _silence
    deaf.cut_watches()
    errand.bed.kubectl("delete", "approvalpolicy", policy)
    uid = errand.ask("after", seconds=90)
    errand.until("after", "Denied")
    assert errand.binding(uid) is None


def test_t34_deny_policy_made_while_the_watch_was_cut_denies(deaf: Proxy, errand: Errand) -> None:
    errand.policy(autoApprove=True)
    errand.ask("before")
    errand.until("before", "Active")
    deaf.fault = _silence
    deaf.cut_watches()
    errand.policy("freeze", effect="Deny")
    errand.ask("after", seconds=90)
    errand.until("after", "Denied")


def test_t61_key_taken_back_after_a_leak_voids_its_reviews_before_they_give_access(
    cluster: Bed, errand: Errand
) -> None:
    errand.policy()
    start = datetime.now(UTC) + timedelta(seconds=8)
    uid = errand.ask("fix", startTime=start.strftime("%Y-%m-%dT%H:%M:%SZ"))
    errand.until("fix", "AwaitingApproval")
    errand.approve("fix")
    errand.until("fix", "Scheduled")
    keys = cluster.request("GET", KEYS).json["data"]
    cluster.request("PATCH", KEYS, {"data": dict.fromkeys(keys)}, headers=MERGE)
    try:
        errand.until("fix", "AwaitingApproval")
        assert datetime.now(UTC) > start - timedelta(seconds=1), "found when it should have begun"
        assert "(0 of 1)" in errand.condition("fix", "Ready")["message"]
        assert errand.binding(uid) is None
        cluster.wait_until(lambda: "ReviewVoid" in errand.events("fix"))
    finally:
        cluster.request("PATCH", KEYS, {"data": keys}, headers=MERGE)
        cluster.controller.terminate()
        cluster.controller.start()
        cluster.controller.wait_ready()
    errand.until("fix", "Active")


BROKEN = """
import asyncio
from daypass.controller.dispatcher import Dispatcher
from daypass.kube.cache import Cache
from daypass.kube.events import Recorder
async def broken(*_):
    await asyncio.sleep(1)
    {ends}
{task} = broken
from daypass.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def vacant(cluster: Bed) -> Iterator[Bed]:
    """Nobody leads."""
    cluster.controller.terminate()
    yield cluster
    cluster.controller.start()
    cluster.controller.wait_ready()


@pytest.mark.parametrize(
    ("task", "ends"),
    [
        ("Dispatcher.patrol", "raise KeyError('a bug')"),
        ("Dispatcher.figures", "raise KeyError('a bug')"),
        ("Dispatcher.work", "return"),
        ("Cache.run", "raise KeyError('a bug')"),
        ("Recorder.run", "return"),
    ],
)
def test_any_task_that_ends_by_itself_ends_the_process(vacant: Bed, task: str, ends: str) -> None:
    controller = controller_process(vacant.endpoint, f"127.0.0.1:{vacant.controller_health}", name="broken")
    at = controller.command.index("-m")
    controller.command[at : at + 2] = ["-c", BROKEN.format(task=task, ends=ends)]
    controller.start()
    try:
        vacant.wait_until(lambda: controller.pid is None, what="it ends")
        assert controller.exit_code == 1
    finally:
        controller.kill()
