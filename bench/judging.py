"""P3 at admission: how long the gates take to decide on a pod, with 10, 100 and 1,000 policies.

The policies are those of ``estate.py``, each with a gate: four of them look at the pod in question, one of which only
records what breaks the Restricted profile. It is the decision by itself, from the call as it was read to the answer;
reading and writing JSON is what ``P2`` measures too.
"""

import statistics
from collections.abc import Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass
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
LOOPS = 500


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


@dataclass(frozen=True, slots=True)
class Took:
    """Microseconds of processor time, as means of many in each run."""

    reading: list[float]
    """Until what gates find in the pod, what it runs and its digest are known."""
    deciding: list[float]
    """From there to the answer; nothing where gates find nothing."""


def took(decide: Decide, call: Call, wanted: str) -> Took:
    """How long a pod takes that is to be answered so."""
    runs = [_run(decide, call, wanted) for _ in range(RUNS)]
    return Took([reading for reading, _ in runs], [deciding for _, deciding in runs])


def figures() -> Iterable[Figure]:
    """The lines of the table."""
    doors = {count: _gate(count) for count in (10, 100, 1000)}
    few, hundred, thousand = (took(door, _call(), "NotGated").reading for door in doors.values())
    yield from _lines("a pod in which gates find nothing", few, hundred, thousand)
    for what, path, wanted in (
        ("that an approved request covers", PATH, "Covered"),
        ("that is refused", "/etc", "Refused"),
    ):
        all_of_it = [took(door, _call(path), wanted) for door in doors.values()]
        yield from _lines(f"a pod {what}, once it is read", *(one.deciding for one in all_of_it))
        yield Figure("P3", f"to read a pod {what}: privileges, digest, what it runs", text_of(all_of_it[1].reading), "")


def _lines(what: str, few: list[float], hundred: list[float], thousand: list[float]) -> Iterable[Figure]:
    ratio = statistics.median(thousand) / statistics.median(few)
    flat = f"{text_of(thousand)}: {ratio:.2f} times 10 policies ({statistics.median(few):.1f} µs)"
    met = statistics.median(hundred) <= 100
    yield Figure("P3", f"gates on {what}, 100 policies", text_of(hundred), "≤ 100 µs", met)
    yield Figure("P3", f"gates on {what}, 1,000 policies", flat, "≤ 2 times", ratio <= 2)


def _run(decide: Decide, call: Call, wanted: str) -> tuple[float, float]:
    reading = deciding = 0.0
    for _ in range(LOOPS):
        started = process_time()
        answer = decide(call)
        read = process_time()
        decided = answer if isinstance(answer, Answer) else _decided(answer)
        deciding += process_time() - read
        reading += read - started
        assert decided.decision == wanted, decided
    return reading / LOOPS * 1e6, deciding / LOOPS * 1e6


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


def _decided(answer: Coroutine[Any, Any, Answer]) -> Answer:
    """A decision that waits for nothing."""
    try:
        answer.send(None)
    except StopIteration as done:
        return cast("Answer", done.value)
    answer.close()
    raise AssertionError("it waits for something")
