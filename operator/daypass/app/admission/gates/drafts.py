"""The request that would help: what it says, and which policies would answer it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from daypass.api import convert
from daypass.api.fields import MIN_DURATION_SECONDS
from daypass.app.ports import Clock, Json
from daypass.domain import names
from daypass.domain.causes import Cause
from daypass.domain.identity import subject_of
from daypass.domain.matching import could_match
from daypass.domain.plain_text import escaped, shortened
from daypass.domain.policy import Effect, Policy
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import Request, WorkloadGrant
from daypass.domain.wording import people

LONGEST_SECONDS: Final = 3600
"""What a request that Daypass makes asks for at most."""
ASK_PREFIX: Final = "ask-"
"""Of the names of requests that people paste."""
MAX_REASON: Final = 1024
MAX_FINDING: Final = 512
MAX_FINDINGS: Final = 64
LONGEST_SUMMARY: Final = 120


class DraftsKnown(Protocol):
    """What is known of policies."""

    def policies(self) -> PolicySet:
        """Every policy that could be read."""
        ...


@dataclass(frozen=True, slots=True)
class Drafts:
    """Writes requests for causes, and judges them before they are made."""

    known: DraftsKnown
    clock: Clock

    def paste(self, cause: Cause) -> str:
        """The request as one line of JSON, to be made by a person; empty where no policy could approve it."""
        allowing = self.allowing(cause) or self._allowing_by_group(cause)
        if not allowing:
            return ""
        grant = cause.grant
        if isinstance(grant, WorkloadGrant):
            grant = replace(grant, owner=None, authors=(), authors_unknown=False)
        else:
            grant = replace(grant, parties=(), party_groups=())
        body = convert.request_json(
            cause.namespace,
            "",
            replace(grant, findings=()),
            reason=shortened(escaped(cause.summary), LONGEST_SUMMARY),
            duration_seconds=self._seconds(allowing),
        )
        # Pasted once more after it has ended, it has another name.
        body["metadata"] = {"generateName": ASK_PREFIX, "namespace": cause.namespace}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False)

    def hopeless(self, cause: Cause) -> str:
        """Why asking would be of no use; empty where it may be."""
        return "" if self.allowing(cause) else self._nobody(cause)

    def manifest(self, cause: Cause, name: str, allowing: Sequence[Policy]) -> Json:
        """The request as Daypass makes it; these policies limit how long it is for."""
        shown = tuple(shortened(escaped(text), MAX_FINDING) for text in cause.grant.findings[:MAX_FINDINGS])
        return convert.request_json(
            cause.namespace,
            name,
            replace(cause.grant, findings=shown),
            reason=shortened(escaped(cause.reason), MAX_REASON),
            duration_seconds=self._seconds(allowing),
            requester=cause.requester,
            subject=subject_of(cause.requester),
            labels={names.LABEL_CAUSE: cause.hash},
        )

    def allowing(self, cause: Cause) -> list[Policy]:
        """The Allow policies that could match the request."""
        request = self._imagined(cause)
        candidates = self.known.policies().candidates(request)
        return [one for one in candidates if one.effect is Effect.ALLOW and could_match(one, request)]

    def _allowing_by_group(self, cause: Cause) -> list[Policy]:
        """The Allow policies that could match if the requester, whose groups nobody knows, were in those they name."""
        if cause.requester.groups:
            return []
        request, found = self._imagined(cause), []
        for policy in self.known.policies().candidates(request):
            groups = tuple(one.name for one in policy.match.requesters or () if one.kind == "Group")
            member = replace(request, requester=replace(cause.requester, groups=groups))
            if policy.effect is Effect.ALLOW and groups and could_match(policy, member):
                found.append(policy)
        return found

    def _nobody(self, cause: Cause) -> str:
        if self._allowing_by_group(cause):
            return f"Daypass does not know {cause.requester.username}'s groups: ask yourself"
        return _nobody(cause)

    def _imagined(self, cause: Cause) -> Request:
        """The request, before it is made."""
        return Request(
            uid="",
            namespace=cause.namespace,
            name=cause.name(),
            generation=0,
            creation_time=self.clock.now(),
            requester=cause.requester,
            subject=subject_of(cause.requester),
            grant=cause.grant,
            duration_seconds=LONGEST_SECONDS,
            reason=cause.reason,
            spec={},
        )

    def _seconds(self, allowing: Sequence[Policy]) -> int:
        limits = [one.limits.max_duration_seconds for one in allowing if one.limits.max_duration_seconds is not None]
        return max(MIN_DURATION_SECONDS, min([LONGEST_SECONDS, *limits]))


def prospect(allowing: Sequence[Policy]) -> str:
    """What comes of a request that Daypass made under these policies, as far as the request alone tells."""
    ticketed = [one.name for one in allowing if one.limits.ticket_pattern is not None]
    if ticketed:
        return f"can't be approved: policy {ticketed[0]} wants a ticket: ask yourself, with one"
    asked = [f"{people(stage.approvers)} (policy {one.name})" for one in allowing for stage in one.stages]
    return f"waits for {' and '.join(dict.fromkeys(asked)) or f'policy {allowing[0].name}'}"


def _nobody(cause: Cause) -> str:
    text = f"no policy lets {cause.requester.username} ask for it in namespace {cause.namespace}"
    others: Sequence[str] = ()
    if isinstance(cause.grant, WorkloadGrant):
        others = [one for one in cause.grant.authors if one != cause.requester.username]
        others += ["others whom nobody knows"] if cause.grant.authors_unknown else []
    return f"{text} for what was also made by {', '.join(others)}" if others else text
