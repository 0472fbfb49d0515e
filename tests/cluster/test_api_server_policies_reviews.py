"""Requests and reviews as the API server guards them by itself: no process of ours, no webhook configuration."""

from collections.abc import Callable
from typing import Any

import pytest

from bed import Bed
from bed.http import Response
from cluster.chains import CONTROLLER, DIGEST, Json, a_person, a_request, a_review, path_of, store

pytestmark = pytest.mark.usefixtures("without_webhooks")

APPROVED: Json = {
    "type": "Approved",
    "status": "True",
    "reason": "Approved",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def status_path(request: Json, query: str = "") -> str:
    return path_of("accessrequests", request["metadata"]["namespace"], request["metadata"]["name"], "status") + query


def patch(bed: Bed, request: Json, status: Json, user: str, headers: dict[str, str] | None = None) -> Response:
    return bed.request("PATCH", status_path(request), {"status": status}, user=user, headers=headers)


def stored_reviews(bed: Bed, request: Json) -> list[Any]:
    return list(bed.request("GET", status_path(request)).json["status"].get("reviews", []))


@pytest.fixture
def areq(bare_cluster: Bed, namespace: str) -> Json:
    return store(bare_cluster, a_request(namespace))


def merge_patch(bed: Bed, request: Json, user: str) -> Response:
    return patch(bed, request, {"conditions": [APPROVED], "approvedTime": "2026-01-01T00:00:00Z"}, user)


def json_patch(bed: Bed, request: Json, user: str) -> Response:
    operation = {"op": "add", "path": "/status/conditions", "value": [APPROVED]}
    return bed.request("PATCH", status_path(request), [operation], user=user, headers=JSON_PATCH)


def server_side_apply(bed: Bed, request: Json, user: str) -> Response:
    names = {key: request["metadata"][key] for key in ("name", "namespace")}
    body = {**request, "metadata": names, "status": {"conditions": [APPROVED]}}
    return bed.request(
        "PATCH", status_path(request, "?fieldManager=mallory&force=true"), body, user=user, headers=APPLY
    )


def put(bed: Bed, request: Json, user: str) -> Response:
    body = {**request, "status": {**request["status"], "expirationTime": "2099-01-01T00:00:00Z"}}
    return bed.request("PUT", status_path(request), body, user=user)


@pytest.mark.parametrize("forge", [merge_patch, json_patch, server_side_apply, put])
@pytest.mark.parametrize("who", ["approver", "agent", "admin"])
def test_t01_nobody_writes_status_but_the_controller(
    bare_cluster: Bed, namespace: str, areq: Json, forge: Callable[[Bed, Json, str], Response], who: str
) -> None:
    if forge is put:
        # RBAC alone stops a PUT by the chart's roles; the second layer must stop who may update, too.
        bare_cluster.kubectl(
            "create", "clusterrole", "status-updater", "--verb=update", "--resource=accessrequests/status", check=False
        )
        for subject in ("--user=bob", f"--serviceaccount={namespace}:agent"):
            name = subject.rpartition("=")[2].replace(":", "-")
            bare_cluster.kubectl(
                *("create", "rolebinding", f"updater-{name}", "--clusterrole=status-updater", subject, "-n", namespace)
            )
    user = {"approver": "bob", "agent": f"{namespace}/agent", "admin": "admin"}[who]
    answer = forge(bare_cluster, areq, user)
    assert answer.status == 403, answer.message
    assert "status is written by Daypass" in answer.message
    assert bare_cluster.request("GET", status_path(areq)).json["status"] == {"digest": DIGEST}


def test_t01_chart_roles_hold_no_update_of_status(bare_cluster: Bed, areq: Json) -> None:
    assert put(bare_cluster, areq, "bob").status == 403


def test_t01_an_unsigned_review_cant_be_stored(bare_cluster: Bed, areq: Json) -> None:
    answer = patch(bare_cluster, areq, {"review": {"decision": "Approve"}}, "bob")
    assert answer.status == 403
    assert "MutatingWebhookConfiguration daypass-requests" in answer.message
    assert patch(bare_cluster, areq, {"review": {"decision": "Approve"}}, CONTROLLER).status == 403
    unsigned = a_review(areq, a_person(bare_cluster, "bob"), signature="")
    assert "signed" in patch(bare_cluster, areq, {"reviews": [unsigned]}, "bob").message
    assert stored_reviews(bare_cluster, areq) == []


def test_t01_the_controller_never_makes_reviews(bare_cluster: Bed, areq: Json) -> None:
    for author in ("bob", "alice"):
        answer = patch(bare_cluster, areq, {"reviews": [a_review(areq, a_person(bare_cluster, author))]}, CONTROLLER)
        assert answer.status == 403
    assert patch(bare_cluster, areq, {"reviews": [a_review(areq, a_person(bare_cluster, "bob"))]}, "bob").status == 200
    assert patch(bare_cluster, areq, {"reviews": []}, CONTROLLER).status == 403
    assert patch(bare_cluster, areq, {"reviews": None}, CONTROLLER).status == 403
    assert patch(bare_cluster, areq, {"conditions": [APPROVED]}, CONTROLLER).status == 200


def test_t02_a_review_that_changes_more_is_refused(bare_cluster: Bed, areq: Json) -> None:
    review = a_review(areq, a_person(bare_cluster, "bob"))
    for more in (
        {"conditions": [APPROVED]},
        {"digest": "b" * 64},
        {"digest": None},
        {"endTime": "2026-01-01T00:00:00Z"},
    ):
        answer = patch(bare_cluster, areq, {"reviews": [review], **more}, "bob")
        assert answer.status == 403, more
    assert stored_reviews(bare_cluster, areq) == []


def test_t03_stored_reviews_are_append_only(bare_cluster: Bed, areq: Json) -> None:
    bobs = a_review(areq, a_person(bare_cluster, "bob"))
    carols = a_review(areq, a_person(bare_cluster, "carol"))
    assert patch(bare_cluster, areq, {"reviews": [bobs]}, "bob").status == 200
    for reviews in (
        [carols],
        [],
        [carols, bobs],
        [{**bobs, "decision": "Deny"}, carols],
        [bobs, carols, carols],
    ):
        answer = patch(bare_cluster, areq, {"reviews": reviews}, "carol")
        assert answer.status == 403
        assert "append-only" in answer.message
    assert patch(bare_cluster, areq, {"reviews": [bobs, carols]}, "carol").status == 200
    assert [entry["reviewer"]["username"] for entry in stored_reviews(bare_cluster, areq)] == ["bob", "carol"]


def test_t16_copies_of_ones_own_review_take_no_room_from_others(bare_cluster: Bed, areq: Json) -> None:
    bobs = a_review(areq, a_person(bare_cluster, "bob"))
    carols = a_review(areq, a_person(bare_cluster, "carol"))
    assert patch(bare_cluster, areq, {"reviews": [bobs]}, "bob").status == 200
    add = [{"op": "add", "path": "/status/reviews/-", "value": bobs}]
    for changed in ({}, {"comment": "once more"}, {"time": "2026-01-02T00:00:00Z"}):
        again = [{**add[0], "value": {**bobs, **changed}}]
        answer = bare_cluster.request("PATCH", status_path(areq), again, user="bob", headers=JSON_PATCH)
        assert answer.status == 403
        assert "you have said this" in answer.message
    assert patch(bare_cluster, areq, {"reviews": [bobs, carols]}, "carol").status == 200
    confirmed = {**bobs, "digestConfirmed": not bobs["digestConfirmed"]}
    assert patch(bare_cluster, areq, {"reviews": [bobs, carols, confirmed]}, "bob").status == 200


@pytest.mark.parametrize(
    "forged",
    [
        {"username": "carol"},
        {"username": "system:admin"},
        {"uid": "1"},
        {"groups": ["security", "system:authenticated"]},
        {"extra": {"scopes": ["all"]}},
        {"extra": {}},
    ],
)
def test_t06_nobody_reviews_for_another(bare_cluster: Bed, areq: Json, forged: Json) -> None:
    reviewer = {**a_person(bare_cluster, "bob"), **forged}
    answer = patch(bare_cluster, areq, {"reviews": [a_review(areq, reviewer)]}, "bob")
    assert answer.status == 403
    assert "nobody reviews for another" in answer.message


def test_t07_reviewing_takes_the_verb_approve(bare_cluster: Bed, areq: Json) -> None:
    for decision in ("Approve", "Deny", "Revoke"):
        review = a_review(areq, a_person(bare_cluster, "alice"), decision=decision)
        answer = patch(bare_cluster, areq, {"reviews": [review]}, "alice")
        assert answer.status == 403
        assert "verb approve" in answer.message
    assert patch(bare_cluster, areq, {"reviews": [a_review(areq, a_person(bare_cluster, "bob"))]}, "bob").status == 200


def test_release_is_for_requester_and_subject(bare_cluster: Bed, namespace: str) -> None:
    agent = {"kind": "ServiceAccount", "namespace": namespace, "name": "agent"}
    areq = store(bare_cluster, a_request(namespace, subject=agent))
    released = a_review(areq, a_person(bare_cluster, "alice"), decision="Release")
    assert (
        "only the requester or the subject"
        in patch(
            bare_cluster, areq, {"reviews": [a_review(areq, a_person(bare_cluster, "bob"), decision="Release")]}, "bob"
        ).message
    )
    assert patch(bare_cluster, areq, {"reviews": [released]}, "alice").status == 200
    user = f"{namespace}/agent"
    itself = a_person(bare_cluster, user)
    answer = patch(bare_cluster, areq, {"reviews": [released, a_review(areq, itself, decision="Release")]}, user)
    assert answer.status == 200, answer.message


def test_t12_a_review_is_for_this_request_and_what_it_says_now(bare_cluster: Bed, namespace: str, areq: Json) -> None:
    for wrong in ({"requestUID": "another"}, {"digest": "b" * 64}, {"digest": ""}):
        answer = patch(bare_cluster, areq, {"reviews": [a_review(areq, a_person(bare_cluster, "bob"), **wrong)]}, "bob")
        assert answer.status == 403
        assert "for this very request" in answer.message
    fresh = store(bare_cluster, a_request(namespace), digest="")
    assert (
        patch(
            bare_cluster, fresh, {"reviews": [a_review(fresh, a_person(bare_cluster, "bob"), digest="")]}, "bob"
        ).status
        == 403
    )


def test_t13_a_review_keeps_who_impersonated(bare_cluster: Bed, areq: Json) -> None:
    """Impersonation is the act of the impersonated user; what the API server knows of it as ``extra`` is kept."""
    headers = {"Impersonate-User": "bob", "Impersonate-Group": "approvers", "Impersonate-Extra-Reason": "incident-7"}
    bob = {"username": "bob", "groups": ["approvers", "system:authenticated"]}
    without = patch(bare_cluster, areq, {"reviews": [a_review(areq, bob)]}, "admin", headers)
    assert without.status == 403
    kept = a_review(areq, {**bob, "extra": {"reason": ["incident-7"]}})
    answer = patch(bare_cluster, areq, {"reviews": [kept]}, "admin", headers)
    assert answer.status == 200, answer.message


def test_a_dry_run_needs_no_signature(bare_cluster: Bed, areq: Json) -> None:
    body = {"status": {"reviews": [a_review(areq, a_person(bare_cluster, "bob"), signature="")]}}
    assert bare_cluster.request("PATCH", status_path(areq, "?dryRun=All"), body, user="bob").status == 200
    assert stored_reviews(bare_cluster, areq) == []


@pytest.mark.parametrize(
    "requester",
    [
        {"username": "bob", "groups": ["approvers", "system:authenticated"]},
        {"username": "alice", "groups": ["developers", "security", "system:authenticated"]},
        {"username": "alice", "groups": ["system:authenticated"]},
        {"username": "alice", "uid": "1", "groups": ["developers", "system:authenticated"]},
        None,
    ],
)
def test_t06_the_requester_is_the_caller(bare_cluster: Bed, namespace: str, requester: Json | None) -> None:
    body = a_request(namespace)
    if requester is None:
        del body["spec"]["requester"]
    else:
        body["spec"]["requester"] = requester
    answer = bare_cluster.request("POST", path_of("accessrequests", namespace), body, user="alice")
    assert answer.status == 403, answer.message
    assert "spec.requester must be you" in answer.message


@pytest.mark.parametrize("place", ["kube-system", "daypass-system"])
def test_t21_nothing_is_asked_in_namespaces_that_are_never_granted(bare_cluster: Bed, place: str) -> None:
    answer = bare_cluster.request("POST", path_of("accessrequests", place), a_request(place, "admin"))
    assert answer.status == 403
    assert "nothing is granted in this namespace" in answer.message


@pytest.mark.parametrize("place", ["kube-system", "daypass-system"])
def test_t60_nothing_is_asked_for_accounts_of_the_cluster_itself(bare_cluster: Bed, namespace: str, place: str) -> None:
    subject = {"kind": "ServiceAccount", "namespace": place, "name": "default"}
    path = path_of("accessrequests", namespace)
    answer = bare_cluster.request("POST", path, a_request(namespace, subject=subject), user="alice")
    assert answer.status == 403
    assert "are never granted access" in answer.message
    permit = a_request(
        namespace, subject=subject, workload={"serviceAccountName": "agent", "privileges": ["HostPorts"]}
    )
    del permit["spec"]["role"]
    assert bare_cluster.request("POST", path, permit, user="alice").status == 201


def test_t35_metadata_that_hides_or_ends_a_request_is_guarded(bare_cluster: Bed, namespace: str, areq: Json) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
    path = path_of("accessrequests", namespace, areq["metadata"]["name"])
    for metadata in ({"finalizers": ["example.com/keep"]}, {"ownerReferences": [owner]}):
        for user in ("alice", "admin"):
            assert bare_cluster.request("PATCH", path, {"metadata": metadata}, user=user).status == 403
        born = a_request(namespace)
        born["metadata"].update(metadata)
        assert bare_cluster.request("POST", path_of("accessrequests", namespace), born, user="alice").status == 403
    assert bare_cluster.request("PATCH", path, {"metadata": {"labels": {"team": "shop"}}}, user="alice").status == 200


def test_t35_nobody_labels_or_annotates_what_others_asked_for(bare_cluster: Bed, areq: Json) -> None:
    path = status_path(areq).removesuffix("/status")
    for metadata in ({"labels": {"team": "mine"}}, {"annotations": {"note": "x" * 1000}}):
        answer = bare_cluster.request("PATCH", path, {"metadata": metadata}, user="erin")
        assert answer.status == 403
        assert "somebody else's" in answer.message
        for who in ("alice", "admin"):
            assert bare_cluster.request("PATCH", path, {"metadata": metadata}, user=who).status == 200


def test_t35_requesters_cant_delete_requests(bare_cluster: Bed, namespace: str, areq: Json) -> None:
    path = path_of("accessrequests", namespace, areq["metadata"]["name"])
    for user in ("alice", "bob", f"{namespace}/agent"):
        assert bare_cluster.request("DELETE", path, user=user).status == 403
        assert bare_cluster.request("DELETE", path_of("accessrequests", namespace), user=user).status == 403


def test_t33_kubernetes_itself_can_finish_a_deletion(bare_cluster: Bed, namespace: str, areq: Json) -> None:
    name = areq["metadata"]["name"]
    # The garbage collector looks for new kinds every 30 s, so on a young bed it does not know requests yet.
    bare_cluster.kubectl("delete", "accessrequest", name, "-n", namespace, "--cascade=foreground", "--timeout=90s")
    assert bare_cluster.get("accessrequest", name, namespace) is None
