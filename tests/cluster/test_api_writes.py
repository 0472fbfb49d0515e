"""P10: how many API writes by our own identities a request's whole life takes, counted in the audit log."""

from collections.abc import Iterator
from typing import Any

import pytest

from bed import Bed
from bed.writes import writes_of

RULE = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
ROLE = {"role": {"kind": "ClusterRole", "name": "view"}}


@pytest.fixture(scope="module")
def with_rules(cluster: Bed) -> Iterator[Bed]:
    """What our operator may grant by rules is standing power, so the ordinary installation has none."""
    cluster.install({"grantableRules": [RULE]})
    yield cluster
    cluster.install()


@pytest.mark.parametrize(("grant", "most"), [(ROLE, 7), ({"rules": [RULE]}, 8)], ids=["role", "rules"])
def test_p10_whole_life_of_a_request_takes_no_more_writes_than_it_needs(
    with_rules: Bed, namespace: str, grant: dict[str, Any], most: int
) -> None:
    bed = with_rules
    bed.apply(_policy(namespace))
    path = f"/apis/daypass.dev/v1alpha1/namespaces/{namespace}/accessrequests"
    body = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "counted"},
        "spec": {**grant, "durationSeconds": 10, "reason": "To be counted"},
    }
    made = bed.request("POST", path, body, user="alice")
    assert made.status == 201, made.message
    uid = made.json["metadata"]["uid"]
    bed.wait_until(lambda: _state(bed, path) == "AwaitingApproval", what="evaluated")
    patch = {"status": {"review": {"decision": "Approve"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = bed.request("PATCH", f"{path}/counted/status", patch, user="bob", headers=headers)
    assert answer.status == 200, answer.message
    bed.wait_until(lambda: _state(bed, path) == "Expired", timeout=40, what="expired")
    found = writes_of(bed.audit_events(namespace), namespace, "counted", uid)
    assert len(found) <= most, found
    assert {"create jobs", "create rolebindings", "delete rolebindings"} <= set(found)


def _state(bed: Bed, path: str) -> str:
    conditions = bed.request("GET", f"{path}/counted").json.get("status", {}).get("conditions", [])
    return next((str(one["reason"]) for one in conditions if one["type"] == "Ready"), "")


def _policy(namespace: str) -> dict[str, Any]:
    match = {
        "namespaces": [namespace],
        "requesters": [{"kind": "Group", "name": "developers"}],
        "grants": {"roles": [ROLE["role"]], "rules": [RULE]},
    }
    approvals = [{"name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}]
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "ApprovalPolicy",
        "metadata": {"name": f"counted-{namespace}"},
        "spec": {"effect": "Allow", "match": match, "approvals": approvals},
    }
