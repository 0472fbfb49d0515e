"""P3 at admission: how long the gates take to decide on a pod, with 10, 100 and 1,000 policies.

The policies are those of ``estate.py``, each with a gate: four of them look at the pod in question, one of which only
records what breaks the Restricted profile. It is the decision by itself, from the call as it was read to the answer;
reading and writing JSON is what ``P2`` measures too.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any, cast

import trustme

from bench import estate, samples
from bench.decide import text_of
from bench.figures import Figure
from bench.paper import PaperServer, account
from daypass.app.admission.answer import Answer, Call, Decide
from daypass.kube.client import Client
from daypass.kube.clock import ServerClock
from daypass.kube.connection import in_cluster
from daypass.signing.canonical import canonical_json
from daypass.webhook.calls import call_from
from daypass.webhook.decoding import decode
from daypass.webhook.gating import Gating, gate_doors
from daypass.webhook.known import Known

NEVER = frozenset({"kube-system", "daypass-system"})
NAMESPACE = "shop-0"
PATH = "/var/log/7"
"""Request 7 of the estate is for pods that mount it."""
RUNS = 5
LOOPS = 500


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
    started = process_time()
    answers = [decide(call) for _ in range(LOOPS)]
    read = process_time()
    decided = [answer if isinstance(answer, Answer) else _decided(answer) for answer in answers]
    done = process_time()
    assert {one.decision for one in decided} == {wanted}, decided[0]
    return (read - started) / LOOPS * 1e6, (done - read) / LOOPS * 1e6


def _gate(count: int) -> Decide:
    known = asyncio.run(_informed(estate.policies(count)))
    nothing = cast("Any", None)  # on a dry run nothing is read or written
    own = frozenset({"daypass"})
    return gate_doors(Gating(known, nothing, canonical_json, ServerClock(), NEVER, own, lambda _mode, _outcome: None))[
        0
    ]


async def _informed(policies: list[estate.Json]) -> Known:
    """What the webhook knows once it has listed these policies, and 100 requests of the pod's namespace."""
    authority, keys = trustme.CA(), estate.Keys()
    server = PaperServer(estate.lists(policies, 100, 1, keys), {})
    with tempfile.TemporaryDirectory(prefix="daypass-bench-") as folder:
        files = account(Path(folder) / "account", authority)
        async with server.serving(authority), Client(in_cluster(files, server.url)) as client:
            known = Known(client, "daypass-system", NEVER)
            following = asyncio.create_task(known.follow())
            async with asyncio.timeout(30):
                while known.unsynced():  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.02)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    return known


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
