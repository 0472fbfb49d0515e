"""Laws of admission, over AdmissionReviews as the API server sends them."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.app.admission.answer import Call, Operation
from daypass.app.admission.guard_status import guard_status
from daypass.app.admission.stamp import stamp
from daypass.domain.identity import Identity
from daypass.domain.review import Review
from webhook.desk import CONTROLLER, Desk, a_manifest, a_review, patched

DIGEST = "ab" * 32
STAGE = {"policy": "shop-edit", "name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}
STATUS: dict[str, Any] = {"digest": DIGEST, "stages": [STAGE], "pendingDeadlineTime": "2026-03-03T00:00:00Z"}


def of_bob(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The AdmissionReview of a change that bob makes to status."""
    groups = ["approvers", "system:authenticated"]
    return a_review("UPDATE", "accessrequests/status", new=new, old=old, user="bob", groups=groups)


def a_stored(**status: Any) -> dict[str, Any]:  # noqa: ANN401
    stored = a_manifest(requester={"username": "alice"}, subject={"kind": "User", "name": "alice"})
    stored["metadata"] |= {"uid": "uid-1", "generation": 1, "creationTimestamp": "2026-03-02T11:00:00Z"}
    return {**stored, "status": {**STATUS, **status}}


def with_status(stored: Mapping[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    new = copy.deepcopy(dict(stored))
    new["status"] |= changes
    return new


class Nobody:
    """Every signature is false."""

    def genuine(self, review: Review) -> bool:
        return review.signature == "signed by us"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3), lambda x: st.lists(x, max_size=2)
)
STATUSES = st.dictionaries(
    st.sampled_from(["digest", "stages", "review", "reviews", "approvedTime", "x"]), VALUES, max_size=4
)


@given(STATUSES, STATUSES)
def test_t01_nobody_changes_status_by_any_update(before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = {"metadata": {"uid": "u"}, "status": before}, {"metadata": {"uid": "u"}, "status": after}
    call = Call(Operation.UPDATE, "accessrequests/status", Identity("bob"), object=new, old=old)
    answer = guard_status(call, CONTROLLER, Nobody())
    assert not answer.allowed or (
        json.dumps({**before, "reviews": before.get("reviews") or []}, sort_keys=True)
        == json.dumps({**after, "reviews": after.get("reviews") or []}, sort_keys=True)
        and "review" not in after
    )


@given(VALUES)
def test_t06_no_typed_requester_but_the_callers_own_is_let_in(requester: Any) -> None:  # noqa: ANN401
    spec = {"requester": requester} if requester is not None else {}
    call = Call(Operation.CREATE, "accessrequests", Identity("alice"), namespace="shop", object={"spec": spec})
    answer = stamp(call)
    assert answer.allowed == (requester is None)


async def test_t03_the_entry_is_added_to_what_is_stored(desk: Desk) -> None:
    earlier = {"decision": "Approve"}
    stored = a_stored()
    response = await desk.mutate(of_bob(with_status(stored, review={"decision": "Deny"}), stored))
    add, remove = patched(response)
    assert remove == {"op": "remove", "path": "/status/review"}
    (entry,) = add["value"]
    assert entry["decision"] == "Deny"
    assert entry["reviewer"]["extra"] == {"authentication.kubernetes.io/k": ["v"]}
    assert entry["time"] == "2026-03-02T12:00:00Z"
    assert entry["signature"]
    assert earlier not in add["value"]
    final = with_status(stored, reviews=add["value"])
    judged = await desk.validate(of_bob(final, stored))
    assert judged["allowed"]
    assert judged["auditAnnotations"] == {"decision": "ReviewAppended"}


async def test_t16_a_copy_of_ones_own_review_is_refused(desk: Desk) -> None:
    stored = a_stored()
    response = await desk.mutate(of_bob(with_status(stored, review={"decision": "Approve"}), stored))
    (entry,) = patched(response)[0]["value"]
    once = with_status(stored, reviews=[entry])
    twice = with_status(stored, reviews=[entry, entry])
    judged = await desk.validate(of_bob(twice, once))
    assert judged["status"]["message"] == (
        "status.reviews: you have said this of this request already; the review that you gave stands"
    )


async def test_t12_a_review_without_a_deadline_is_refused(desk: Desk) -> None:
    stored = a_stored()
    del stored["status"]["pendingDeadlineTime"]
    new = with_status(stored, review={"decision": "Approve"})
    response = await desk.mutate(of_bob(new, stored))
    assert response["status"]["message"] == "this request has no deadline for an answer yet: try again in a moment"


@pytest.mark.parametrize("spoilt", [{"stages": "none"}, {"reviews": [{"version": 2}]}, {"digest": 7}], ids=json.dumps)
async def test_t63_a_stored_request_that_cannot_be_read_is_not_reviewed(desk: Desk, spoilt: dict[str, Any]) -> None:
    stored = a_stored(**spoilt)
    new = with_status(stored, review={"decision": "Approve"})
    response = await desk.mutate(of_bob(new, stored))
    assert not response["allowed"]
    assert response["status"]["message"].startswith("the stored request can't be read, so it can't be reviewed: ")


async def test_t61_without_a_key_no_review_is_recorded(desk: Desk) -> None:
    desk.mounts.keys._signer = None
    stored = a_stored()
    new = with_status(stored, review={"decision": "Approve"})
    response = await desk.mutate(of_bob(new, stored))
    assert response["status"]["message"] == "the review can't be signed: there is no signing key yet"


async def test_t12_the_deadline_is_judged_by_the_clock_of_the_api_server(desk: Desk) -> None:
    stored = a_stored(pendingDeadlineTime="2026-03-02T12:00:00Z")
    new = with_status(stored, review={"decision": "Approve"})
    review = of_bob(new, stored)
    assert not (await desk.mutate(review))["allowed"]
    desk.cluster.time = desk.cluster.time.replace(hour=11)
    assert (await desk.mutate(review))["allowed"]
