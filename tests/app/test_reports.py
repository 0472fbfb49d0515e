"""What is reported of policies costs few questions. The API server here is a fake that answers them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from daypass.app.policies.known import Policies
from daypass.app.policies.reports import Reports
from daypass.app.ports import ApiError, Json, Resource
from daypass.domain.gate_bounds import Bounds
from daypass.domain.policy import Policy
from daypass.expressions.cel import CelExpressions


class Answering:
    """A fake of the calls that reports make."""

    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self.asked = 0
        self.told: dict[str, str] = {}
        self.said = ""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def create(self, _resource: Resource, _body: Json, _namespace: str = "") -> Json:
        self.asked += 1
        await asyncio.sleep(0)
        return {"status": {"allowed": self.allowed}}

    async def merge_patch(
        self, _resource: Resource, name: str, patch: Json, _namespace: str = "", subresource: str = ""
    ) -> Json:
        self.told[name] = patch[subresource]["conditions"][0]["status"]
        self.said = patch[subresource]["conditions"][0]["message"]
        return a_policy(name, version="2", **{subresource: patch[subresource]})


def a_policy(name: str, version: str = "1", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "ApprovalPolicy",
        "metadata": {"name": name, "uid": name, "generation": 1, "resourceVersion": version},
        "spec": {
            "effect": "Allow",
            "match": {"grants": {"roles": [{"kind": "ClusterRole", "name": "edit"}]}},
            "autoApprove": True,
        },
        **more,
    }


@pytest.mark.parametrize(("allowed", "questions"), [(True, 1), (False, 20)])
async def test_policies_that_name_the_same_role_share_a_yes_but_never_a_no_on_a_fake_server(
    allowed: bool,  # noqa: FBT001 - a parameter
    questions: int,
) -> None:
    server: Any = Answering(allowed=allowed)
    policies = Policies()
    names = [f"policy-{number}" for number in range(20)]
    for name in names:
        policies.take(a_policy(name))
    reports = Reports(server, server, policies, CelExpressions())
    await asyncio.gather(*map(reports.report, names))
    assert server.asked == questions
    assert server.told == dict.fromkeys(names, str(allowed))


async def test_t45_a_gate_for_what_daypass_runs_on_stalls_the_policy_on_a_fake_server() -> None:
    server: Any = Answering(allowed=True)
    policies = Policies()
    for name, namespace in (("ours", "jit"), ("other", "daypass-system")):
        body = a_policy(name)
        body["spec"]["gate"] = {"workloads": {"namespaces": [namespace], "privileges": ["HostPorts"]}}
        policies.take(body)
    reports = Reports(server, server, policies, CelExpressions(), bounds=Bounds("jit"))
    await asyncio.gather(*map(reports.report, ("ours", "other")))
    assert server.told == {"ours": "False", "other": "True"}


class Pending:
    """Nobody has got to any gate yet, or all are in force."""

    def __init__(self, fault: str | None) -> None:
        self.now = fault

    def fault(self, _policy: Policy) -> str | None:
        return self.now


async def test_a_gate_is_pending_until_it_is_in_force_and_a_restart_changes_nothing_on_a_fake_server() -> None:
    server: Any = Answering(allowed=True)
    policies, gates = Policies(), Pending(None)
    gated = a_policy("p")
    gated["spec"]["gate"] = {"workloads": {"privileges": ["Baseline"]}}
    policies.take(gated)
    reports = Reports(server, server, policies, CelExpressions(), gates)
    await reports.report("p")
    assert server.told == {"p": "False"}
    gates.now = ""
    await reports.report("p")
    assert server.told == {"p": "True"}
    server.told.clear()
    gates.now = None  # another process, that has not looked yet
    await reports.report("p")
    assert server.told == {}
    gates.now = "no gate on the vault"
    await reports.report("p")
    assert server.told == {"p": "False"}


class Serving:
    """A fake of discovery: what it serves, or that it fails."""

    def __init__(self, served: dict[str, str] | None) -> None:
        self.served = served

    async def of_plural(self, group: str, plural: str) -> Resource | None:
        if self.served is None:
            raise ApiError("later", 503)
        return Resource(group, "v1", plural, "Any", namespaced=True) if self.served.get(plural) == group else None


@pytest.mark.parametrize(
    ("served", "end"),
    [
        ({"pods": "", "widgets": "example.org"}, "webhook configuration."),
        (
            {"pods": ""},
            "But the cluster does not serve widgets in the core group or example.org: there the gate stops nothing.",
        ),
        (None, "webhook configuration."),
    ],
)
async def test_a_resource_that_the_cluster_does_not_serve_is_told_and_no_fault_on_a_fake_server(
    served: dict[str, str] | None, end: str
) -> None:
    server: Any = Answering(allowed=True)
    kinds: Any = Serving(served)
    policies = Policies()
    gated = a_policy("p")
    action = {"verbs": ["connect", "delete"], "groups": ["", "example.org"], "resources": ["pods/exec", "widgets"]}
    gated["spec"]["gate"] = {"actions": [action]}
    policies.take(gated)
    await Reports(server, server, policies, CelExpressions(), Pending(""), kinds=kinds).report("p")
    assert server.told == {"p": "True"}
    assert server.said.endswith(end)
