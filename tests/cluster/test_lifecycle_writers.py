"""Others who write to what is the controller's: the objects of a grant (T26), and status as a second manager (T67)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bed import Bed
from bed.http import Response
from cluster.errands import MERGE, RBAC, TEAM, Errand, Json
from cluster.foreign import ForeignWebhook

BINDING = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/daypass-labelled-objects"
APPLY = {"Content-Type": "application/apply-patch+yaml"}


@pytest.fixture
def errand(cluster: Bed, namespace: str) -> Errand:
    return Errand(cluster, namespace)


@pytest.fixture
def unguarded(errand: Errand) -> Iterator[Errand]:
    """An admin has taken away what keeps others from writing to the objects of a grant."""
    guard = errand.bed.request("GET", BINDING).json
    assert errand.bed.request("DELETE", BINDING).status == 200
    yield errand
    metadata = {key: guard["metadata"][key] for key in ("name", "labels", "annotations") if key in guard["metadata"]}
    answer = errand.bed.request("POST", BINDING.rpartition("/")[0], {**guard, "metadata": metadata})
    assert answer.status == 201, answer.message


def _edit(errand: Errand, plural: str, uid: str, patch: Json) -> bool:
    return errand.bed.request("PATCH", errand.object_path(plural, uid), patch, headers=MERGE).status == 200


def test_t26_binding_edited_by_others_is_restored(unguarded: Errand) -> None:
    unguarded.policy()
    uid = unguarded.grant("fix", seconds=120)
    made = unguarded.binding(uid)
    assert made is not None
    stranger = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "erin"}
    patch = {"subjects": [*made["subjects"], stranger]}
    unguarded.bed.wait_until(lambda: _edit(unguarded, "rolebindings", uid, patch), what="the guard is gone")

    def restored() -> bool:
        found = unguarded.binding(uid)
        assert found is not None, "restored, not taken away"
        assert found["metadata"]["uid"] == made["metadata"]["uid"]
        return bool(found["subjects"] == made["subjects"])

    unguarded.bed.wait_until(restored, 25)
    assert unguarded.may()
    assert not unguarded.may("erin")
    assert unguarded.state("fix") == "Active"
    unguarded.bed.wait_until(lambda: "GrantRestored" in unguarded.events("fix"))


def test_t26_binding_that_another_webhook_spoils_again_is_taken_away(unguarded: Errand, tmp_path: Path) -> None:
    unguarded.policy()
    uid = unguarded.grant("fix", seconds=120)
    stranger = {"apiGroup": RBAC, "kind": "User", "name": "erin"}
    webhook = ForeignWebhook(
        unguarded.bed,
        tmp_path,
        "zz-spoiling.example.com",
        lambda *_: [{"op": "add", "path": "/subjects/-", "value": stranger}],
    )

    def failed() -> bool:
        _edit(unguarded, "rolebindings", uid, {"subjects": [stranger]})
        return unguarded.state("fix") == "Failed"

    try:
        webhook.register("Mutating", "/", [unguarded.namespace], ["UPDATE"], ["rolebindings"], RBAC)
        unguarded.bed.wait_until(failed, what="what can't be restored ends")
        unguarded.bed.wait_until(lambda: unguarded.binding(uid) is None)
        assert not unguarded.may("erin")
    finally:
        webhook.stop()


def test_t26_deadline_stretched_by_others_is_put_back(unguarded: Errand) -> None:
    unguarded.policy()
    uid = unguarded.grant("fix", seconds=120)
    patch = {"spec": {"activeDeadlineSeconds": 100_000}}
    unguarded.bed.wait_until(lambda: _edit(unguarded, "jobs", uid, patch), what="the guard is gone")

    def corrected() -> bool:
        job = unguarded.job(uid)
        return job is not None and job["spec"]["activeDeadlineSeconds"] <= 121

    unguarded.bed.wait_until(corrected, 25)
    assert unguarded.state("fix") == "Active"


@pytest.mark.parametrize("user", ["bob", "admin"])
def test_t67_second_manager_of_equal_values_does_not_keep_what_the_controller_clears(errand: Errand, user: str) -> None:
    errand.policy()
    start = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    errand.ask("later", startTime=start)
    errand.until("later", "AwaitingApproval")
    errand.approve("later")
    before = errand.until("later", "Scheduled")
    own = {key: value for key, value in before.items() if key != "reviews"}
    assert "approvedTime" in own
    answer = _apply(errand, {**own, "approvedTime": "2020-01-01T00:00:00Z"}, user)
    assert answer.status in {403, 422}, "other values"
    assert "status is written by Daypass" in answer.message
    assert _apply(errand, own, user).status == 200, "equal values change nothing but who says so"
    assert ("gitops", "Apply", "status") in _managers(errand)
    assert errand.status("later") == before
    errand.policy(approvals=[{**TEAM, "required": 2}])
    after = errand.until("later", "AwaitingApproval")
    assert "approvedTime" not in after
    assert after["digest"] != before["digest"]
    assert [one["required"] for one in after["stages"]] == [2]
    assert errand.condition("later", "Approved")["status"] == "False"


def _apply(errand: Errand, status: Json, user: str) -> Response:
    """Server-side apply by another manager, who takes the fields over where it has to."""
    body = {"apiVersion": "daypass.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": "later"}}
    path = f"{errand.path('later')}/status?fieldManager=gitops&force=true"
    return errand.bed.request("PATCH", path, {**body, "status": status}, user=user, headers=APPLY)


def _managers(errand: Errand) -> set[tuple[str, str, str]]:
    found = errand.get("later")["metadata"]["managedFields"]
    return {(one["manager"], one["operation"], one.get("subresource", "")) for one in found}
