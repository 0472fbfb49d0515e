"""A digest by the command, an approval for it, and then exactly that passes the gate."""

import json

import pytest

from bed import Bed
from cluster.digests import daypass_digest
from cluster.errands import Json
from cluster.gated import HOST_PATH, Gated, a_spec, a_workload


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def printed(shop: Gated, manifest: Json) -> str:
    done = daypass_digest(shop.bed, "-n", shop.namespace, "-", text=json.dumps(manifest))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def approved(shop: Gated, name: str, **spec: Json) -> None:
    """Ask for a permit, as the README says it is done by hand, and be approved."""
    body = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": shop.namespace},
        "spec": {"durationSeconds": 60, "reason": "To see it work", **spec},
    }
    answer = shop.bed.request("POST", shop.path(), body, user="alice")
    assert answer.status == 201, answer.message
    shop.until(name, "AwaitingApproval")
    shop.approve(name)
    shop.until(name, "Active")


@pytest.mark.parametrize("on_missing", ["Deny", "Hold"])
def test_a_workload_that_was_approved_by_its_digest_and_no_other(shop: Gated, on_missing: str) -> None:
    shop.gate(on_missing=on_missing)
    wanted, other = (
        a_workload("statefulsets", name, a_spec(**HOST_PATH, shareProcessNamespace=name == "evil"))
        for name in ("web", "evil")
    )
    digest = printed(shop, wanted)
    assert printed(shop, other) != digest
    assert shop.made() == []
    workload = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes"], "maxPods": 5}
    approved(shop, "exactly", workload={**workload, "podTemplateDigest": digest})
    assert shop.create("statefulsets", other).status == 201
    assert shop.create("statefulsets", wanted).status == 201
    free = shop.bed.wait_until(lambda: [one for one in shop.pods("web-") if not one["spec"].get("schedulingGates")])
    assert len(free) == 1
    (use,) = shop.bed.wait_until(lambda: shop.status("exactly").get("uses"))
    assert use["name"] == "web-0"
    if on_missing == "Deny":
        shop.bed.wait_until(lambda: any("denied the request" in one for one in shop.messages("evil")))
        assert shop.pods("evil-") == []
    else:
        (held,) = shop.bed.wait_until(lambda: shop.pods("evil-"))
        assert held["spec"]["schedulingGates"] == [{"name": "daypass.dev/approval"}]


def test_an_object_that_was_approved_by_its_digest_and_no_other(shop: Gated) -> None:
    action = {"verbs": ["create"], "groups": [""], "resources": ["configmaps"]}
    people = [{"kind": "User", "name": "*"}]
    policy = shop.policy(
        "objects",
        match={"requesters": people, "grants": {"actions": [action]}},
        gate={"actions": [{**action, "by": [{"kind": "User", "name": "alice"}]}]},
    )
    wanted: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "run"}, "data": {"run.sh": "true"}}
    other = {**wanted, "data": {"run.sh": "reboot"}}
    path = f"/api/v1/namespaces/{shop.namespace}/configmaps"

    def told() -> str:
        answer = shop.bed.request("POST", f"{path}?dryRun=All", wanted, user="alice")
        return answer.message if answer.status == 403 else ""

    assert policy in shop.bed.wait_until(told, 25, what="the gate is in force")
    digest = printed(shop, wanted)
    one_use = {"verb": "create", "group": "", "resource": "configmaps", "name": "run"}
    approved(shop, "exactly", action={**one_use, "objectDigest": digest})
    assert shop.bed.request("POST", path, other, user="alice").status == 403
    answer = shop.bed.request("POST", path, wanted, user="alice")
    assert answer.status == 201, answer.message
