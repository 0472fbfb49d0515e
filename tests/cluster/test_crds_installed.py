"""The examples, and the faults of policies, where Daypass is installed and running."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.case_tables import cases
from bed import Bed

EXAMPLES = Path(__file__).parents[2] / "examples"
POLICY = cases("approvalpolicies", "accepted")[0].body


@pytest.fixture
def policies(cluster: Bed) -> Iterator[list[str]]:
    """The example policies, as a newcomer applies them."""
    made = cluster.kubectl("apply", "-f", str(EXAMPLES / "policies"), "-o", "name").stdout.split()
    yield made
    cluster.kubectl("delete", *made)


def _conditions(bed: Bed, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    body = bed.get(kind, name, namespace) or {}
    return {one["type"]: one for one in body.get("status", {}).get("conditions", [])}


def test_example_policies_are_ready_or_say_what_they_need(cluster: Bed, policies: list[str]) -> None:
    for reference in policies:
        name = reference.rpartition("/")[2]

        def ready(name: str = name) -> dict[str, Any] | None:
            found = _conditions(cluster, "approvalpolicy", name).get("Ready")
            return None if found is None or found["reason"] == "GatePending" else found

        condition = cluster.wait_until(ready, what=f"conditions of policy {name}")
        if name == "restart":  # its rules are beyond what the chart lets the controller hand out by default
            assert condition["status"] == "False"
            assert "pods" in condition["message"]
        else:
            assert condition["status"] == "True", condition


def test_applying_the_examples_again_changes_nothing(cluster: Bed, policies: list[str]) -> None:
    assert policies
    again = cluster.kubectl("apply", "-f", str(EXAMPLES / "policies")).stdout
    assert {line.rpartition(" ")[2] for line in again.splitlines()} == {"unchanged"}


@pytest.mark.parametrize("way", [(), ("--server-side",)])
def test_a_request_that_somebody_else_applies_again_stays_as_it_is(
    cluster: Bed, namespace: str, way: tuple[str, ...]
) -> None:
    manifest = (EXAMPLES / "requests" / "edit.yaml").read_text().replace("namespace: shop", f"namespace: {namespace}")
    agent = f"{namespace}/agent"
    cluster.kubectl("create", "-f", "-", input=manifest, user=agent)
    before = cluster.get("accessrequest", "fix-checkout", namespace)
    assert before is not None
    assert before["spec"]["subject"] == {"kind": "ServiceAccount", "namespace": namespace, "name": "agent"}
    for _ in range(2):
        cluster.kubectl("apply", *way, "-f", "-", input=manifest, user="admin")
    after = cluster.get("accessrequest", "fix-checkout", namespace)
    assert after is not None
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"matches": {}}, "spec.matches: unknown field"),
        ({"match": {**POLICY["spec"]["match"], "namespaces": None}}, "namespaces must not be null"),
        ({"match": {**POLICY["spec"]["match"], "requester": []}}, "spec.match.requester: unknown field"),
        (
            {
                "match": {
                    **POLICY["spec"]["match"],
                    "conditions": [{"expression": "request.tikcet == ''", "message": "m"}],
                }
            },
            "undeclared reference to 'request.tikcet' (did you mean request.ticket?)",
        ),
        (
            {"match": {**POLICY["spec"]["match"], "conditions": [{"expression": "risk.level", "message": "m"}]}},
            "spec.match.conditions[0].expression: must be of type bool, and is int",
        ),
        ({"limits": {"ticketPattern": "("}}, "spec.limits.ticketPattern: "),
        (
            {"approvals": [{"name": "a", "approvers": {"groups": ["b"]}, "when": "request.ticket.matches('(')"}]},
            "spec.approvals[0].when: '(' is not a pattern of RE2",
        ),
    ],
)
def test_t19_what_would_make_a_policy_looser_is_refused_in_words(
    cluster: Bed, change: dict[str, Any], words: str
) -> None:
    body = {**POLICY, "metadata": {"name": "looser"}, "spec": {**POLICY["spec"], **change}}
    for options in ((), ("--validate=false",)):
        refused = cluster.kubectl("create", *options, "-f", "-", input=json.dumps(body), check=False)
        assert refused.returncode != 0
        assert words in refused.stderr
