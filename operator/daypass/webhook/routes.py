"""Who decides which call: the four doors of admission and the use case behind each resource."""

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from daypass.app.admission.answer import INVALID, NOT_GATED, UNDECIDED, Answer, Call, Decide, Operation, refuse
from daypass.app.admission.guard_policy import PolicyGuarding, guard_policy
from daypass.app.admission.guard_request import Guarding, guard_request
from daypass.app.admission.guard_status import guard_status
from daypass.app.admission.review import Reviewing, record
from daypass.app.admission.stamp import stamp
from daypass.app.ports import WORKLOADS, Verifier
from daypass.domain.names import GROUP

REQUESTS: Final = "accessrequests"
STATUS: Final = "accessrequests/status"
POLICIES: Final = "approvalpolicies"
POD: Final = ("", "pods")
CONNECTIONS: Final = frozenset({"pods/exec", "pods/attach", "pods/portforward"})
POD_CHANGES: Final = frozenset({"pods", "pods/ephemeralcontainers", "pods/resize"})
WRITES: Final = (Operation.CREATE, Operation.UPDATE)
RESOURCES: Final = (
    frozenset({REQUESTS, STATUS, POLICIES}) | CONNECTIONS | POD_CHANGES | {one.plural for one in WORKLOADS}
)
"""What metrics tell apart."""

_LOGGED: Final = "could not decide"
_Slow = Coroutine[Any, Any, Answer]

log = structlog.get_logger(__name__)


def mutating(reviewing: Reviewing) -> Decide:
    """The door where admission changes objects: it stamps requests and records reviews."""
    return _door({REQUESTS: stamp, STATUS: lambda call: record(call, reviewing)}.get)


def validating(guarding: Guarding, policies: PolicyGuarding, verifier: Verifier) -> Decide:
    """The door where admission judges the final object."""
    return _door(
        {
            REQUESTS: lambda call: guard_request(call, guarding),
            STATUS: lambda call: guard_status(call, guarding.controller, verifier),
            POLICIES: lambda call: guard_policy(call, policies),
        }.get
    )


@dataclass(frozen=True, slots=True)
class Gates:
    """Who decides what at the gates."""

    pods: Decide
    """Pods that are made."""
    updates: Decide
    """Pods that are changed, by whatever subresource."""
    connections: Decide
    """exec, attach and port-forward; what gates say of these as operations too."""
    actions: Decide
    """Every operation, those above too but for connections."""


def gates(use_cases: Gates) -> Decide:
    """The door of the gates, behind which nothing is changed or signed."""
    cases: dict[tuple[str, str, Operation], Decide] = {
        (*POD, Operation.CREATE): _both(use_cases.pods, use_cases.actions),
        **{("", each, Operation.UPDATE): _both(use_cases.updates, use_cases.actions) for each in POD_CHANGES},
        **{("", each, Operation.CONNECT): use_cases.connections for each in CONNECTIONS},
    }
    return _guarded(lambda call: cases.get((call.group, call.resource, call.operation), use_cases.actions)(call))


@dataclass(frozen=True, slots=True)
class Holds:
    """Who changes what at the gates."""

    pods: Decide
    """Holds pods that are made."""
    workloads: Decide
    """Stamps the authors of what makes pods, and says early what those will need."""


def holds(use_cases: Holds) -> Decide:
    """The door where pods are held and authors are stamped."""
    cases: dict[tuple[str, str, Operation], Decide] = {
        (*POD, Operation.CREATE): use_cases.pods,
        **{(each.group, each.plural, how): use_cases.workloads for each in WORKLOADS for how in WRITES},
    }
    return _guarded(lambda call: cases.get((call.group, call.resource, call.operation), _unexpected)(call))


def _door(cases: Callable[[str], Decide | None]) -> Decide:
    def decide(call: Call) -> Answer | _Slow:
        case = cases(call.resource) if call.group == GROUP else None
        return _unexpected(call) if case is None else case(call)

    return _guarded(decide)


def _unexpected(call: Call) -> Answer:
    # Fail closed: a configuration that sends what nobody here decides is wrong; letting it pass would hide that.
    what = call.resource if call.group == GROUP else f"{call.resource}.{call.group}"
    return refuse("UnexpectedCall", f"Daypass decides nothing about {what} here", INVALID)


def _both(first: Decide, second: Decide) -> Decide:
    """Both must let the call go on; what the second would have to wait for is not begun once the first refuses."""

    def decide(call: Call) -> Answer | _Slow:
        one = first(call)
        if isinstance(one, Answer) and not one.allowed:
            return one
        try:
            other = second(call)
        except BaseException:
            _drop(one)
            raise
        if isinstance(one, Answer) and isinstance(other, Answer):
            return _together(one, other)
        return _Around(joined(one, other), *(each for each in (one, other) if not isinstance(each, Answer)))

    async def joined(one: Answer | _Slow, other: Answer | _Slow) -> Answer:
        try:
            before = one if isinstance(one, Answer) else await one
        except BaseException:
            _drop(other)
            raise
        if not before.allowed:
            _drop(other)
            return before
        return _together(before, other if isinstance(other, Answer) else await other)

    return decide


def _together(one: Answer, other: Answer) -> Answer:
    if not other.allowed:
        return other
    if other.decision == NOT_GATED and not other.annotations and not other.warnings:
        return one
    decision = one.decision if other.decision == NOT_GATED else other.decision
    told = {**one.annotations, **other.annotations}
    return replace(one, decision=decision, annotations=told, warnings=(*one.warnings, *other.warnings))


def _drop(answer: Answer | _Slow) -> None:
    """Let go of what was never begun; Python would complain of it."""
    if not isinstance(answer, Answer):
        answer.close()


class _Around(Coroutine[Any, Any, Answer]):
    """A coroutine that awaits others: closed before it began, it closes them, of which Python would complain too."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, outer: _Slow, *inner: _Slow) -> None:
        self._outer, self._inner = outer, inner

    def __await__(self) -> Generator[Any, Any, Answer]:
        return self._outer.__await__()

    def send(self, value: Any) -> Any:  # noqa: ANN401 - as a coroutine takes and gives it
        return self._outer.send(value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401 - likewise
        return self._outer.throw(*error)

    def close(self) -> None:
        self._outer.close()
        for one in self._inner:
            one.close()


def _guarded(decide: Decide) -> Decide:
    def guarded(call: Call) -> Answer | _Slow:
        try:
            answer = decide(call)
        except Exception:
            log.exception(_LOGGED, resource=call.resource, operation=call.operation.value)
            return _undecided()
        if isinstance(answer, Answer):
            return answer
        return _Around(waited(answer, call.resource, call.operation), answer)

    async def waited(answer: _Slow, resource: str, operation: Operation) -> Answer:
        try:
            return await answer
        except Exception:
            log.exception(_LOGGED, resource=resource, operation=operation.value)
            return _undecided()

    return guarded


def _undecided() -> Answer:
    # Fail closed: an error means "could not decide", and what is not decided does not happen (T11).
    return refuse(UNDECIDED, "Daypass could not decide on this call; its log says why", 500)
