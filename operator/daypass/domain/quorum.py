"""Decides whether enough people agreed, and whether one of them said no."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from daypass.domain.eligibility import counts_in, is_eligible, is_party, may_release
from daypass.domain.identity import same_identity
from daypass.domain.places import fill
from daypass.domain.policy import AppliedStage, Stage
from daypass.domain.request import Request
from daypass.domain.review import Review, ReviewDecision


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far one stage is: who fills its places, and whether all of them are filled."""

    policy: str
    stage: Stage
    approved_by: tuple[str, ...]
    satisfied: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """What the reviews come to. ``complete`` says nothing against a denial: look at that first."""

    progress: tuple[StageProgress, ...]
    denial: Review | None
    revocation: Review | None
    release: Review | None
    complete: bool


UNKNOWN_AUTHORS_NEED: Final = 2
"""Distinct people in each stage where an author can't be found: then one of them is somebody else (T69)."""


def by_two_at_least(applied: AppliedStage) -> AppliedStage:
    """The stage as it is asked for a workload of which an author is unknown: nobody's single approval suffices."""
    required = max(applied.stage.required, UNKNOWN_AUTHORS_NEED)
    return replace(applied, stage=replace(applied.stage, required=required))


def tally(request: Request, stages: Sequence[AppliedStage], votes: Sequence[Review]) -> Tally:
    """What the reviews of a request come to, computed anew from all of them.

    ``votes`` are reviews that are genuine and of today's digest: the caller leaves out the others.

    Rule: in each policy one person fills one place, and as many places as possible are filled; a stage is satisfied
    by as many distinct people as it requires or more, the request by all its stages (T08). The requester, the
    subject, authors of the workload and ServiceAccounts that are not listed fill none (T07, T55); a stage with ``requireDigest`` counts only
    approvals that named the digest. One Deny by anybody who is eligible in a stage decides. A Revoke by anybody
    eligible ends what is approved; before that it is no decision. A Release by requester or subject ends at any
    time. Of several, the earliest is named. With no stages nobody is asked, and the tally is complete.
    """
    own = [vote for vote in votes if vote.request_uid == request.uid]
    people = _people([vote for vote in own if vote.decision is ReviewDecision.APPROVE])
    people = [person for person in people if not any(is_party(request, vote.reviewer) for vote in person)]
    policies = dict.fromkeys(applied.policy for applied in stages)
    filled = {
        policy: _fill_stages([one.stage for one in stages if one.policy == policy], people) for policy in policies
    }
    progress = tuple(_progress(applied, filled[applied.policy].pop(0)) for applied in stages)
    eligible = [vote for vote in own if is_eligible(request, stages, vote.reviewer)]
    return Tally(
        progress=progress,
        denial=_earliest(eligible, ReviewDecision.DENY),
        revocation=None if request.record.approved_time is None else _earliest(eligible, ReviewDecision.REVOKE),
        release=_earliest([vote for vote in own if may_release(request, vote.reviewer)], ReviewDecision.RELEASE),
        complete=all(one.satisfied for one in progress),
    )


def _people(votes: Iterable[Review]) -> list[list[Review]]:
    """The votes by person, in one order whatever order they came in; names and uids both make one person (T08)."""
    people: list[list[Review]] = []
    for vote in sorted(votes, key=lambda vote: (vote.reviewer.username, vote.reviewer.uid, vote.time)):
        same = [person for person in people if any(same_identity(vote.reviewer, one.reviewer) for one in person)]
        people = [person for person in people if person not in same]
        people.append([*(one for person in same for one in person), vote])
    return people


def _fill_stages(stages: Sequence[Stage], people: Sequence[Sequence[Review]]) -> list[tuple[str, ...]]:
    """Who fills the places of each stage of one policy."""
    # Fail closed: a stage that requires nobody (refused at admission) requires somebody all the same (T10).
    sizes = [max(stage.required, 1) for stage in stages]
    who = [[at for at, votes in enumerate(people) if any(_counts(stage, vote) for vote in votes)] for stage in stages]
    seats = fill([able for able, size in zip(who, sizes, strict=True) for _ in range(min(size, len(people) + 1))])
    filled: list[tuple[str, ...]] = []
    start = 0
    for size in sizes:
        end = start + min(size, len(people) + 1)
        filled.append(tuple(sorted(people[at][0].reviewer.username for at in seats[start:end] if at is not None)))
        start = end
    return filled


def _counts(stage: Stage, vote: Review) -> bool:
    return counts_in(stage, vote.reviewer, digest_confirmed=vote.digest_confirmed)


def _progress(applied: AppliedStage, approved_by: tuple[str, ...]) -> StageProgress:
    satisfied = len(approved_by) >= max(applied.stage.required, 1)
    return StageProgress(applied.policy, applied.stage, approved_by, satisfied)


def _earliest(votes: Iterable[Review], decision: ReviewDecision) -> Review | None:
    given = [vote for vote in votes if vote.decision is decision]
    return min(given, key=lambda vote: (vote.time, vote.reviewer.username), default=None)
