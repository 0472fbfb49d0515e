"""Decides what Daypass asks for by itself when it refuses or holds something, on whose behalf, and what is one cause."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from daypass.domain import names
from daypass.domain.authors import MAX_AUTHORS, Authors, is_known_controller
from daypass.domain.gates import ACCOUNT_POWER
from daypass.domain.identity import Identity
from daypass.domain.permits import ActionCall
from daypass.domain.plain_text import escaped
from daypass.domain.pod_facts import PodFacts
from daypass.domain.privileges import Finding, condensed, places
from daypass.domain.request import ActionGrant, WorkloadGrant

HASH_DIGITS: Final = 40
NAME_DIGITS: Final = 10
"""So that ``kubectl get`` fits a screen; where two causes share them, the second takes a number."""
MOST_LINES: Final = 64
"""What a request holds: of a pod, first where it uses what is asked for, then all that is said of what it runs."""
MOST_PARTIES: Final = 64
LONGEST_PARTY: Final = 1024
_GOING_IN: Final = {"exec": "exec into", "attach": "attach to", "portforward": "port-forward to"}
PODS_OF_AN_OWNER: Final = 100
"""What a request for an owner's pods asks for: an owner makes new ones when old ones fail."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What is missing, as the request that would help."""

    hash: str
    """Equal for all that one request would let through (T56)."""
    namespace: str
    requester: Identity
    grant: WorkloadGrant | ActionGrant
    summary: str
    """What is wanted in a few words."""
    reason: str
    """All facts, in the order in which a reader wants them; whatever strangers wrote of it is yet to be made plain text."""

    def name(self, number: int = 1) -> str:
        """The name of the request, and of those that follow it when it has ended without an answer."""
        name = f"{names.MADE_PREFIX}{self.hash[:NAME_DIGITS]}"
        return name if number == 1 else f"{name}-{number}"


def of_pod(pod: PodFacts, needed: Sequence[str]) -> Cause:
    """The cause of a pod that is not covered: one for all pods of an owner that run the same.

    Rule: a pod without an owner has its caller and its ServiceAccount in the place of one. The requester is who had a
    hand in it last: the caller, where that is no controller that only does what the owner says, or else the last author;
    where nobody is known, the ServiceAccount that the pods run as. Whoever makes a pod chooses its owner, so that those
    who are above it need not know of it (T69). What runs is pinned by its digest. With another author or requester it is
    another cause: who reviews must know for whom it is.
    """
    owner = pod.owner
    account = names.service_account_username(pod.namespace, pod.service_account)
    behind = [pod.caller.username, account] if owner is None else [owner.uid]
    privileges = condensed(needed)
    authors, requester = _behind(pod, account)
    what = f"a pod of ServiceAccount {pod.service_account}" if owner is None else f"{owner.kind} {owner.name}"
    by = f"made by {', '.join(authors)}" if authors else "nobody knows who made it"
    also = " and by others whom nobody knows" if pod.authors_unknown and authors else ""
    where = _places(pod.findings, needed, MOST_LINES - len(pod.runs))
    grant = WorkloadGrant(
        service_account_name=pod.service_account,
        privileges=privileges,
        pod_template_digest=pod.digest,
        max_pods=1 if owner is None else PODS_OF_AN_OWNER,
        owner=owner,
        authors=authors[-MAX_AUTHORS:],
        authors_unknown=pod.authors_unknown or len(authors) > MAX_AUTHORS,
        findings=(*where, *pod.runs),
    )
    summary = f"{what} in {pod.namespace} uses {', '.join(privileges)}"
    runs = f"; it runs {'; '.join(pod.runs)}" if pod.runs else ""
    whose = [sorted(authors), pod.authors_unknown, requester.username]
    cause = _hash("workload", pod.namespace, behind, pod.digest, sorted(needed), whose)
    return Cause(cause, pod.namespace, requester, grant, _capital(summary), _capital(f"{summary}, {by}{also}{runs}"))


def of_action(call: ActionCall, findings: Sequence[str] = ()) -> Cause:
    """The cause of an operation that is not covered: one for the same operation, content and caller."""
    grant = ActionGrant(
        verb=call.verb,
        group=call.group,
        resource=call.resource,
        subresource=call.subresource,
        name=call.name,
        object_digest=call.object_digest,
        findings=tuple(findings),
        parties=_storable(call.parties),
        party_groups=_storable(call.party_groups),
    )
    summary = f"{call.caller.username} wants to {operation_text(call)}"
    details = f": {'; '.join(findings)}" if findings else ""
    asked = [call.verb, call.group, call.resource, call.subresource, call.name]
    whom = [grant.parties, grant.party_groups]
    cause = _hash("action", call.namespace, call.caller.username, asked, call.object_digest, whom)
    return Cause(cause, call.namespace, call.caller, grant, summary, f"{summary}{details}")


def in_brief(cause: Cause) -> Cause:
    """What a request in fewer words would ask for: a pod's privileges without their values, and no list of them.

    Its digest pins what runs, so that nothing more is let through by that. What a ServiceAccount may do is not in the
    pod and may grow: that value stays.
    """
    if not isinstance(cause.grant, WorkloadGrant):
        return cause
    asked = cause.grant.privileges
    power = [one for one in asked if one in ACCOUNT_POWER]
    others = [one for one in asked if one not in ACCOUNT_POWER]
    grant = replace(cause.grant, privileges=(*condensed(others, 1), *power))
    return replace(cause, grant=grant, summary=cause.summary.partition(" uses ")[0])


def _storable(people: Sequence[str]) -> tuple[str, ...]:
    """Those whom a request can hold; at admission all of them are looked at again, whoever was left out here."""
    fit = [one for one in people if 0 < len(one) <= LONGEST_PARTY and escaped(one) == one]
    return tuple(fit[:MOST_PARTIES])


def operation_text(call: ActionCall) -> str:
    """What is done to what, such as ``update deployments.apps/scale checkout`` or ``exec into pod web``."""
    going_in = _GOING_IN.get(call.subresource)
    if (call.verb, call.group, call.resource) == ("connect", "", "pods") and going_in:
        return f"{going_in} pod {call.name}"
    return f"{call.verb} {resource_text(call.group, call.resource, call.subresource)} {call.name}"


def resource_text(group: str, resource: str, subresource: str) -> str:
    """A resource as kubectl spells it, such as ``deployments.apps/scale``."""
    full = f"{resource}.{group}" if group else resource
    return f"{full}/{subresource}" if subresource else full


def _behind(pod: PodFacts, account: str) -> tuple[tuple[str, ...], Identity]:
    """Everybody known who had a hand in a pod, the last one last, and on whose behalf it is asked for.

    Groups and uid are known of the caller alone.
    """
    caller = pod.caller
    if is_known_controller(caller.username):
        return pod.authors, Identity(pod.authors[-1] if pod.authors else account)
    return Authors(pod.authors).and_of(Authors((caller.username,))).usernames, caller


def _places(findings: Sequence[Finding], needed: Sequence[str], most: int) -> tuple[str, ...]:
    """Where a pod uses what is asked for, a line for each privilege; padding takes no room from what runs (T49)."""
    lines = [_place(privilege, where) for privilege, where in places(findings, needed).items()]
    if len(lines) <= most:
        return tuple(lines)
    return (*lines[: most - 1], f"and {len(lines) - most + 1} more privileges")


def _place(privilege: str, paths: Sequence[str]) -> str:
    first = next(filter(None, paths), "")
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{privilege} at {first}{more}" if first else privilege


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:HASH_DIGITS]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
