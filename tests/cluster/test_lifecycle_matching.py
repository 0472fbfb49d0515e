"""Which policies govern a request, and what becomes of one that can't be decided, on the real API server."""

import pytest

from bed import Bed
from cluster.errands import TEAM, Errand, Json

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


def test_t11_a_condition_that_cannot_be_evaluated_grants_nothing(errand: Errand) -> None:
    condition = {"expression": "request.namespaceLabels['tier'] == 'test'", "message": "test only"}
    name = errand.policy(autoApprove=True, match={"conditions": [condition]})
    uid = errand.ask("fix")
    errand.until("fix", "Undecided")
    assert name in errand.condition("fix", "Ready")["message"]
    assert errand.binding(uid) is None
    errand.bed.kubectl("label", "namespace", errand.namespace, "tier=test")
    errand.until("fix", "Active")
