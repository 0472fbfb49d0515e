"""What the maker of a workload is told before there is any pod. What is known is made up."""

from dataclasses import replace
from typing import Any, cast

import pytest

from app.gate_scene import SHOP, Scene
from builders import a_person, a_request
from daypass.app.admission.answer import Call, Operation
from daypass.app.admission.gates.inspection import Inspection
from daypass.app.admission.gates.workloads import Workloads
from daypass.app.owners import Owners
from daypass.domain.request import Request, WorkloadGrant
from daypass.signing.canonical import canonical_json
from gate_builders import a_gate, workloads

ASKED = "need an approved request for"
BELOW = "see the events of its ReplicaSet for how to ask: kubectl get events -n shop"


def told(plural: str, *, hold: bool = False, covering: Request | None = None) -> list[str]:
    gate = workloads(SHOP, agents=("/agent",), privileges=("HostPathVolumes",), hold=hold)
    scene: Any = Scene(policies=(a_gate("gate", gate),))
    scene.for_template = lambda *_: covering
    spec = {
        "serviceAccountName": "agent",
        "containers": [],
        "volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}],
    }
    body = {"kind": "It", "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}
    call = Call(Operation.CREATE, plural, a_person("alice"), "web", SHOP, body, group="apps")
    inspection = Inspection(scene, Owners(cast("Any", scene.server)), canonical_json)
    return list(Workloads(inspection, scene).decide(call).warnings)


def test_of_a_deployment_whose_pods_are_refused_the_events_of_its_replica_set_tell() -> None:
    asked, below = told("deployments")
    assert ASKED in asked
    assert below == f"It web: {BELOW}"


@pytest.mark.parametrize(("plural", "hold"), [("jobs", False), ("deployments", True)])
def test_nothing_of_events_where_its_own_tell_or_its_pods_wait(plural: str, *, hold: bool) -> None:
    assert len(told(plural, hold=hold)) == 1


def test_nothing_is_said_of_what_is_covered_already() -> None:
    grant = WorkloadGrant("agent", ("HostPathVolumes",))
    assert told("deployments", covering=a_request().with_(grant=grant).build()) == []
    grant = WorkloadGrant("agent", ("HostPathVolumes",), pod_template_digest="0" * 64)
    asked, _ = told("deployments", covering=replace(a_request().with_(grant=grant).build(), name="ask-1"))
    assert "its pods, unless ask-1 is for them, " in asked
