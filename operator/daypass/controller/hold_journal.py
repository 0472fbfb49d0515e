"""What becomes of held pods and of permits, as log lines, Events and figures."""

import structlog

from daypass.app.holds.pods import HeldPod
from daypass.app.ports import PODS, Json
from daypass.domain import names
from daypass.domain.request import OwnerReference
from daypass.kube.events import Recorder
from daypass.observe import metrics

log = structlog.get_logger("daypass.decisions")


class KubernetesHoldJournal:
    """Implements ``app.holds.journal.HoldJournal``."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def told(self, pod: HeldPod, reason: str, message: str, *, warning: bool = False) -> bool:
        """As ``HoldJournal.told``."""
        return self._recorder.publish(_pod(pod.namespace, pod.name, pod.uid), reason, message, warning=warning)

    def told_owner(
        self, namespace: str, owner: OwnerReference, reason: str, message: str, *, warning: bool = False
    ) -> bool:
        """As ``HoldJournal.told_owner``."""
        metadata = {"namespace": namespace, "name": owner.name, "uid": owner.uid}
        body = {"apiVersion": owner.api_version, "kind": owner.kind, "metadata": metadata}
        return self._recorder.publish(body, reason, message, warning=warning)

    def released(self, pod: HeldPod, request: str, seconds: float) -> None:
        """As ``HoldJournal.released``."""
        metrics.pods_released.observe(max(0.0, seconds))
        log.info("pod let go", namespace=pod.namespace, pod=pod.name, uid=pod.uid, request=request)
        self.told(pod, "HoldReleased", f"Let go under AccessRequest {request}.")

    def lost(self, pod: HeldPod) -> None:
        """As ``HoldJournal.lost``."""
        metrics.holds_lost.inc()
        log.error("hold lost", namespace=pod.namespace, pod=pod.name, uid=pod.uid)
        text = f"Somebody else than Daypass took the scheduling gate {names.SCHEDULING_GATE} off: it runs unapproved."
        self.told(pod, "HoldLost", text, warning=True)
        if pod.controller is not None:
            self.told_owner(pod.namespace, pod.controller, "HoldLost", f"Pod {pod.name}: {text}", warning=True)

    def settled(self, confirmed: int, returned: int) -> None:
        """As ``HoldJournal.settled``."""
        metrics.uses_settled.labels("confirmed").inc(confirmed)
        metrics.uses_settled.labels("returned").inc(returned)

    def evicted(self, namespace: str, name: str, uid: str, message: str) -> None:
        """As ``HoldJournal.evicted``."""
        metrics.pods_evicted.labels("evicted").inc()
        log.info("pod evicted", namespace=namespace, pod=name, uid=uid, message=message)
        self._recorder.publish(_pod(namespace, name, uid), "RequestEnded", message)

    def not_evicted(self, namespace: str, name: str, uid: str, message: str) -> None:
        """As ``HoldJournal.not_evicted``."""
        metrics.pods_evicted.labels("refused").inc()
        self._recorder.publish(_pod(namespace, name, uid), "RequestEnded", message, warning=True)


def _pod(namespace: str, name: str, uid: str) -> Json:
    metadata = {"namespace": namespace, "name": name, "uid": uid}
    return {"apiVersion": PODS.api_version, "kind": PODS.kind, "metadata": metadata}
