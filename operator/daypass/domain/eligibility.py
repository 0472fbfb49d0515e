"""Decides whose review may count in a stage at all."""

from collections.abc import Iterable

from daypass.domain import names
from daypass.domain.identity import Identity, same_identity
from daypass.domain.policy import AppliedStage, Approvers, Stage
from daypass.domain.request import ActionGrant, Request, WorkloadGrant


def is_party(request: Request, reviewer: Identity) -> bool:
    """Whether the reviewer asks for this: they never count, whatever they may do (T07).

    Rule: the requester, the subject, who made or changed the workload that the request is for (T55), and whom a
    binding that it is for gives a role (T44).
    """
    return may_release(request, reviewer) or is_author(request, reviewer) or gains(request, reviewer)


def may_release(request: Request, reviewer: Identity) -> bool:
    """Whether the reviewer is the requester or the subject, who may give up what they asked for or got."""
    return same_identity(reviewer, request.requester) or reviewer.username == request.subject.username


def is_author(request: Request, reviewer: Identity) -> bool:
    """Whether the reviewer made or changed the workload that the request is for, as far as that is known."""
    grant = request.grant
    return isinstance(grant, WorkloadGrant) and reviewer.username in grant.authors


def gains(request: Request, reviewer: Identity) -> bool:
    """Whether the operation is a binding that gives the reviewer a role, themselves or by a group."""
    grant = request.grant
    if not isinstance(grant, ActionGrant):
        return False
    return reviewer.username in grant.parties or any(group in grant.party_groups for group in reviewer.groups)


def is_listed(approvers: Approvers, reviewer: Identity) -> bool:
    """Whether a stage names the reviewer.

    Rule: people by username or by group, exactly as the API server authenticated them. A ServiceAccount counts only
    where it is listed as one, never through a group or as a user name (T07). Groups and users that start with
    ``system:`` count nothing: ``system:authenticated`` is everybody.
    """
    account = reviewer.service_account
    if account is not None:
        return account in approvers.service_accounts
    if not reviewer.username or reviewer.username.startswith(names.SYSTEM_PREFIX):
        # Fail closed: nobody in particular, or a component of the cluster; neither is a person who could agree.
        return False
    if reviewer.username in approvers.users:
        return True
    return any(
        group in approvers.groups for group in reviewer.groups if group and not group.startswith(names.SYSTEM_PREFIX)
    )


def is_eligible(request: Request, stages: Iterable[AppliedStage], reviewer: Identity) -> bool:
    """Whether some stage of the request asks this person, who is no party to it."""
    return not is_party(request, reviewer) and any(is_listed(one.stage.approvers, reviewer) for one in stages)


def counts_in(stage: Stage, reviewer: Identity, *, digest_confirmed: bool) -> bool:
    """Whether an approval can fill a place of the stage: listed, and the digest named where the stage demands it."""
    return is_listed(stage.approvers, reviewer) and (digest_confirmed or not stage.require_digest)
