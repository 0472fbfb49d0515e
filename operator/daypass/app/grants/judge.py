"""Judges a pending request: policies, digest and reviews, from what is known at one moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from daypass.app.grants.requests import Requests
from daypass.app.grants.surroundings import Known, Surroundings
from daypass.app.grants.votes import Ballots, counted, decided_at, voided
from daypass.app.ports import ApiError, Canonical, UnavailableError
from daypass.domain.digest import digest_of, document
from daypass.domain.evaluation import CONDITIONS_NOT_MET, NO_POLICY_MATCHES, Evaluation, Verdict, World, evaluate
from daypass.domain.expressions import Expressions
from daypass.domain.lifecycle import Findings, pending_deadline
from daypass.domain.permissions import ResolvedRole
from daypass.domain.policy import Policy
from daypass.domain.quorum import Tally, tally
from daypass.domain.request import PolicyReference, Request
from daypass.domain.review import Review, ReviewDecision

Faulty = Callable[[str, str], None]
REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, and what of it is written down."""

    findings: Findings
    digest: str
    void: tuple[Review, ...] = ()
    """Approvals that were good for what was recorded, and are not for what is there now."""
    unknown_keys: tuple[str, ...] = ()
    """Ids of keys by which reviews of the request were signed, and that are not published."""

    @property
    def counts_peers(self) -> bool:
        """Whether a limit that counts other requests governs: then requests of one subject go one by one."""
        evaluation = self.findings.evaluation
        return evaluation is not None and any(
            (policy.limits.max_active_per_subject, policy.limits.cooldown_seconds, policy.limits.max_per_day)
            != (None, None, None)
            for policy in evaluation.policies
        )

    @property
    def for_want_of_policies(self) -> bool:
        """Whether it is denied only because no Allow policy matches."""
        evaluation = self.findings.evaluation
        return evaluation is not None and evaluation.reason in {NO_POLICY_MATCHES, CONDITIONS_NOT_MET}


@dataclass(frozen=True, slots=True)
class Judge:
    """The means by which requests are judged."""

    known: Known
    requests: Requests
    ballots: Ballots
    expressions: Expressions
    canonical: Canonical
    faulty: Faulty
    """Is told of each policy that could not be evaluated."""
    _digests: dict[str, tuple[ResolvedRole | None, str, frozenset[object], str]] = field(default_factory=dict)

    async def judge(self, request: Request, around: Surroundings, now: datetime) -> Judgement:
        """Evaluate the policies, compute the digest, count the reviews. Raises UnavailableError."""
        if around.trouble:
            return Judgement(Findings(None, await self._withdrawal(request), trouble=around.trouble), "")
        if around.missing:
            return Judgement(Findings(None, await self._withdrawal(request), missing=around.missing), "")
        faults = self.known.policy_faults()
        if faults:
            # Fail closed: a policy that can't be read may be the one that denies (T63).
            texts = "; ".join(f"{name}: {text}" for name, text in sorted(faults.items()))
            trouble = f"Policies that can't be read: {texts}"
            return Judgement(Findings(None, await self._withdrawal(request), trouble=trouble), "")
        world = World(
            now=now,
            namespace_labels=around.namespace_labels,
            rules=around.rules(request),
            role=around.role,
            subject_uid=around.subject_uid,
            peers=self.requests.peers(request),
        )
        evaluation = evaluate(request, self.known.policies(), world, self.expressions)
        for fault in evaluation.faults:
            self.faulty(fault.policy, fault.message)
        return await self._count(request, evaluation, around)

    def digest(
        self,
        request: Request,
        role: ResolvedRole | None,
        subject_uid: str,
        policies: Sequence[Policy | PolicyReference],
    ) -> str:
        """What an approver agrees to; raises ValueError for what canonical JSON can't hold.

        Remembered as long as nothing of it changes: a request's spec never does, and the rules of ``edit`` alone take
        a millisecond to spell canonically.
        """
        governing = frozenset((one.name, one.uid, one.generation) for one in policies)
        known = self._digests.get(request.uid)
        if known is not None and (known[0] is role or known[0] == role) and known[1:3] == (subject_uid, governing):
            return known[3]
        digest = digest_of(self.canonical(document(request, role, subject_uid, policies)))
        self._digests[request.uid] = (role, subject_uid, governing, digest)
        if len(self._digests) > REMEMBERED:
            del self._digests[next(iter(self._digests))]
        return digest

    async def standing(self, request: Request) -> Tally:
        """What the reviews of a grant that was begun come to: only what ends it is looked at."""
        ending = [one for one in request.reviews if one.decision is not ReviewDecision.APPROVE]
        votes = await self.ballots.genuine(request) if ending else []
        votes = [vote for vote in counted(votes, request.record.digest) if vote.decision is not ReviewDecision.APPROVE]
        return tally(request, request.record.stages, votes)

    async def _count(self, request: Request, evaluation: Evaluation, around: Surroundings) -> Judgement:
        digest = ""
        if evaluation.verdict is Verdict.GOVERNED:
            try:
                digest = self.digest(request, around.role, around.subject_uid, evaluation.policies)
            except ValueError as error:
                # Fail closed: what two readers may understand differently is never agreed to.
                return Judgement(Findings(None, trouble=f"No digest: {error}"), "")
        try:
            genuine = await self.ballots.genuine(request)
        except UnavailableError:
            raise
        except ApiError as error:
            return Judgement(Findings(None, trouble=f"The public keys of reviews can't be read: {error.message}"), "")
        votes = counted(genuine, digest, pending_deadline(request, evaluation))
        result = tally(request, evaluation.stages, votes)
        return Judgement(
            Findings(evaluation, result, decided_at=decided_at(votes)),
            digest,
            tuple(voided(genuine, request.record.digest, digest)),
            self.ballots.unknown(request),
        )

    async def _withdrawal(self, request: Request) -> Tally | None:
        """Who can't be answered may still give up."""
        if not any(review.decision is ReviewDecision.RELEASE for review in request.reviews):
            return None
        return tally(request, (), counted(await self.ballots.genuine(request), ""))
