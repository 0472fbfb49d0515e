"""What Events say of decisions."""

from typing import Any

from builders import a_request
from daypass.controller.journal import KubernetesJournal
from daypass.domain.conditions import State


class _Recorder:
    def __init__(self) -> None:
        self.published: list[tuple[str, str, bool]] = []

    def publish(self, _about: object, reason: str, note: str, *, warning: bool) -> None:
        self.published.append((reason, note, warning))


def _told(state: State, message: str) -> tuple[str, str, bool]:
    recorder = _Recorder()
    publishes: Any = recorder
    KubernetesJournal(publishes).decided(a_request().build(), None, state, message)
    (one,) = recorder.published
    return one


def test_that_a_workload_is_gone_is_no_warning() -> None:
    told = _told(State.FAILED, "WorkloadGone: Job shop/work is gone.")
    assert told == ("WorkloadGone", "Job shop/work is gone.", False)


def test_a_failure_is_a_warning() -> None:
    assert _told(State.FAILED, "no such role") == ("RequestFailed", "Failed: no such role", True)


def test_what_a_person_did_is_said_once() -> None:
    assert _told(State.REVOKED, "Revoked by bob.") == ("AccessEnded", "Revoked by bob.", False)
    assert _told(State.DENIED, "Denied by bob: no") == ("AccessDenied", "Denied by bob: no", True)
