"""Reviewing: one person's answer becomes one signed entry, or they read why it would count nowhere."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bed import Bed, http
from bed.users import Credentials
from cluster.admission import DIGEST, Desk
from daypass.api.convert import review_from, review_json
from daypass.domain.identity import Identity
from daypass.domain.review import Review, ReviewDecision
from daypass.signing.keys import Ed25519Keys
from daypass.signing.reviews import ReviewSigner, ReviewVerifier


def _verifier(bed: Bed) -> ReviewVerifier:
    published = bed.get("configmap", "daypass-signing-keys", "daypass-system")
    assert published is not None
    return ReviewVerifier({key: pem.encode() for key, pem in published["data"].items()})


def test_t01_a_review_is_recorded_signed_and_cleared(desk: Desk) -> None:
    request = desk.waiting()
    said = desk.review("Approve", "bob", comment="go ahead")
    assert said.done, said
    assert said.out == "accessrequest.daypass.dev/fix patched\n"
    status = desk.get()["status"]
    assert "review" not in status
    (entry,) = status["reviews"]
    assert entry["reviewer"]["username"] == "bob"
    assert set(entry["reviewer"]["groups"]) == {"approvers", "system:authenticated"}
    assert entry["comment"] == "go ahead"
    assert entry["decision"] == "Approve"
    assert entry["digest"] == DIGEST
    assert entry["requestUID"] == request["metadata"]["uid"]
    assert not entry.get("digestConfirmed")
    assert abs(datetime.fromisoformat(entry["time"]) - datetime.now(UTC)) < timedelta(seconds=10)
    assert _verifier(desk.bed).genuine(review_from(entry))


def test_t01_everything_else_of_status_stays(desk: Desk) -> None:
    before = desk.waiting()["status"]
    assert desk.review().done
    after = desk.get()["status"]
    assert {key: value for key, value in after.items() if key != "reviews"} == before


FORGED: list[dict[str, Any]] = [
    {"approvedTime": "2026-01-01T00:00:00Z"},
    {"expirationTime": "2036-01-01T00:00:00Z"},
    {"digest": "cd" * 32},
    {"digest": None},
    {"stages": []},
    {
        "conditions": [
            {"type": "Approved", "status": "True", "reason": "x", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ]
    },
    {"pendingDeadlineTime": "2037-01-01T00:00:00Z"},
    {"policies": []},
]


@pytest.mark.parametrize("beside_a_review", [False, True])
def test_t02_status_is_not_forged_by_a_merge_patch(desk: Desk, *, beside_a_review: bool) -> None:
    before = desk.waiting()
    review = {"review": {"decision": "Approve"}} if beside_a_review else {}
    for forged in FORGED:
        said = desk.patch(json.dumps({"status": {**forged, **review}}), "bob")
        assert said.error.startswith("Error from server (Forbidden)"), forged
        assert "you may set only status.review" in said.error
    assert desk.get() == before


def test_t01_status_is_not_forged_by_a_json_patch(desk: Desk) -> None:
    before = desk.waiting()
    patch = [{"op": "add", "path": "/status/approvedTime", "value": "2026-01-01T00:00:00Z"}]
    assert desk.patch(json.dumps(patch), "bob", kind="json").error.startswith("Error from server (Forbidden)")
    assert desk.get() == before


def test_t01_status_is_not_forged_by_apply_or_put(desk: Desk) -> None:
    before = desk.waiting()
    path = f"/apis/daypass.dev/v1alpha1/namespaces/{desk.namespace}/accessrequests/fix/status"
    forged = {**before, "status": {**before["status"], "approvedTime": "2026-01-01T00:00:00Z"}}
    put = desk.bed.request("PUT", path, forged, "admin")
    assert put.status == 403
    applied = {key: forged[key] for key in ("apiVersion", "kind")}
    applied |= {"metadata": {"name": "fix"}, "status": {"approvedTime": "2026-01-01T00:00:00Z"}}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    apply = desk.bed.request("PATCH", f"{path}?fieldManager=me&force=true", applied, "admin", headers)
    assert apply.status == 403
    assert desk.get() == before


def test_t03_a_patch_of_the_whole_list_loses_nobodys_vote(desk: Desk) -> None:
    desk.waiting()
    assert desk.review("Approve", "bob").done
    patch = {"status": {"reviews": [], "review": {"decision": "Approve"}}}
    assert desk.patch(json.dumps(patch), "carol").done
    assert [entry["reviewer"]["username"] for entry in desk.reviews()] == ["bob", "carol"]


def test_t03_nobody_erases_or_changes_a_vote(desk: Desk) -> None:
    desk.waiting()
    assert desk.review("Deny", "bob").done
    (entry,) = desk.reviews()
    for reviews in ([], [{**entry, "decision": "Approve"}], [entry, entry], None):
        said = desk.patch(json.dumps({"status": {"reviews": reviews}}), "carol")
        assert said.error.startswith("Error from server (Forbidden)"), reviews
    assert desk.reviews() == [entry]


def test_t16_a_copy_of_ones_own_review_is_refused(desk: Desk) -> None:
    desk.waiting()
    assert desk.review("Approve", "bob").done
    (entry,) = desk.reviews()
    said = desk.patch(json.dumps({"status": {"reviews": [entry, entry]}}), "bob")
    assert "you have said this of this request already" in said.error
    assert desk.reviews() == [entry]


def test_t01_a_vote_typed_by_hand_is_refused(desk: Desk) -> None:
    desk.waiting("first")
    assert desk.review("Approve", "bob", name="first").done
    (copied,) = desk.reviews("first")
    uid = desk.waiting("fix", "erin")["metadata"]["uid"]
    for forged in (copied, {**copied, "requestUID": uid}, {**copied, "requestUID": uid, "signature": "AAAA"}):
        said = desk.patch(json.dumps({"status": {"reviews": [forged]}}), "bob")
        assert said.error.startswith("Error from server (Forbidden)"), forged
    assert desk.reviews() == []


def test_t05_rights_are_judged_on_what_is_stored(desk: Desk) -> None:
    stage = {"policy": desk.namespace, "name": "team", "required": 1, "approvers": {"users": ["carol"]}}
    desk.waiting(stages=[stage])
    mine = {**stage, "approvers": {"users": ["bob"]}}
    said = desk.patch(json.dumps({"status": {"stages": [mine], "review": {"decision": "Approve"}}}), "bob")
    assert said.reason == (f"no stage of this request asks you; stage team of policy {desk.namespace} asks user carol")


def test_t07_the_requester_does_not_approve(desk: Desk) -> None:
    desk.bed.kubectl(
        "create", "rolebinding", "both", "--clusterrole=daypass-requester", "--user=bob", "-n", desk.namespace
    )
    desk.waiting(user="bob")
    said = desk.review("Approve", "bob")
    assert said.error.startswith("Error from server (Forbidden)")
    assert said.reason == (
        "you made this request: somebody else must answer it, whatever groups you are in; you may Release it"
    )


def test_t07_the_subject_does_not_approve(desk: Desk) -> None:
    assert desk.ask(subject={"kind": "User", "name": "bob"}).done
    desk.evaluate()
    assert desk.review("Approve", "bob").reason == (
        "this request is for your own access: somebody else must answer it; you may Release it"
    )


def test_t07_an_agent_does_not_approve_even_with_the_role(desk: Desk) -> None:
    agent = f"{desk.namespace}/agent"
    account = f"--serviceaccount={desk.namespace}:agent"
    desk.bed.kubectl("create", "rolebinding", "too", "--clusterrole=daypass-approver", account, "-n", desk.namespace)
    desk.waiting(user=agent)
    assert "you made this request" in desk.review("Approve", agent).reason
    desk.waiting("other", "erin")
    assert desk.review("Approve", agent, name="other").reason == (
        "ServiceAccounts don't count unless a stage lists them under serviceAccounts;"
        f" stage team of policy {desk.namespace} asks group approvers"
    )


def test_t07_an_admin_who_is_no_approver_does_not_approve(desk: Desk) -> None:
    desk.waiting()
    assert desk.review("Approve", "admin").reason == (
        f"no stage of this request asks you; stage team of policy {desk.namespace} asks group approvers"
    )


def test_t08_nobody_approves_twice(desk: Desk) -> None:
    desk.waiting()
    assert desk.review("Approve", "bob").done
    assert desk.review("Approve", "bob").reason == (
        "you have approved this request already: one person counts once; others must approve too"
    )


def test_t12_an_answer_after_the_deadline_is_refused(desk: Desk) -> None:
    desk.waiting(pendingDeadlineTime="2026-01-01T00:00:00Z")
    for decision in ("Approve", "Deny"):
        assert desk.review(decision).reason == (
            "the time for an answer ended at 2026-01-01T00:00:00Z: a new request is needed"
        )


def test_t12_an_answer_to_a_request_that_has_ended_is_refused(desk: Desk) -> None:
    ended = {"type": "Ready", "status": "False", "reason": "Denied", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    desk.waiting(conditions=[ended], endTime="2026-01-01T00:00:00Z")
    assert desk.review().reason == "this request has ended: a new one is needed"


def test_t12_before_evaluation_there_is_nothing_to_agree_to(desk: Desk) -> None:
    assert desk.ask().done
    assert desk.review().reason == "this request is not evaluated yet: try again in a moment"
    assert desk.review("Release", "alice").done, "who asked may give up, whatever could not be decided"
    (entry,) = desk.reviews()
    assert entry["digest"] == ""


def test_t14_an_answer_under_an_edited_policy_is_refused(desk: Desk) -> None:
    desk.waiting()
    assert desk.write_policy(desk.policy(limits={"maxDurationSeconds": 3600})).done
    reason = f"policy {desk.namespace} has changed since the request was evaluated: read the request again and retry"
    desk.bed.wait_until(lambda: desk.review("Approve", "bob", "--dry-run=server").reason == reason)
    desk.evaluate()
    assert desk.review().done


@pytest.mark.parametrize(
    ("digest", "reason"),
    [
        (DIGEST[:31], "status.review.digest: must have 32 hex digits at least, or be left out"),
        ("cd" * 32, f"status.review.digest: this request is no longer what you have read: its digest is now {DIGEST}"),
        ("cd" * 16, f"status.review.digest: this request is no longer what you have read: its digest is now {DIGEST}"),
    ],
)
def test_t12_another_digest_is_refused(desk: Desk, digest: str, reason: str) -> None:
    desk.waiting()
    assert desk.review("Approve", "bob", digest=digest).reason == reason


@pytest.mark.parametrize("digits", [32, 64])
def test_t12_a_digest_that_fits_is_recorded_as_confirmed(desk: Desk, digits: int) -> None:
    desk.waiting()
    assert desk.review("Approve", "bob", digest=DIGEST[:digits]).done
    assert desk.reviews()[0]["digestConfirmed"] is True


def test_t12_a_stage_may_demand_the_digest(desk: Desk) -> None:
    approvers = {"groups": ["approvers"]}
    stage = {"policy": desk.namespace, "name": "s", "required": 1, "approvers": approvers, "requireDigest": True}
    desk.waiting(stages=[stage])
    said = desk.review()
    assert said.reason == (
        "your stage wants to know that you read what you approve: read the request, then add"
        f' "digest":"{DIGEST}" to your review'
    )
    assert desk.review(digest=DIGEST).done


def test_t13_who_acts_for_another_is_kept_with_the_review(desk: Desk) -> None:
    desk.waiting()
    acting = ("--as=bob", "--as-group=approvers", "--as-group=system:authenticated", "--as-user-extra=reason=on-call")
    said = desk.review("Approve", "admin", *acting)
    assert said.done, said
    (entry,) = desk.reviews()
    assert entry["reviewer"]["username"] == "bob"
    assert entry["reviewer"]["extra"] == {"reason": ["on-call"]}
    assert _verifier(desk.bed).genuine(review_from(entry))


@pytest.mark.parametrize("character", ["\u202e", "\u0007", "\n"], ids=ascii)
def test_t15_comments_are_plain_text(desk: Desk, character: str) -> None:
    desk.waiting()
    said = desk.review("Approve", "bob", comment=f"fine{character}enif")
    assert said.reason.startswith("status.review.comment: must be one line of plain text")


def test_an_unknown_decision_is_refused(desk: Desk) -> None:
    desk.waiting()
    assert "status.review.decision" in desk.review("Maybe").error


def test_t07_a_dry_run_is_judged_and_gets_no_signature(desk: Desk) -> None:
    desk.waiting()
    said = desk.review("Approve", "bob", "--dry-run=server", "-o", "json")
    assert said.done, said
    (entry,) = json.loads(said.out)["status"]["reviews"]
    assert not entry["signature"]
    assert desk.reviews() == []
    assert desk.review("Approve", "alice", "--dry-run=server").error


def test_t03_two_approvers_in_the_same_instant_both_end_up(desk: Desk) -> None:
    for number in range(10):
        name = f"both-{number}"
        body = desk.manifest(name, startTime=f"2035-01-01T00:00:{number:02}Z")
        assert desk.run("create", "-f", "-", user="alice", text=json.dumps(body)).done
        desk.evaluate(name)
        path = f"/apis/daypass.dev/v1alpha1/namespaces/{desk.namespace}/accessrequests/{name}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        patch = {"status": {"review": {"decision": "Approve"}}}
        with ThreadPoolExecutor(3) as pool:
            people = ("bob", "carol", "dave")
            answers = list(pool.map(lambda who: desk.bed.request("PATCH", path, patch, who, headers).status, people))  # noqa: B023
        assert answers == [200, 200, 200]
        assert {entry["reviewer"]["username"] for entry in desk.reviews(name)} == set(people)


def test_release_is_for_requester_and_subject(desk: Desk) -> None:
    desk.waiting()
    said = desk.review("Release", "bob")
    assert (
        said.reason == "only the requester or the subject releases a request: use Deny before approval, Revoke after it"
    )
    assert desk.review("Release", "alice").done
    assert desk.reviews()[0]["decision"] == "Release"


def test_a_requester_may_only_release(desk: Desk) -> None:
    desk.waiting()
    stage = {"policy": desk.namespace, "name": "team", "required": 1, "approvers": {"users": ["erin"]}}
    desk.write_status(stages=[stage])
    said = desk.review("Approve", "erin")
    assert said.error.startswith("Error from server (Forbidden)")
    assert "you need the verb approve" in said.error


def test_revoke_only_from_approval_on(desk: Desk) -> None:
    desk.waiting()
    assert desk.review("Revoke").reason == "nothing is approved yet: use Deny"
    desk.write_status(approvedTime="2026-01-01T00:00:00Z")
    assert desk.review("Approve").reason == "approved already: nothing is left to approve"
    assert desk.review("Deny").reason == "approved already: use Revoke"
    assert desk.review("Revoke").done


def _ask_webhook(bed: Bed, door: str, new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """What the webhook says of bob's update of a status, asked as the API server would."""
    mounts = bed.folder / "mounts"
    body = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "kind": {"group": "daypass.dev", "version": "v1alpha1", "kind": "AccessRequest"},
            "resource": {"group": "daypass.dev", "version": "v1alpha1", "resource": "accessrequests"},
            "subResource": "status",
            "operation": "UPDATE",
            "userInfo": {"username": "bob", "groups": ["approvers", "system:authenticated"]},
            "object": new,
            "oldObject": old,
        },
    }
    secret = "/" + (mounts / "paths" / door).read_text().split()[0]
    connections = http.Connections(bed.webhook_url, mounts / "serving" / "ca.crt")
    answer = connections.request(Credentials(), "POST", secret, body)
    connections.close()
    response: dict[str, Any] = answer.json["response"]
    return response


def test_t61_what_another_replica_signs_with_a_newer_key_is_genuine(desk: Desk) -> None:
    """A key is published before any replica signs with it, and each verifies by what is published."""
    stored = desk.waiting()
    key = Ed25519Keys().make()
    bob = Identity("bob", "", ("approvers", "system:authenticated"))
    uid, now = stored["metadata"]["uid"], datetime.now(UTC).replace(microsecond=0)
    review = Review(1, uid, DIGEST, ReviewDecision.APPROVE, bob, now, key_id="", signature="")
    signed = ReviewSigner({key.key_id: key.private_key}, key.key_id).sign(review)
    entered = {**stored, "status": {**stored["status"], "reviews": [review_json(signed)]}}

    def allowed() -> bool:
        answer: bool = _ask_webhook(desk.bed, "validating", entered, stored)["allowed"]
        return answer

    path = "/api/v1/namespaces/daypass-system/configmaps/daypass-signing-keys"
    headers = {"Content-Type": "application/merge-patch+json"}
    assert not allowed()
    published = {"data": {key.key_id: key.public_key.decode()}}
    assert desk.bed.request("PATCH", path, published, "admin", headers).status == 200
    desk.bed.wait_until(allowed, 25)
    assert desk.bed.request("PATCH", path, {"data": {key.key_id: None}}, "admin", headers).status == 200
    desk.bed.wait_until(lambda: not allowed(), 25)


def test_t52_a_review_signed_for_somebody_else_cannot_be_stored(desk: Desk) -> None:
    """Whoever learnt the secret path could have a review signed in any name; the API server stores it for nobody."""
    stored = desk.waiting()
    asked = {**stored, "status": {**stored["status"], "review": {"decision": "Approve"}}}
    operations = json.loads(base64.b64decode(_ask_webhook(desk.bed, "mutating", asked, stored)["patch"]))
    signed_for_bob = operations[0]["value"]
    assert _verifier(desk.bed).genuine(review_from(signed_for_bob[0]))
    for thief in ("carol", "alice", "admin"):
        said = desk.patch(json.dumps({"status": {"reviews": signed_for_bob}}), thief)
        assert said.error.startswith("Error from server (Forbidden)")
        assert "nobody reviews for another" in said.error
    assert desk.reviews() == []
