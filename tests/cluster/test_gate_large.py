"""Pods at the gate as large as the API server takes them: judged, or refused with a clear error (T49)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bed import Bed
from cluster.errands import Json
from cluster.gated import EVERYTHING, Gated, a_pod, a_spec

MOST_OF_THREE_MEBIBYTES = 2_900_000


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Gated:
    return Gated.open(cluster, namespace)


def _containers(count: int, **more: object) -> list[Json]:
    return [{"name": f"c{number}", "image": "registry.example/it:1", **more} for number in range(count)]


def _up(shop: Gated) -> None:
    assert shop.create("pods", a_pod(spec=a_spec("plain")), dry_run=True).status == 201


def test_t49_a_thousand_containers_are_judged(shop: Gated) -> None:
    shop.gate(privileges=EVERYTHING, request=True)
    bad = {"securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN", "NET_ADMIN"]}}}
    started = time.monotonic()
    answer = shop.create("pods", a_pod(spec=a_spec(containers=_containers(1000, **bad))))
    assert time.monotonic() - started < 30
    assert answer.status == 403
    assert "PrivilegedContainers (spec.containers[0].securityContext.privileged and 999 more)" in answer.message
    assert "was made and waits for" in answer.message
    (made,) = shop.made()
    assert len(made["spec"]["workload"]["findings"]) <= 64
    assert any("more" in one for one in made["spec"]["workload"]["findings"])
    last = [*_containers(999), {**_containers(1000)[-1], "securityContext": {"privileged": True}}]
    hidden = shop.create("pods", a_pod(spec=a_spec("plain", containers=last)), user=shop.agent)
    assert "spec.containers[999].securityContext.privileged" in hidden.message


def test_t49_a_thousand_containers_wait(shop: Gated) -> None:
    shop.gate(on_missing="Hold", privileges=["PrivilegedContainers"])
    many = _containers(1000, securityContext={"privileged": True})
    answer = shop.create("pods", a_pod("many", a_spec(containers=many)))
    assert answer.status == 201, answer.message
    (made,) = shop.made()
    name = made["metadata"]["name"]
    shop.until(name, "AwaitingApproval")
    shop.approve(name)
    shop.bed.wait_until(lambda: not shop.read("pods", "many")["spec"].get("schedulingGates"), 25, what="let go")


def test_t49_three_mebibytes_are_judged(shop: Gated) -> None:
    shop.gate()
    padded = a_spec(containers=_containers(1, args=["x" * 1_000_000, "y" * (MOST_OF_THREE_MEBIBYTES - 1_000_000)]))
    padded["volumes"] = [{"name": "log", "hostPath": {"path": "/var/log"}}]
    refused = shop.create("pods", a_pod(spec=padded))
    assert refused.status == 403
    assert "HostPathVolumes:/var/log" in refused.message
    del padded["volumes"]
    passed = shop.create("pods", a_pod(spec=padded), dry_run=True)
    assert passed.status == 201, passed.message
    _up(shop)


def test_t49_many_privileges_hide_nothing_of_what_runs(shop: Gated) -> None:
    shop.gate(privileges=["HostPorts"], request=True)
    image = f"registry.example/it@sha256:{'0' * 64}"
    padding = [
        {"name": f"c{port}", "image": image, "ports": [{"containerPort": 1, "hostPort": port}]} for port in range(1, 41)
    ]
    evil = {"name": "evil", "image": "registry.example/evil:1", "command": ["sh", "-c", "reboot"]}
    answer = shop.create("pods", a_pod(spec=a_spec(containers=[*padding, evil])))
    assert answer.status == 403
    (made,) = shop.made()
    findings = made["spec"]["workload"]["findings"]
    assert "container evil: registry.example/evil:1, command: sh -c reboot" in findings
    assert any(one.startswith("image registry.example/evil:1 is not pinned by digest") for one in findings)


def test_t49_ten_thousand_values_of_one_control(shop: Gated) -> None:
    shop.gate(request=True)
    volumes = [{"name": f"v{number}", "hostPath": {"path": f"/srv/{number}"}} for number in range(10_000)]
    started = time.monotonic()
    answer = shop.create("pods", a_pod(spec=a_spec(volumes=volumes)))
    assert time.monotonic() - started < 30
    assert answer.status == 403
    assert "wants an approved request" in answer.message
    assert len(answer.message) < 1024
    (made,) = shop.made()
    assert len(made["spec"]["workload"]["privileges"]) <= 64
    _up(shop)


def test_t49_many_at_once(shop: Gated) -> None:
    """A flood of large pods does not keep small ones from being judged."""
    shop.gate()
    large = a_pod("large", a_spec(containers=_containers(1000, securityContext={"privileged": True})))
    with ThreadPoolExecutor(12) as pool:
        flood = [pool.submit(shop.create, "pods", large, dry_run=True) for _ in range(24)]
        for _ in range(10):
            assert shop.create("pods", a_pod(), dry_run=True).status == 403
        statuses = {one.result().status for one in flood}
    assert statuses <= {201, 403, 500, 503}
    _up(shop)


def test_t49_shapes_whose_parts_multiply_cost_their_sum(shop: Gated) -> None:
    """What the API server would refuse, too: pods are held before it has looked at them."""
    shop.gate(on_missing="Hold", privileges=["PrivilegedContainers"])
    bad = {"name": "app", "image": "registry.example/it:1", "securityContext": {"privileged": True}}
    many = {f"example.com/a{number}": "" for number in range(8_000)}
    everything = [{"path": f"p{number}", "fieldRef": {"fieldPath": "metadata.annotations"}} for number in range(8_000)]
    reader = a_pod("reader", a_spec(containers=[bad], volumes=[{"name": "v", "downwardAPI": {"items": everything}}]))
    reader["metadata"]["annotations"] = many
    keys = [{"key": f"b{number}", "operator": "In", "values": ["x"]} for number in range(20_000)]
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    spread |= {
        "matchLabelKeys": [f"a{number}" for number in range(20_000)],
        "labelSelector": {"matchExpressions": keys},
    }
    spreading = a_pod("spreading", a_spec(containers=[bad], topologySpreadConstraints=[spread]))
    spreading["metadata"]["labels"] = {f"a{number}": "" for number in range(20_000)}
    mounts = [{"name": "v", "mountPath": f"/v{number}"} for number in range(10_000)]
    long = {**bad, "name": "c" * 1_000_000, "volumeMounts": mounts}
    named = a_pod("named", a_spec(containers=[long], volumes=[{"name": "v", "configMap": {"name": "m"}}]))
    for pod in (reader, spreading, named):
        started = time.monotonic()
        answer = shop.create("pods", pod)
        assert time.monotonic() - started < 30, pod["metadata"]["name"]
        assert answer.status in {201, 413, 422, 500}, answer.message
        _up(shop)
