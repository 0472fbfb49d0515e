"""Decides whether a denied request is an answer, or was denied only because no policy allowed it at that moment."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from daypass.domain.policy import Effect
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import Request
from daypass.domain.review import ReviewDecision

FIRST_WAIT: Final = timedelta(seconds=10)
LONGEST_WAIT: Final = timedelta(days=1)
_DOUBLED_AT_MOST: Final = 14


def is_an_answer(denied: Request, policies: PolicySet) -> bool:
    """Whether a denied request was denied by a person, or by a Deny policy that still is what it was then.

    Any other was denied because no Allow policy matched, or a limit was reached: that passes, as when a policy was
    deleted and is applied again. A review in status is believed here, as nothing is let through because of it.
    """
    if any(review.decision is ReviewDecision.DENY for review in denied.reviews):
        return True
    found = [(reference, policies.find(reference.name)) for reference in denied.record.policies]
    return any(
        policy is not None
        and policy.effect is Effect.DENY
        and (policy.uid, policy.generation) == (reference.uid, reference.generation)
        for reference, policy in found
    )


def again_at(denied: Sequence[Request]) -> datetime:
    """When the same may be asked for once more after denials that were no answers.

    Rule: the wait doubles with each, so that what no policy will ever allow makes a few requests a day at most (T16).
    """
    last = max(one.record.end_time or one.creation_time for one in denied)
    return last + min(FIRST_WAIT * (1 << min(len(denied) - 1, _DOUBLED_AT_MOST)), LONGEST_WAIT)
