"""What admission is asked and what it answers: one call to the API server, one verdict with its reason."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from daypass.app.ports import Json
from daypass.domain import names
from daypass.domain.identity import Identity

FORBIDDEN: Final = 403
INVALID: Final = 422
CONFLICT: Final = 409
UNAVAILABLE: Final = 503

NOT_GATED: Final = "NotGated"
"""The decision about what no gate concerns."""
COVERED: Final = "Covered"
"""The decision about what an approved request covers."""
UNCOVERED: Final = "Uncovered"
"""The decision about what none covers, and gates only warn of or record."""
UNDECIDED: Final = "CouldNotDecide"
"""The decision about what nobody can tell: refused where a gate enforces (T11)."""

MAX_WARNING: Final = 120
"""Characters; the API server cuts longer warnings, and readers stop there too."""


class Operation(Enum):
    """What the caller does to the object."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the API server shows it to admission: who, what, and the object before and after.

    ``caller`` is authenticated (T06); ``old`` is what is stored, which alone decides about rights (T05).
    """

    operation: Operation
    resource: str
    """Plural with the subresource, such as ``accessrequests/status``."""
    caller: Identity
    name: str = ""
    """Empty where the API server is yet to make it (``generateName``)."""
    namespace: str = ""
    """Empty for objects of the whole cluster."""
    object: Json | None = None
    """On CONNECT the options of the call; None on DELETE."""
    old: Json | None = None
    dry_run: bool = False
    group: str = names.GROUP
    """API group of the resource; empty for the core group."""

    @property
    def plural(self) -> str:
        """The resource without its subresource."""
        return self.resource.partition("/")[0]

    @property
    def subresource(self) -> str:
        """The subresource, or empty."""
        return self.resource.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the call goes on, why not, and what admission changes of its object (RFC 6902 operations)."""

    allowed: bool
    decision: str
    """CamelCase, for metrics and audit annotations: ``Allowed``, ``Stamped``, ``SelfApproval`` and so on."""
    message: str = ""
    code: int = 200
    patch: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


Decide: TypeAlias = Callable[[Call], Answer | Coroutine[Any, Any, Answer]]
"""Who decides: at once, or after having asked the API server; either raises where it can't decide.

What is decided at once must stay the rule: a coroutine should hold what it needs of a call and not the call, for
objects are large and many calls may wait.
"""


def allow(decision: str = "Allowed", **annotations: str) -> Answer:
    """Let the call go on as it is."""
    return Answer(allowed=True, decision=decision, annotations=annotations)


def refuse(decision: str, message: str, code: int = FORBIDDEN) -> Answer:
    """Stop the call, with a sentence on which a person can act."""
    return Answer(allowed=False, decision=decision, message=message, code=code)
