"""Decisions as log lines, Events and figures."""

from typing import Final

import structlog

from daypass.app.grants.journal import About
from daypass.app.holds.workloads import GONE
from daypass.app.ports import ACCESS_REQUESTS
from daypass.domain.conditions import State
from daypass.domain.wording import is_by_a_person
from daypass.kube.events import Recorder
from daypass.observe import metrics

log = structlog.get_logger("daypass.decisions")

REASONS: Final = {
    State.AWAITING_APPROVAL: "AwaitingApproval",
    State.UNDECIDED: "Undecided",
    State.SCHEDULED: "AccessScheduled",
    State.ACTIVE: "AccessGranted",
    State.SUSPENDED: "AccessSuspended",
    State.DENIED: "AccessDenied",
    State.TIMED_OUT: "RequestTimedOut",
    State.FAILED: "RequestFailed",
    State.EXPIRED: "AccessEnded",
    State.REVOKED: "AccessEnded",
    State.RELEASED: "AccessEnded",
}
WARNINGS: Final = frozenset({State.UNDECIDED, State.SUSPENDED, State.DENIED, State.TIMED_OUT, State.FAILED})
NEWS: Final = frozenset({"ReviewVoid", "GrantRestored"})


class KubernetesJournal:
    """Implements ``app.journal.Journal``."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def decided(self, about: About, before: State | None, after: State, message: str) -> None:
        """As ``Journal.decided``."""
        metrics.decisions.labels(after.value).inc()
        log.info(
            "decision",
            namespace=about.namespace,
            request=about.name,
            uid=about.uid,
            before="" if before is None else before.value,
            after=after.value,
            message=message,
        )
        if after is State.FAILED and message.startswith(GONE):
            # Nobody needs an answer any more: that is no failure to look into.
            self._publish(about, GONE, message.removeprefix(f"{GONE}: "), warning=False)
            return
        is_said = REASONS[after] == after.value or is_by_a_person(after, message)
        note = message if is_said else f"{after.value}: {message}"
        self._publish(about, REASONS[after], note, warning=after in WARNINGS)

    def noted(self, about: About, reason: str, message: str) -> None:
        """As ``Journal.noted``."""
        log.info("note", namespace=about.namespace, request=about.name, uid=about.uid, reason=reason, message=message)
        self._publish(about, reason, message, warning=reason in NEWS)

    def ended(self, lateness_seconds: float) -> None:
        """As ``Journal.ended``."""
        metrics.grant_end_lateness.observe(max(0.0, lateness_seconds))

    def granted(self, seconds: float) -> None:
        """As ``Journal.granted``."""
        metrics.grant_duration.observe(max(0.0, seconds))

    def _publish(self, about: About, reason: str, note: str, *, warning: bool) -> None:
        metadata = {"namespace": about.namespace, "name": about.name, "uid": about.uid}
        body = {"apiVersion": ACCESS_REQUESTS.api_version, "kind": ACCESS_REQUESTS.kind, "metadata": metadata}
        self._recorder.publish(body, reason, note, warning=warning)
