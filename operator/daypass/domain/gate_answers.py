"""Decides what of a gate nobody could ever answer, or whom it takes for an agent unawares: warnings, for people.

Answers may be in policies elsewhere, so nothing here is refused.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from daypass.domain import globs, names, privileges
from daypass.domain.policy import ActionPattern, Effect, OnMissing, Policy, WorkloadGate
from daypass.domain.violations import Violation

_TICKET: Final = re.compile(r"\brequest\s*\.\s*ticket\b")
_WORKLOADS: Final = "spec.gate.workloads"


def warnings(policy: Policy, others: Iterable[Policy]) -> tuple[Violation, ...]:
    """What an author should know of a gate beside the other policies.

    Rule: each privilege (a profile's controls one by one) and each operation needs an Allow policy that speaks of it in
    a namespace of the gate; where Daypass makes the requests, one that can match what it makes. A narrower bound than
    the gate is no mistake. Agents that are a group are told, for that is more than it seems.
    """
    gate = policy.gate
    if gate is None:
        return ()
    allowing = [one for one in (policy, *others) if one.effect is Effect.ALLOW and one.match.grants is not None]
    found: list[Violation] = []
    if gate.workloads is not None:
        near = [one for one in allowing if _share_namespace(one, gate.workloads.namespaces)]
        found += _privileges(gate.workloads, near)
        found += _agents(gate.workloads)
    for at, action in enumerate(gate.actions):
        path = f"spec.gate.actions[{at}]"
        answers = [one for one in allowing if _lists(one, action.pattern)]
        if not answers:
            what = f"{', '.join(action.pattern.verbs)} {', '.join(action.pattern.resources)}"
            found.append(Violation(path, _nobody(what)))
        elif action.request and all(map(_wants_ticket, answers)):
            found.append(Violation(path, _only(answers, _TICKETLESS)))
    return tuple(found)


_TICKETLESS: Final = (
    "wants a ticket, and the requests that Daypass makes carry none: leave out the ticketPattern and conditions on"
    " request.ticket"
)
_GROUPLESS: Final = (
    "names requesters by group, and the groups of a workload's author are not known: name users or ServiceAccounts, or"
    " leave match.requesters out"
)


def _privileges(gate: WorkloadGate, allowing: Sequence[Policy]) -> Iterator[Violation]:
    unmatched: dict[str, list[Policy]] = {}
    for at, pattern in enumerate(gate.privileges):
        parts = sorted(privileges.PROFILES.get(pattern, (pattern,)))
        answers = {part: [one for one in allowing if _grants(one, part)] for part in parts}
        lacking = [part for part in parts if not answers[part]]
        if lacking:
            what = pattern if len(lacking) == len(parts) else f"{', '.join(lacking)} (of {pattern})"
            yield Violation(f"{_WORKLOADS}.privileges[{at}]", _nobody(what))
        unmatched |= {part: found for part, found in answers.items() if found and not any(map(_matches_made, found))}
    if unmatched and (gate.request or gate.on_missing is OnMissing.HOLD):
        answering = list(dict.fromkeys(one.name for found in unmatched.values() for one in found))
        concerned = [one for one in allowing if one.name in answering]
        for reason, applies in ((_GROUPLESS, _names_groups_alone), (_TICKETLESS, _wants_ticket)):
            those = [one for one in concerned if applies(one)]
            if those:
                yield Violation(_WORKLOADS, _only(those, reason))


def _agents(gate: WorkloadGate) -> Iterator[Violation]:
    for at, one in enumerate(gate.agents or ()):
        if one.kind == "Group" and one.name != names.ALL_ACCOUNTS and not one.name.startswith(f"{names.ALL_ACCOUNTS}:"):
            yield Violation(
                f"{_WORKLOADS}.agents[{at}]",
                f"the groups of whoever made a workload are not known when its pods come, so every person who made one"
                f" is taken for a member of {one.name}: name users or ServiceAccounts to gate them alone",
            )


def _only(policies: Iterable[Policy], reason: str) -> str:
    named = ", ".join(dict.fromkeys(one.name for one in policies))
    return f"the requests that Daypass makes for it can't be approved: {named} {reason}"


def _nobody(what: str) -> str:
    return f"no Allow policy here lets anybody ask for {what}: what the gate stops could never be approved"


def _matches_made(policy: Policy) -> bool:
    return not _names_groups_alone(policy) and not _wants_ticket(policy)


def _names_groups_alone(policy: Policy) -> bool:
    requesters = policy.match.requesters
    return bool(requesters) and all(one.kind == "Group" for one in requesters or ())


def _wants_ticket(policy: Policy) -> bool:
    return policy.limits.ticket_pattern is not None or any(
        _TICKET.search(one.expression) for one in policy.match.conditions
    )


def _grants(policy: Policy, privilege: str) -> bool:
    listed = () if policy.match.grants is None else policy.match.grants.privileges
    return any(privileges.overlaps(one, privilege) for one in listed)


def _lists(policy: Policy, gated: ActionPattern) -> bool:
    listed = () if policy.match.grants is None else policy.match.grants.actions
    return any(_share_operation(gated, one) for one in listed)


def _share_namespace(policy: Policy, gated: Sequence[str]) -> bool:
    allowed = policy.match.namespaces
    return allowed is None or any(globs.intersect_freely(one, other) for one in allowed for other in gated)


def _share_operation(gated: ActionPattern, granted: ActionPattern) -> bool:
    return (
        any(verb in granted.verbs for verb in gated.verbs)
        and ("*" in granted.groups or any(group in granted.groups for group in gated.groups))
        and any(globs.intersect_freely(one, other) for one in gated.resources for other in granted.resources)
    )
