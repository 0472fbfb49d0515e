"""P3 at admission: how long the gates take to decide on a pod, with 10, 100 and 1,000 policies.

The policies are those of ``estate.py``, each with a gate: four of them look at the pod in question, one of which only
records what breaks the Restricted profile. It is the decision by itself, from the call as it was read to the answer;
reading and writing JSON is what ``P2`` measures too.
"""

import statistics
import timeit
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from time import process_time
from typing import Any, cast

from bench import estate, samples
from bench.decide import text_of
from bench.figures import Figure
from daypass.app.admission.answer import Answer, Call, Decide
from daypass.domain.gates import GateIndex
from daypass.domain.policy import Policy, RiskLevel
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import Request
from daypass.domain.review import Review
from daypass.signing.canonical import canonical_json
from daypass.signing.reviews import ReviewVerifier
from daypass.webhook.calls import call_from
from daypass.webhook.decoding import decode
from daypass.webhook.gating import Gating, gate_doors
from daypass.webhook.known import slim_request

NEVER = frozenset({"kube-system", "daypass-system"})
NAMESPACE = "shop-0"
PATH = "/var/log/7"
"""Request 7 of the estate is for pods that mount it."""
RUNS = 5
LOOPS = 1000


class Known:
    """What the webhook knows, without watches; 100 requests of the pod's own namespace among it."""

    def __init__(self, count: int) -> None:
        keys = estate.Keys()
        self._policies = PolicySet(estate.as_values(estate.policies(count)))
        self._gates = GateIndex(self._policies, NEVER)
        found = [slim_request(body) for body in estate.requests(100, 1, keys)]
        self._permits = [one for one in found if one.permits]
        self._verifier = ReviewVerifier({keys.id: keys.public})

    def policies(self) -> PolicySet:
        """All."""
        return self._policies

    def policy(self, name: str) -> Policy | None:
        """By name."""
        return self._policies.find(name)

    def pod_gates(self) -> GateIndex:
        """By namespace."""
        return self._gates

    def unreadable_gates(self) -> Sequence[str]:
        """None."""
        return ()

    def permits(self, _namespace: str) -> Sequence[Request]:
        """Those that may cover something."""
        return self._permits

    def account_power(self, _namespace: str, _name: str) -> RiskLevel:
        """Little."""
        return RiskLevel.LOW

    def genuine(self, review: Review) -> bool:
        """By its signature."""
        return self._verifier.genuine(review)

    def keys(self) -> Hashable:
        """Always the same."""
        return self._verifier

    def now(self) -> datetime:
        """The host's."""
        return datetime.now(UTC)


def microseconds(decide: Decide, call: Call, wanted: str) -> list[float]:
    """One decision, as the mean of many in each run, in processor time."""
    assert _decided(decide, call).decision == wanted
    timer = timeit.Timer(lambda: _decided(decide, call), timer=process_time)
    return [seconds / LOOPS * 1e6 for seconds in timer.repeat(RUNS, LOOPS)]


def figures() -> Iterable[Figure]:
    """The lines of the table."""
    calls = {
        "in which gates find nothing": (_call(), "NotGated"),
        "that an approved request covers": (_call(PATH), "Covered"),
        "that is refused": (_call("/etc"), "Refused"),
    }
    doors = {count: _gate(count) for count in (10, 100, 1000)}
    for what, (call, wanted) in calls.items():
        few, hundred, thousand = (microseconds(doors[count], call, wanted) for count in (10, 100, 1000))
        ratio = statistics.median(thousand) / statistics.median(few)
        flat = f"{text_of(thousand)}: {ratio:.2f} times 10 policies ({statistics.median(few):.1f} µs)"
        first = f"gates on a pod {what}"
        yield Figure("P3", f"{first}, 100 policies", text_of(hundred), "≤ 100 µs", statistics.median(hundred) <= 100)
        yield Figure("P3", f"{first}, 1,000 policies", flat, "≤ 2 times", ratio <= 2)


def _gate(count: int) -> Decide:
    known: Any = Known(count)
    nothing = cast("Any", None)  # on a dry run nothing is read or written
    needs = Gating(known, nothing, canonical_json, known, NEVER, frozenset({"daypass"}), lambda _mode, _outcome: None)
    return gate_doors(needs)[0]


def _call(*paths: str) -> Call:
    volumes = [{"name": "node", "hostPath": {"path": path, "type": ""}} for path in paths]
    pod = samples.pod(NAMESPACE, *volumes, owned=not paths)
    caller = "alice" if paths else samples.REPLICA_SETS
    return call_from(decode(samples.review(pod, caller, dry_run=True)))[1]


def _decided(decide: Decide, call: Call) -> Answer:
    """A decision that waits for nothing."""
    answer = decide(call)
    if isinstance(answer, Answer):
        return answer
    try:
        answer.send(None)
    except StopIteration as done:
        return cast("Answer", done.value)
    answer.close()
    raise AssertionError("it waits for something")
