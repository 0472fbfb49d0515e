"""Which policies govern a request, and what becomes of one that can't be decided, on the real API server."""

import pytest

from bed import Bed
from cluster.errands import MERGE, RBAC, TEAM, Errand, Json

EDIT = {"kind": "ClusterRole", "name": "edit"}
MALLORY = {"kind": "User", "name": "mallory"}


@pytest.fixture
def errand(cluster: Bed, namespace: str) -> Errand:
    return Errand(cluster, namespace)


def test_t18_what_is_approved_for_the_requester_is_not_for_another(errand: Errand) -> None:
    errand.policy(autoApprove=True)
    uid = errand.ask("given-away", subject=MALLORY)
    errand.until("given-away", "Denied")
    assert errand.binding(uid) is None
    errand.ask("own")
    errand.until("own", "Active")


def test_t18_another_may_receive_what_a_policy_lets_them_receive(errand: Errand) -> None:
    errand.policy(autoApprove=True, match={"subjects": [MALLORY]})
    uid = errand.ask("for-mallory", subject=MALLORY)
    errand.until("for-mallory", "Active")
    binding = errand.binding(uid)
    assert binding is not None
    assert [one["name"] for one in binding["subjects"]] == ["mallory"]
    errand.ask("own")
    errand.until("own", "Denied")


def test_t09_a_looser_policy_beside_a_stricter_one_changes_nothing(errand: Errand) -> None:
    strict = errand.policy("strict", roles=[EDIT])
    loose = errand.policy("loose", roles=[EDIT], autoApprove=True)
    uid = errand.ask("fix", role=EDIT)
    status = errand.until("fix", "AwaitingApproval")
    assert {one["name"] for one in status["policies"]} == {strict, loose}
    assert errand.binding(uid) is None
    errand.approve("fix")
    errand.until("fix", "Active")


@pytest.mark.parametrize("field", ["policy", "policies", "approvals", "stages"])
def test_t09_a_request_names_no_policy_and_no_approvers(errand: Errand, field: str) -> None:
    body: Json = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "mine", "namespace": errand.namespace},
        "spec": {"role": EDIT, "durationSeconds": 60, "reason": "Mine", field: [TEAM]},
    }
    answer = errand.bed.request("POST", f"{errand.path()}?fieldValidation=Strict", body, user="alice")
    assert answer.status == 400
    assert f'unknown field "spec.{field}"' in answer.message
    loose = errand.bed.request("POST", errand.path(), body, user="alice")
    assert loose.status != 201 or field not in loose.json["spec"]


def test_t11_a_role_that_cannot_be_read_any_more_is_not_granted(errand: Errand) -> None:
    """The watch still knows the role; who grants reads it again, is refused, and says so."""
    path = f"/apis/{RBAC}/v1/clusterroles/daypass-controller"
    rules = errand.bed.request("GET", path).json["rules"]
    blind = [rule for rule in rules if rule["resources"] != ["clusterroles"] or rule["verbs"] == ["bind"]]
    assert len(blind) == len(rules) - 1
    errand.policy()
    uid = errand.ask("fix")
    errand.until("fix", "AwaitingApproval")
    try:
        assert errand.bed.request("PATCH", path, {"rules": blind}, headers=MERGE).status == 200
        errand.approve("fix")
        errand.until("fix", "Undecided")
        assert "cannot get resource" in errand.condition("fix", "Ready")["message"]
        assert errand.binding(uid) is None
    finally:
        assert errand.bed.request("PATCH", path, {"rules": rules}, headers=MERGE).status == 200
    errand.until("fix", "Active", timeout=60)
