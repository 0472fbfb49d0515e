"""What a caller, or whoever reads a Job's events, is told of a pod that needs an approved request."""

import shlex
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from daypass.app.admission.answer import MAX_WARNING
from daypass.domain.gates import Demand, needed
from daypass.domain.plain_text import escaped, shortened
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import GateMode, OnMissing
from daypass.domain.privileges import places

MAX_MESSAGE: Final = 825
"""With what the API server and a Job's controller put before it, an Event's 1,024 characters hold it."""
_MOST_POLICIES: Final = 4
_MOST_PRIVILEGES: Final = 400
"""Characters for the privileges and where they are."""
_LEAST_PRIVILEGES: Final = 16
"""Characters that privileges keep in a warning before its policy goes."""
_LONGEST_NAME: Final = 40
_BRIEFER: Final = (MAX_MESSAGE // 5, MAX_MESSAGE // 16)
"""Characters for the privileges, and for what else is told, where room is needed for a request."""
_BY_HAND: Final = ". To ask: kubectl explain accessrequest.spec.workload"
_FATES: Final = {
    (GateMode.ENFORCE, OnMissing.HOLD): "wait for an approval of",
    (GateMode.ENFORCE, OnMissing.DENY): "need an approved request for",
    (GateMode.WARN, OnMissing.HOLD): "would wait for an approval of",
    (GateMode.WARN, OnMissing.DENY): "would be refused without an approved request for",
}
"""What becomes of pods; where a gate only warns, what would."""


def refusal(facts: PodFacts, demands: Sequence[Demand], told: str, pastes: Iterable[str]) -> str:
    """Why a pod is refused: what it uses where, who asks for an approval, and how to get one.

    ``told`` is what became of asking, or why what is approved does not cover it; ``pastes`` are requests that would
    help, each in one line, the best first. The first for which there is room is shown, none is ever cut, and where there
    is no room it is said where to read how to ask. What is not needed is not put into words.
    """
    subject, wanted, asking = _subject(facts), needed(demands), _asking(demands)

    def text(used: str, limit: int) -> str:
        return "; ".join(filter(None, (f"{subject} uses {used}: {asking}", shortened(escaped(told), limit))))

    def brief(limit: int) -> str:
        return text(_listed(wanted, limit), limit)

    whole = text(_places(facts, wanted), MAX_MESSAGE * 2 // 5)
    hint = ""
    for hint in map(to_ask, pastes):
        for said in chain((whole,), map(brief, _BRIEFER)):
            if len(said) + len(hint) + 2 <= MAX_MESSAGE:
                return f"{said}. {hint}"
    if not hint:
        return shortened(whole, MAX_MESSAGE)
    return f"{shortened(brief(_BRIEFER[0]), MAX_MESSAGE - len(_BY_HAND))}{_BY_HAND}"


def to_ask(paste: str) -> str:
    """The command that makes a request of one line, for a shell."""
    return f"To ask: echo {shlex.quote(paste)} | kubectl create -f -"


def unholdable(facts: PodFacts, demands: Sequence[Demand], why: str) -> str:
    """Why a pod that should wait for an approval can't, and so is refused."""
    text = f"{_subject(facts)} uses {_places(facts, needed(demands))}: {_asking(demands)}, and it can't wait for that"
    return shortened(f"{text}: {why}", MAX_MESSAGE)


def early(demands: Iterable[Demand], whose: str, unless: str = "") -> tuple[str, ...]:
    """What the maker of a workload, such as ``Job report``, is told, a line for each policy that does more than record.

    ``unless`` is a request that covers its pods if they run what it is for.
    """
    who = f"its pods, unless {_short(unless)} is for them," if unless else "its pods"
    return tuple(
        _line(f"{_short(whose)}: {who} {_FATES[demand.by.mode, demand.by.gate.on_missing]}", demand)
        for demand in demands
        if demand.by.mode is not GateMode.AUDIT
    )


def told_below(whose: str, kind: str, namespace: str) -> str:
    """Where the maker of a workload reads why its pods are refused, and how to ask: not in its own events."""
    text = f"{_short(whose)}: see the events of its {kind} for how to ask: kubectl get events -n {namespace}"
    return _cut(text, MAX_WARNING)


def warnings(demands: Iterable[Demand], facts: PodFacts) -> tuple[str, ...]:
    """What the maker of a pod is told where a gate only warns."""
    return tuple(
        _line(f"{_short(_pod(facts))}: {_FATES[GateMode.WARN, demand.by.gate.on_missing]}", demand)
        for demand in demands
    )


def held(request: str, facts: PodFacts, demands: Sequence[Demand]) -> str:
    """What the maker of a held pod is told: for what it waits, and for which request."""
    start = f"{_short(_pod(facts))}: held until {request or 'a request'} is approved for"
    return _fitted(start, needed(demands), policies(demands))


def policies(demands: Iterable[Demand]) -> str:
    """The names of the policies, such as ``a, b``."""
    names = list(dict.fromkeys(demand.by.policy for demand in demands))
    more = f" and {len(names) - _MOST_POLICIES} more" if len(names) > _MOST_POLICIES else ""
    return ", ".join(names[:_MOST_POLICIES]) + more


def _asking(demands: Sequence[Demand]) -> str:
    several = len({demand.by.policy for demand in demands}) > 1
    return f"{'policies' if several else 'policy'} {policies(demands)} {'want' if several else 'wants'} an approved request for that"


def _subject(facts: PodFacts) -> str:
    owner = f" of {facts.owner.kind} {facts.owner.name}" if facts.owner is not None else ""
    return shortened(escaped(f"pod {facts.name or '(unnamed)'}{owner} in {facts.namespace}"), MAX_MESSAGE // 5)


def _places(facts: PodFacts, wanted: Sequence[str]) -> str:
    return _listed([_placed(text, where) for text, where in places(facts.findings, wanted).items()], _MOST_PRIVILEGES)


def _placed(privilege: str, paths: Sequence[str]) -> str:
    if not paths:
        return privilege
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{privilege} ({paths[0]}{more})"


def _listed(texts: Sequence[str], limit: int) -> str:
    """As many whole entries as there is room for, and how many more there are."""
    shown: list[str] = []
    for number, text in enumerate(texts):
        room = limit - sum(map(len, shown)) - 2 * len(shown)
        if shown and len(text) > room:
            return f"{', '.join(shown)} and {len(texts) - number} more"
        shown.append(shortened(escaped(text), limit))
    return ", ".join(shown)


def _line(text: str, demand: Demand) -> str:
    return _fitted(text, demand.privileges, demand.by.policy)


def _fitted(text: str, privileges: Sequence[str], policy: str) -> str:
    """A warning with its privileges, as far as they fit, and with its policy where there is room for that as well."""
    end = f" (policy {policy})"
    wanted = escaped(", ".join(privileges))
    room = MAX_WARNING - len(text) - 1
    if room - len(end) >= min(len(wanted), _LEAST_PRIVILEGES):
        return f"{text} {_cut(wanted, room - len(end))}{end}"
    return _cut(f"{text} {wanted}", MAX_WARNING)


def _pod(facts: PodFacts) -> str:
    return f"pod {facts.name}" if facts.name else "the pod"


def _short(name: str) -> str:
    return _cut(escaped(name), _LONGEST_NAME)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
