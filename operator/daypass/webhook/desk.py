"""Who decides which call: the two doors of admission and the use case behind each resource."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import structlog

from daypass.app.admission.answer import INVALID, Answer, Call, refuse
from daypass.app.admission.guard_policy import PolicyGuarding, guard_policy
from daypass.app.admission.guard_request import Guarding, guard_request
from daypass.app.admission.guard_status import guard_status
from daypass.app.admission.review import Reviewing, record
from daypass.app.admission.stamp import stamp
from daypass.app.ports import Verifier

Decide: TypeAlias = Callable[[Call], Answer]

REQUESTS: Final = "accessrequests"
STATUS: Final = "accessrequests/status"
POLICIES: Final = "approvalpolicies"
RESOURCES: Final = frozenset({REQUESTS, STATUS, POLICIES})

log = structlog.get_logger(__name__)


def mutating(reviewing: Reviewing) -> Decide:
    """The door where admission changes objects: it stamps requests and records reviews."""
    return _door({REQUESTS: stamp, STATUS: lambda call: record(call, reviewing)})


def validating(guarding: Guarding, policies: PolicyGuarding, verifier: Verifier) -> Decide:
    """The door where admission judges the final object."""
    return _door(
        {
            REQUESTS: lambda call: guard_request(call, guarding),
            STATUS: lambda call: guard_status(call, guarding.controller, verifier),
            POLICIES: lambda call: guard_policy(call, policies),
        }
    )


def _door(cases: Mapping[str, Decide]) -> Decide:
    def decide(call: Call) -> Answer:
        case = cases.get(call.resource)
        if case is None:
            # Fail closed: a configuration that sends what nobody here decides is wrong; letting it pass would hide that.
            return refuse("UnexpectedCall", f"Daypass decides nothing about {call.resource} here", INVALID)
        try:
            return case(call)
        except Exception:
            # Fail closed: an error means "could not decide", and what is not decided does not happen (T11).
            log.exception("could not decide", resource=call.resource, operation=call.operation.value)
            return refuse("CouldNotDecide", "Daypass could not decide on this call; its log says why", 500)

    return decide
