"""The metrics of all processes, and the one table of them: ``docs/metrics.md`` is checked against it.

Names are ``daypass_<noun>_<unit>``, counters end in ``_total``. No label carries a user's, request's or policy's name:
labels are read by more people than requests are, and each value is a time series for ever.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

REGISTRY: Final = CollectorRegistry(auto_describe=False)
SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Buckets: decisions take a millisecond, an API server in trouble ten seconds."""
LATENESS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 15.0, 60.0, 600.0)
"""Buckets of how late access ended; beyond 15 s not even the dead-man Job was in time."""
NAME: Final = re.compile(r"daypass_[a-z]+(_[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Documented:
    """A line of the table."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


table: list[Documented] = []


def counter(name: str, text: str, *labels: str) -> Counter:
    """A number that only grows; ``name`` ends in ``_total``."""
    _document(name, "counter", text, labels)
    return Counter(name, text, labels, registry=REGISTRY)


def gauge(name: str, text: str, *labels: str) -> Gauge:
    """A number as it is now."""
    _document(name, "gauge", text, labels)
    return Gauge(name, text, labels, registry=REGISTRY)


def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
    """A distribution, in seconds unless the name says otherwise."""
    _document(name, "histogram", text, labels)
    return Histogram(name, text, labels, buckets=buckets, registry=REGISTRY)


def wrote(verb: str, resource: str) -> None:
    """Count a write; ``kube.client.Client`` takes it as its ``wrote``."""
    api_writes.labels(verb, resource).inc()


def gated(mode: str, outcome: str) -> None:
    """Count what a gate decided."""
    gate_decisions.labels(mode, outcome).inc()


def follow_cache(
    resource: str, objects: Callable[[], int], faults: Callable[[], int], silence: Callable[[], float]
) -> None:
    """Report a watch cache by functions that are called when somebody looks."""
    cache_objects.labels(resource).set_function(objects)
    cache_faults.labels(resource).set_function(faults)
    cache_silence.labels(resource).set_function(silence)


def _document(name: str, kind: str, text: str, labels: tuple[str, ...]) -> None:
    if not NAME.fullmatch(name) or (kind == "counter") != name.endswith("_total"):
        message = f"{name} is no name for a {kind}"
        raise ValueError(message)
    table.append(Documented(name, kind, labels, text))


# Every process
api_writes = counter(
    "daypass_api_writes_total",
    "Writes sent to the API server, by verb and resource.",
    "verb",
    "resource",
)
clock_skew = gauge(
    "daypass_clock_skew_seconds",
    "How far the API server's clock is ahead of this host's, as estimated from its answers.",
)
cache_objects = gauge("daypass_cache_objects", "Objects held from a watch, by resource.", "resource")
cache_faults = gauge("daypass_cache_faults", "Objects of a watch that could not be read, by resource.", "resource")
cache_silence = gauge(
    "daypass_cache_silence_seconds",
    "Time since the API server last sent anything on a watch, by resource; it sends something each minute or so.",
    "resource",
)

# The controller
leading = gauge("daypass_controller_leading", "1 while this process holds the Lease, else 0.")
requests_known = gauge(
    "daypass_requests",
    "AccessRequests by the reason of their condition Ready.",
    "reason",
)
decisions = counter("daypass_decisions_total", "Changes of a request's state, by the reason of Ready.", "reason")
reconcile_duration = histogram("daypass_reconcile_duration_seconds", "Time to reconcile one request.")
reconcile_failures = counter(
    "daypass_reconcile_failures_total",
    "Reconciles that could not finish and are tried again, by kind of error.",
    "error",
)
queue_length = gauge("daypass_queue_length", "Requests that wait for a reconcile.")
grant_duration = histogram(
    "daypass_grant_duration_seconds",
    "Time from the last review that was needed to the RoleBinding.",
)
grant_end_lateness = histogram(
    "daypass_grant_end_lateness_seconds",
    "How long after its deadline a grant was removed by the controller.",
    buckets=LATENESS,
)
grants_active = gauge("daypass_grants_active", "Requests whose access is given at this moment.")
bindings_overdue = gauge(
    "daypass_bindings_overdue",
    "RoleBindings of grants that are there a second or more after their end: must be 0.",
)
held_pods = gauge("daypass_held_pods", "Pods that wait with our scheduling gate for a request to be approved.")
pods_released = histogram(
    "daypass_pod_release_duration_seconds",
    "Time from the moment at which a held pod's request was found approved to its scheduling gate taken off.",
)
holds_lost = counter(
    "daypass_holds_lost_total",
    "Held pods whose scheduling gate somebody else took off: must be 0.",
)
uses_settled = counter(
    "daypass_uses_settled_total",
    "Uses of approved requests that admission reserved, by result: confirmed or returned.",
    "result",
)
pods_evicted = counter(
    "daypass_pods_evicted_total",
    "Pods to be evicted because their request had ended, by result: evicted or refused (and tried again).",
    "result",
)
gates_not_in_force = gauge(
    "daypass_gates_not_in_force",
    "Policies whose gate is not in the webhook configurations; their condition Ready says why: must be 0.",
)
gates_restored = counter(
    "daypass_gates_restored_total",
    "Webhook configurations of the gates that somebody changed or deleted and that were restored, by configuration.",
    "configuration",
)
events_dropped = counter("daypass_events_dropped_total", "Events that were not published.")

# The webhook
admission_reviews = counter(
    "daypass_admission_reviews_total",
    "Admission reviews answered, by resource and decision.",
    "resource",
    "decision",
)
admission_duration = histogram(
    "daypass_admission_duration_seconds",
    "Time to answer an admission review, by resource.",
    "resource",
)
gate_decisions = counter(
    "daypass_gate_decisions_total",
    "Answers about pods and operations that gates concern, by mode and outcome; the API server asks for each policy.",
    "mode",
    "outcome",
)
certificate_expiry = gauge(
    "daypass_certificate_expiry_timestamp_seconds",
    "When the serving certificate ends, seconds since the epoch.",
)


def markdown() -> str:
    """The table as ``docs/metrics.md`` holds it."""
    head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{line.name}` | {line.kind} | {', '.join(f'`{label}`' for label in line.labels)} | {line.text} |\n"
        for line in table
    )


ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
