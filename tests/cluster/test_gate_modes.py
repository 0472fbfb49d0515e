"""Gates that only warn or record, what they leave behind, and what is said before there is any pod."""

import itertools
import json
from typing import Any
from urllib.request import urlopen

import pytest

from bed import Bed
from cluster.gated import HOST_PATH, Gated, a_pod, a_spec, a_workload

KINDS = ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "replicationcontrollers")


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def _metric(shop: Gated, mode: str, outcome: str) -> float:
    with urlopen(f"http://{shop.bed._webhook_addresses[1]}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    head = f'daypass_gate_decisions_total{{mode="{mode}",outcome="{outcome}"}}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(head))


def _audited(shop: Gated, name: str) -> dict[str, Any]:
    """The audit annotations of the creation of a pod."""

    def found() -> dict[str, Any] | None:
        for event in reversed(shop.bed.audit_events(shop.namespace)):
            reference = event.get("objectRef", {})
            if (reference.get("resource"), reference.get("name"), event["verb"]) == ("pods", name, "create"):
                return dict(event.get("annotations") or {})
        return None

    annotations = shop.bed.wait_until(found, 25, what=f"the audit event of {name}")
    return {key.rpartition("/")[2]: value for key, value in annotations.items() if "daypass" in key}


def _create(shop: Gated, body: dict[str, Any], user: str = "alice") -> tuple[bool, list[str]]:
    """Whether it was created, and the warnings that kubectl shows."""
    done = shop.bed.kubectl("create", "-n", shop.namespace, "-f", "-", user=user, input=json.dumps(body), check=False)
    return done.returncode == 0, [line for line in done.stderr.splitlines() if line.startswith("Warning:")]


def test_a_gate_that_warns_stops_nobody(shop: Gated) -> None:
    policy = shop.gate(mode="Warn")
    before = _metric(shop, "Warn", "Uncovered")
    done, warnings = _create(shop, a_pod("warned"))
    assert done
    said = "pod warned: would be refused without an approved request for HostPathVolumes:/var/log"
    assert warnings == [f"Warning: {said} (policy {policy})"]
    assert _metric(shop, "Warn", "Uncovered") == before + 1
    assert shop.made() == []
    audited = _audited(shop, "warned")
    assert audited["warn-policies"] == policy
    assert audited["warn-privileges"] == "HostPathVolumes:/var/log"


def test_a_gate_that_records_says_nothing_to_the_caller(shop: Gated) -> None:
    policy = shop.gate(mode="Audit", on_missing="Hold")
    before = _metric(shop, "Audit", "Uncovered")
    done, warnings = _create(shop, a_pod("recorded"))
    assert done
    assert warnings == []
    assert "schedulingGates" not in shop.read("pods", "recorded")["spec"]
    assert _metric(shop, "Audit", "Uncovered") == before + 1
    assert _audited(shop, "recorded")["audit-policies"] == policy


def test_a_gate_that_enforces_leaves_the_same_behind(shop: Gated) -> None:
    policy = shop.gate()
    before = _metric(shop, "Enforce", "Refused")
    assert shop.create("pods", a_pod("refused")).status == 403
    assert _metric(shop, "Enforce", "Refused") == before + 1
    audited = _audited(shop, "refused")
    assert audited["policies"] == policy
    assert audited["decision"] == "Refused"
    assert audited["privileges"] == "HostPathVolumes:/var/log"


def test_gates_of_different_modes_each_say_their_own(shop: Gated) -> None:
    shop.gate("enforced", privileges=["PrivilegedContainers"])
    warned = shop.gate("warned", mode="Warn")
    shop.gate("recorded", mode="Audit")
    done, warnings = _create(shop, a_pod("both"))
    assert done
    assert len(warnings) == 1
    assert warnings[0].endswith(f" (policy {warned})")
    audited = _audited(shop, "both")
    assert audited["warn-policies"] == warned
    assert audited["audit-privileges"] == "HostPathVolumes:/var/log"


@pytest.mark.parametrize(("plural", "on_missing"), list(zip(KINDS, itertools.cycle(("Deny", "Hold")), strict=False)))
def test_t43_a_workload_is_told_early_what_its_pods_will_need(shop: Gated, plural: str, on_missing: str) -> None:
    policy = shop.gate(on_missing=on_missing)
    done, warnings = _create(shop, a_workload(plural, "it"))
    assert done
    below = plural in {"deployments", "cronjobs"} and on_missing == "Deny"
    assert len(warnings) == 1 + below
    assert not below or warnings[1].endswith(f"how to ask: kubectl get events -n {shop.namespace}")
    assert ": its pods " in warnings[0]
    assert f"(policy {policy})" in warnings[0]
    assert "HostPathVolumes:/var/log" in warnings[0]
    assert len(warnings[0]) <= 120 + len("Warning: ")
    done, warnings = _create(shop, a_workload(plural, "harmless", a_spec()))
    assert done
    assert warnings == []
    done, warnings = _create(shop, a_workload(plural, "hers", a_spec("plain", **HOST_PATH)))
    assert (done, warnings) == (True, [])


@pytest.mark.parametrize("on_missing", ["Deny", "Hold"])
def test_t43_a_workload_that_is_covered_already_is_told_nothing(shop: Gated, on_missing: str) -> None:
    shop.gate(on_missing=on_missing)
    workload = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes"], "maxPods": 9}
    shop.grant("exactly", workload={**workload, "podTemplateDigest": "0" * 64})
    number = itertools.count()

    def told() -> list[str]:
        done, warnings = _create(shop, a_workload("jobs", f"job-{next(number)}"))
        assert done
        return warnings

    def unless() -> str:
        (said,) = told()
        return said if "its pods, unless exactly is for them, " in said else ""

    assert "HostPathVolumes:/" in shop.bed.wait_until(unless)
    shop.grant("any", workload=workload)
    assert shop.bed.wait_until(lambda: told() == [], what="the webhook knows the other request")


def test_a_mirror_pod_is_a_nodes_own_business(shop: Gated) -> None:
    shop.gate(agents=None)
    body = a_pod("static", a_spec(nodeName="node-1", **HOST_PATH), annotations={"kubernetes.io/config.mirror": "h"})
    del body["spec"]["serviceAccountName"]
    body["spec"]["automountServiceAccountToken"] = False
    node = {"Impersonate-User": "system:node:node-1"}
    allowed = shop.bed.request("POST", shop.url("pods"), body, headers={**node, "Impersonate-Group": "system:nodes"})
    assert allowed.status == 201 or "denied the request" not in allowed.message, allowed.message
    refused = shop.bed.request("POST", shop.url("pods"), {**body, "metadata": {**body["metadata"], "name": "false"}})
    assert refused.status == 403
    assert "wants an approved request" in refused.message
