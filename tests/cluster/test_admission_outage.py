"""With the webhook dead nothing is forged and nothing goes through; on its way out it serves to the end."""

import json
import re
import threading
import time
from collections.abc import Iterator

import pytest

from bed import Bed
from cluster.admission import Desk


@pytest.fixture
def outage(desk: Desk) -> Iterator[Desk]:
    """A request waits; the webhook is gone without a word."""
    desk.waiting()
    desk.bed.webhook.kill()
    yield desk
    desk.bed.webhook.start()
    desk.bed.webhook.wait_ready()


def test_t45_requests_and_reviews_fail_closed_and_say_why(outage: Desk) -> None:
    for said in (outage.ask("another"), outage.review()):
        assert not said.done
        assert 'failed calling webhook "requests.daypass.dev"' in said.error
        assert "connection refused" in said.error
    assert outage.reviews() == []


def test_t01_a_forged_status_is_refused_with_the_webhook_dead(outage: Desk) -> None:
    before = outage.get()
    for user in ("bob", "alice", "admin"):
        for forged in ({"approvedTime": "2026-01-01T00:00:00Z"}, {"reviews": [{"decision": "Approve"}]}):
            said = outage.patch(json.dumps({"status": forged}), user)
            assert not said.done
    assert outage.get() == before


def test_a_new_webhook_reads_everything_anew(desk: Desk) -> None:
    desk.waiting()
    desk.bed.webhook.kill()
    desk.bed.webhook.start()
    desk.bed.webhook.wait_ready()
    assert desk.review().done
    assert "first" not in desk.ask("second").reason


def test_p12_on_sigterm_it_serves_on_and_answers_what_is_under_way(answering: Bed, namespace: str) -> None:
    desk = Desk(answering, namespace)
    path = f"/apis/daypass.dev/v1alpha1/namespaces/{namespace}/accessrequests?dryRun=All"
    stop = threading.Event()
    failed: list[str] = []
    done: list[str] = []

    def ask() -> None:
        while not stop.is_set():
            answer = answering.request("POST", path, desk.manifest(), "alice")
            (done if answer.status == 201 else failed).append(answer.message)

    asking = threading.Thread(target=ask)
    asking.start()
    ended = threading.Thread(target=lambda: answering.webhook.terminate(timeout=40))
    ended.start()
    time.sleep(5)
    assert not _ready(answering)
    stop.set()
    asking.join()
    assert failed == []
    assert len(done) > 10
    ended.join()
    assert re.search(r'"draining"', answering.webhook.log)
    assert answering.webhook.exit_code == 0
    answering.webhook.start()
    answering.webhook.wait_ready()


def test_t45_the_api_server_restarts_under_the_webhook(desk: Desk) -> None:
    desk.bed.control_plane.restart_api_server()
    desk.waiting()
    assert desk.review().done


def _ready(bed: Bed) -> bool:
    ready = bed.webhook._ready
    return bool(ready())
