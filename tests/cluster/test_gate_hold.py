"""Pods that wait at the gate: held, asked for once, let go by the controller alone."""

import time
from pathlib import Path

import pytest

from bed import Bed
from cluster.errands import Json
from cluster.gated import HELD, HELD_FOR, HOST_PATH, SCHEDULING_GATE, Gated, a_pod, a_spec, a_workload
from cluster.meddling import meddling

KINDS = ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "replicationcontrollers")


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def _gates(pod: Json) -> list[str]:
    return [one["name"] for one in pod["spec"].get("schedulingGates") or ()]


def _is_held(pod: Json) -> bool:
    return SCHEDULING_GATE in _gates(pod) and pod["metadata"]["labels"].get(HELD) == "true"


def _the_request(shop: Gated) -> str:
    (made,) = shop.bed.wait_until(shop.made, 25, what="a request")
    name = str(made["metadata"]["name"])
    shop.until(name, "AwaitingApproval")
    return name


@pytest.mark.parametrize("plural", KINDS)
def test_t43_the_pods_of_every_workload_kind_wait_for_one_request(shop: Gated, plural: str) -> None:
    shop.gate(on_missing="Hold")
    if plural == "daemonsets":
        shop.with_a_node()
    name = f"it-{plural}"[:20]
    body = a_workload(plural, name, a_spec(**HOST_PATH, tolerations=[{"operator": "Exists"}]))
    if plural in {"deployments", "replicasets", "replicationcontrollers"}:
        body["spec"]["replicas"] = 3
    elif plural == "jobs":
        body["spec"] |= {"parallelism": 3, "completions": 3}
    elif plural == "statefulsets":
        body["spec"] |= {"replicas": 3, "podManagementPolicy": "Parallel"}
    count = 1 if plural == "daemonsets" else 3
    assert shop.create(plural, body).status == 201
    shop.bed.wait_until(lambda: len(shop.pods(name)) == count, 30, what=f"{count} pods of {name}")
    assert all(map(_is_held, shop.pods(name)))
    request = _the_request(shop)
    spec = shop.get(request)["spec"]
    assert spec["workload"]["authors"] == ["alice"]
    assert spec["requester"]["username"] == "alice"
    assert (spec["workload"]["owner"]["kind"], spec["workload"]["owner"]["name"]) == (body["kind"], name)
    assert shop.review(request, user="alice").status == 403
    shop.approve(request)
    shop.bed.wait_until(
        lambda: len(shop.pods(name)) == count and not any(map(_is_held, shop.pods(name))), 20, what="pods let go"
    )
    assert len(shop.made()) == 1


def test_t43_the_runs_of_a_cron_job_wait_for_one_request(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    assert shop.create("cronjobs", a_workload("cronjobs", "nightly")).status == 201
    shop.bed.wait_until(lambda: len(shop.pods("nightly-")) == 2, 150, what="two runs")
    assert all(map(_is_held, shop.pods("nightly-")))
    request = _the_request(shop)
    spec = shop.get(request)["spec"]["workload"]
    assert (spec["owner"]["kind"], spec["owner"]["name"], spec["authors"]) == ("CronJob", "nightly", ["alice"])
    assert shop.review(request, user="alice").status == 403
    shop.approve(request)
    shop.bed.wait_until(lambda: not any(map(_is_held, shop.pods("nightly-"))), 25, what="both let go")
    assert len(shop.made()) == 1


def test_a_bare_pod_waits_and_its_own_gates_stay(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    own = [{"name": "example.com/quota"}]
    answer = shop.create("pods", a_pod("bare", a_spec(**HOST_PATH, schedulingGates=own), labels={"app": "x"}))
    assert answer.status == 201, answer.message
    assert _gates(answer.json) == ["example.com/quota", SCHEDULING_GATE]
    assert answer.json["metadata"]["labels"] == {"app": "x", HELD: "true"}
    assert HELD_FOR in answer.json["metadata"]["annotations"]
    request = _the_request(shop)
    more = [{"op": "add", "path": "/spec/tolerations/-", "value": {"key": "spot", "operator": "Exists"}}]
    assert shop.patch("pods", "bare", more).status == 403, "it may then run elsewhere than was asked"
    shop.approve(request)
    shop.bed.wait_until(lambda: _gates(shop.read("pods", "bare")) == ["example.com/quota"], 25, what="the pod let go")
    assert HELD_FOR not in shop.read("pods", "bare")["metadata"].get("annotations", {})


def test_another_controller_takes_its_own_gate_off_a_held_pod(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    own = [{"name": "example.com/quota"}]
    assert shop.create("pods", a_pod("bare", a_spec(**HOST_PATH, schedulingGates=own))).status == 201
    request = _the_request(shop)
    answer = shop.patch("pods", "bare", [{"op": "remove", "path": "/spec/schedulingGates/0"}], user="erin")
    assert answer.status == 200, answer.message
    assert _gates(answer.json) == [SCHEDULING_GATE]
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": "registry.example/it:2"}]
    assert shop.patch("pods", "bare", image).status == 403, "that is not what was asked for"
    shop.approve(request)
    shop.bed.wait_until(lambda: _gates(shop.read("pods", "bare")) == [], 25, what="the pod let go")


def test_what_needs_no_approval_is_not_held(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    assert _gates(shop.create("pods", a_pod(spec=a_spec()), user=shop.agent).json) == []
    assert _gates(shop.create("pods", a_pod(spec=a_spec("plain", **HOST_PATH))).json) == []
    by_hand = a_spec("plain", schedulingGates=[{"name": SCHEDULING_GATE}])
    forged = shop.create("pods", a_pod("forged", by_hand, labels={HELD: "true"}), user=shop.agent)
    assert forged.status == 201, "a hold that nothing asks for would never end"
    assert _gates(forged.json) == []
    assert HELD not in forged.json["metadata"].get("labels", {})


def test_what_is_approved_already_is_not_held(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    job = a_workload("jobs", "job")
    assert shop.create("jobs", job).status == 201
    shop.approve(_the_request(shop))
    shop.bed.wait_until(lambda: shop.pods("job-") and not any(map(_is_held, shop.pods("job-"))), 25)
    (first,) = shop.pods("job-")
    pod = {"metadata": {"name": "again"}, "spec": a_spec(**HOST_PATH)}
    pod["metadata"]["ownerReferences"] = first["metadata"]["ownerReferences"]
    pod["metadata"]["labels"] = {k: v for k, v in first["metadata"]["labels"].items() if k != HELD}
    again = shop.create("pods", pod, user="alice")
    assert again.status == 201
    assert _gates(again.json) == []


def test_one_gate_that_denies_outweighs_one_that_holds(shop: Gated) -> None:
    shop.gate("holds", on_missing="Hold")
    shop.gate("denies")
    answer = shop.create("pods", a_pod())
    assert answer.status == 403
    assert "policies denies-" in answer.message
    assert "To ask" not in answer.message, "the gate that holds has it made"


def test_after_a_denial_what_was_held_stays_held_and_nothing_more_is_let_in(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    assert shop.create("pods", a_pod("bare")).status == 201
    request = _the_request(shop)
    assert shop.review(request, "Deny", comment="never on this node").status == 200
    shop.until(request, "Denied")
    assert _is_held(shop.read("pods", "bare"))
    told = shop.bed.wait_until(lambda: [one for one in shop.messages("bare") if "never on this node" in one], 25)
    assert "bob" in told[0]
    again = shop.create("pods", a_pod("again"))
    assert again.status == 403
    assert "never on this node" in again.message


def test_t56_once_the_denied_request_is_deleted_the_next_pod_is_asked_for_at_once(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    assert shop.create("pods", a_pod("run")).status == 201
    request = _the_request(shop)
    uid = shop.get(request)["metadata"]["uid"]
    assert shop.review(request, "Deny").status == 200
    shop.until(request, "Denied")
    for path in (shop.path(request), f"{shop.url('pods', 'run')}?gracePeriodSeconds=0"):
        assert shop.bed.request("DELETE", path).status == 200
    # Refused until the webhook has heard of the deletion too.
    shop.bed.wait_until(lambda: shop.create("pods", a_pod("run")).status == 201, 25)
    (again,) = shop.made()
    assert again["metadata"]["uid"] != uid


@pytest.mark.parametrize("user", ["alice", "admin", "agent"])
def test_t53_nobody_but_the_controller_takes_a_hold_off(shop: Gated, user: str) -> None:
    shop.gate(on_missing="Hold")
    assert shop.create("pods", a_pod("bare")).status == 201
    who = shop.agent if user == "agent" else user
    for patch in (
        [{"op": "remove", "path": "/spec/schedulingGates/0"}],
        [{"op": "replace", "path": "/spec/schedulingGates", "value": []}],
        [{"op": "replace", "path": "/spec/schedulingGates/0/name", "value": "example.com/other"}],
        [{"op": "remove", "path": "/metadata/labels/daypass.dev~1held"}],
        [{"op": "replace", "path": "/metadata/labels/daypass.dev~1held", "value": "no"}],
        [{"op": "replace", "path": "/metadata/annotations/daypass.dev~1held-for", "value": "other"}],
    ):
        answer = shop.patch("pods", "bare", patch, user=who)
        assert answer.status in {403, 422}, answer.message
    assert _is_held(shop.read("pods", "bare"))


def test_t54_a_pod_that_names_its_node_can_not_wait(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    answer = shop.create("pods", a_pod(spec=a_spec(**HOST_PATH, nodeName="node-1")))
    assert answer.status == 403
    assert "it can't wait for that: it names its node (spec.nodeName): leave that out, or ask" in answer.message
    assert shop.made() == []


def test_t54_a_held_pod_is_bound_by_nobody(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    assert shop.create("pods", a_pod("bare")).status == 201
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "bare"}, "target": target}
    answer = shop.bed.request("POST", f"{shop.url('pods', 'bare')}/binding", body)
    assert answer.status == 409
    assert "schedulingGates" in answer.message
    named = shop.patch("pods", "bare", [{"op": "add", "path": "/spec/nodeName", "value": "node-1"}], user="admin")
    assert named.status in {403, 422}


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        (
            [{"op": "remove", "path": "/spec/schedulingGates"}],
            "its scheduling gate daypass.dev/approval was not put on",
        ),
        ([{"op": "remove", "path": "/metadata/labels/daypass.dev~1held"}], "its label daypass.dev/held was not put on"),
        (
            [{"op": "remove", "path": "/metadata/annotations/daypass.dev~1held-for"}],
            "its annotation daypass.dev/held-for was not put on",
        ),
        ([{"op": "add", "path": "/spec/nodeName", "value": "node-1"}], "it names its node"),
    ],
)
def test_t57_another_webhook_that_takes_the_hold_off_is_noticed(
    shop: Gated, tmp_path: Path, patch: list[Json], told: str
) -> None:
    shop.gate(on_missing="Hold")

    def change(pod: Json) -> list[Json]:
        named = patch[0]["op"] == "add"
        return patch if pod["spec"].get("schedulingGates") and (not named or not pod["spec"].get("nodeName")) else []

    with meddling(shop.bed, tmp_path, shop.namespace, change):
        answer = shop.create("pods", a_pod())
        if answer.status != 201:  # else it was put on again when we were asked once more
            assert answer.status in {403, 422}, answer.message
            assert told in answer.message or "schedulingGates" in answer.message
        else:
            assert _is_held(answer.json)


def test_t50_what_another_webhook_adds_after_us_is_judged(shop: Gated, tmp_path: Path) -> None:
    shop.gate("denies")

    def change(pod: Json) -> list[Json]:
        volumes = [*(pod["spec"].get("volumes") or ()), {"name": "late", "hostPath": {"path": "/late"}}]
        named = pod["metadata"]["name"].startswith("late")
        return [{"op": "add", "path": "/spec/volumes", "value": volumes}] if named else []

    with meddling(shop.bed, tmp_path, shop.namespace, change):
        answer = shop.create("pods", a_pod("late", a_spec()))
        assert answer.status == 403
        assert "HostPathVolumes:/late" in answer.message


def test_t50_what_another_webhook_adds_after_us_is_held(shop: Gated, tmp_path: Path) -> None:
    shop.gate(on_missing="Hold")

    def change(pod: Json) -> list[Json]:
        volumes = pod["spec"].get("volumes") or []
        if not pod["metadata"]["name"].startswith("late") or any("hostPath" in one for one in volumes):
            return []
        late = {"name": "late", "hostPath": {"path": "/late"}}
        return [{"op": "add", "path": "/spec/volumes", "value": [*volumes, late]}]

    with meddling(shop.bed, tmp_path, shop.namespace, change):
        answer = shop.create("pods", a_pod("late", a_spec()))
        assert answer.status == 201, answer.message
        assert _is_held(answer.json)


def test_t47_a_dry_run_shows_the_hold_and_asks_for_nothing(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    answer = shop.create("pods", a_pod("bare"), dry_run=True)
    assert answer.status == 201
    assert _is_held(answer.json)
    assert shop.made() == []


def test_a_change_of_the_template_asks_anew(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    assert shop.create("deployments", a_workload("deployments", "web")).status == 201
    first = _the_request(shop)
    shop.bed.wait_until(lambda: shop.pods("web-"), 25)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "it", "image": "registry.example/it:2"}]}}}}
    assert shop.patch("deployments", "web", patch, user="bob").status == 200
    shop.bed.wait_until(lambda: len(shop.made()) == 2, 25, what="a request for the new template")
    second = next(one for one in shop.made() if one["metadata"]["name"] != first)
    assert second["spec"]["workload"]["authors"] == ["alice", "bob"]
    name = second["metadata"]["name"]
    shop.until(name, "AwaitingApproval")
    answer = shop.review(name, user="bob")
    assert answer.status == 403, "bob changed what runs (T55)"
    assert shop.review(name, user="carol").status == 200


def _requests_of(shop: Gated, author: str) -> list[str]:
    return [one["metadata"]["name"] for one in shop.made() if one["spec"]["workload"]["authors"] == [author]]


def test_a_held_pod_whose_own_labels_it_reads_changed_stays_held_and_says_what_to_do(shop: Gated) -> None:
    shop.gate(on_missing="Hold")
    shown = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    spec = a_spec(volumes=[*HOST_PATH["volumes"], {"name": "own", "downwardAPI": {"items": shown}}])
    assert shop.create("pods", a_pod("reads", spec)).status == 201
    _the_request(shop)
    assert shop.patch("pods", "reads", {"metadata": {"labels": {"tier": "other"}}}, user="erin").status == 200
    (told,) = shop.bed.wait_until(
        lambda: [one for one in shop.messages("reads") if one.startswith("Stays held: no AccessRequest is for it")], 90
    )
    assert "delete the pod" in told
    assert _is_held(shop.read("pods", "reads"))


def test_t55_a_pod_like_somebody_elses_waits_for_its_own_request(shop: Gated) -> None:
    """Somebody makes the same pod as alice, and then approves what was asked for hers, which is gone by then."""
    shop.gate(on_missing="Hold")
    names = {"alice": "d-alice", "bob": "d-bob"}
    for user, name in names.items():
        assert shop.create("pods", a_pod(name), user=user).status == 201
    shop.bed.wait_until(lambda: len(shop.made()) == 2, 25, what="a request for each")
    asked = {user: _requests_of(shop, user)[0] for user in names}
    for request in asked.values():
        shop.until(request, "AwaitingApproval")
    assert shop.review(asked["bob"], user="bob").status == 403, "it is his own"
    shop.bed.controller.terminate()
    assert shop.bed.request("DELETE", shop.url("pods", "d-alice") + "?gracePeriodSeconds=0").status == 200
    assert shop.review(asked["alice"], user="bob").status == 200
    shop.bed.controller.start()
    shop.until(asked["alice"], "Active")
    time.sleep(1)
    assert _is_held(shop.read("pods", "d-bob"))
    assert shop.state(asked["bob"]) == "AwaitingApproval"
    shop.approve(asked["bob"], "carol")
    shop.bed.wait_until(lambda: not _is_held(shop.read("pods", "d-bob")), 25, what="the pod let go")


def test_t14_a_pod_that_needs_more_than_was_approved_waits_for_another_request(shop: Gated) -> None:
    """Its ServiceAccount may do more than when the first pod of its owner was approved."""
    shop.gate(on_missing="Hold", privileges=["HostPathVolumes", "ServiceAccountPower"], agents=None)
    assert shop.create("deployments", a_workload("deployments", "web", a_spec("plain", **HOST_PATH))).status == 201
    first = _the_request(shop)
    shop.approve(first)
    shop.bed.wait_until(lambda: shop.pods("web-") and not any(map(_is_held, shop.pods("web-"))), 25)
    shop.bed.kubectl("create", "clusterrolebinding", shop.namespace, "--clusterrole=cluster-admin",
                     f"--serviceaccount={shop.namespace}:plain")  # fmt: skip
    try:
        time.sleep(1)
        assert shop.patch("deployments", "web", {"spec": {"replicas": 2}}).status == 200
        shop.bed.wait_until(lambda: len(shop.made()) == 2, 25, what="a request for what it needs now")
        second = next(one for one in shop.made() if one["metadata"]["name"] != first)
        assert "ServiceAccountPower:Critical" in second["spec"]["workload"]["privileges"]
        power = next(one for one in second["spec"]["workload"]["findings"] if one.startswith("ServiceAccountPower"))
        assert f"ClusterRoleBinding {shop.namespace} gives ClusterRole cluster-admin, which may do everything" in power
        name = second["metadata"]["name"]
        shop.until(name, "AwaitingApproval")
        time.sleep(1)
        assert [_is_held(pod) for pod in shop.pods("web-")].count(True) == 1
        shop.approve(name)
        shop.bed.wait_until(lambda: not any(map(_is_held, shop.pods("web-"))), 25, what="the pod let go")
    finally:
        shop.bed.kubectl("delete", "clusterrolebinding", shop.namespace)
