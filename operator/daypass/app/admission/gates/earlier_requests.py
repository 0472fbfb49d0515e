"""What a caller is told of a request that is there already."""

from dataclasses import dataclass
from typing import Final

from daypass.domain.conditions import State, state_of
from daypass.domain.plain_text import shortened
from daypass.domain.request import Request
from daypass.domain.wording import fate

LONGEST_WORD: Final = 110
"""Of what was said with a denial, so that the way out has room behind it."""
_WAITING: Final = "Waiting for "


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of asking for the same before."""

    told: str = ""
    waits: bool = False
    """Whether an answer may still come, so that there is nothing to ask for."""


def standing(request: Request) -> str:
    """How a request stands, as a part of a sentence."""
    state, ready = state_of(request.record), request.record.condition("Ready")
    told = ready.message.removesuffix(".") if ready is not None else ""
    if state is None:
        return f"request {request.name} was made and is being looked at: {_command('get', request)}"
    if state is State.AWAITING_APPROVAL and told.startswith(_WAITING):
        return f"request {request.name} waits for {told.removeprefix(_WAITING)}"
    return f"request {request.name} {fate(state, shortened(told, LONGEST_WORD) if state is State.DENIED else told)}"


def refused_for_good(request: Request) -> str:
    """How a denied request stands, and what can be done about it."""
    cure = f"change what it is about or have it deleted: {_command('delete', request)}"
    return f"{standing(request)}; to be asked again, {cure}"


def _command(verb: str, request: Request) -> str:
    return f"kubectl {verb} areq {request.name} -n {request.namespace}"
