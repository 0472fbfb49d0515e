"""The gate of the README as it stands there, in another namespace: it works the first time, with every workload kind."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bed import Bed
from bed.people import populate
from cluster.errands import RBAC, Json
from cluster.gated import HELD, SCHEDULING_GATE, Gated, a_pod, a_workload

REPOSITORY = Path(__file__).parents[2]
PAGES = ("README.md", "docs/gate.md")
KINDS = ("jobs", "deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers")
PASTE = re.compile(r"To ask: echo '(.*)' \| kubectl create -f -$", re.DOTALL)


def _block(page: str, file: str) -> Json:
    """What a page says to save under this name."""
    text = (REPOSITORY / page).read_text()
    found = re.search(rf"<!-- file: {re.escape(file)} -->\n```yaml\n(.*?)```", text, re.DOTALL)
    assert found, f"{page} has no {file}"
    return dict(yaml.safe_load(found[1]))


def _pod_spec() -> Json:
    return dict(_block("README.md", "job.yaml")["spec"]["template"]["spec"])


def _in_force(shop: Gated, on_missing: str) -> None:
    """Apply the gate as the README says, and nothing else: whoever waits for Ready needs to wait for no more."""
    policy = _block("README.md", "gate.yaml")
    policy["metadata"]["name"] += f"-{shop.namespace}"
    policy["spec"]["match"]["namespaces"] = [shop.namespace]
    policy["spec"]["gate"]["workloads"]["onMissing"] = on_missing
    shop.bed.kubectl_apply(yaml.safe_dump(policy))
    shop.bed.kubectl("wait", "--for=condition=Ready", f"apol/{policy['metadata']['name']}", "--timeout=30s")


@pytest.fixture
def shop(cluster: Bed, namespace: str) -> Iterator[Gated]:
    yield from _opened(cluster, namespace)


@pytest.fixture
def other(cluster: Bed, namespace: str) -> Iterator[Gated]:
    populate(cluster, f"{namespace}-other")
    yield from _opened(cluster, f"{namespace}-other")


def _opened(cluster: Bed, namespace: str) -> Iterator[Gated]:
    """Where alice may make workloads and ask, and the agent may do nothing."""
    subject = {"kind": "User", "apiGroup": RBAC, "name": "alice"}
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"}
    body = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "roleRef": role, "subjects": [subject]}
    cluster.apply({**body, "metadata": {"name": "work", "namespace": namespace}})
    yield Gated(cluster, namespace)
    cluster.kubectl("delete", "approvalpolicy", f"agent-privileges-{namespace}", "--ignore-not-found")


def _is_held(pod: Json) -> bool:
    gates = [one["name"] for one in pod["spec"].get("schedulingGates") or ()]
    return SCHEDULING_GATE in gates and pod["metadata"]["labels"].get(HELD) == "true"


def _answer(shop: Gated, name: str) -> None:
    """The maker can't; one of the approvers can."""
    shop.until(name, "AwaitingApproval")
    assert shop.review(name, user="alice").status == 403
    shop.approve(name, "bob")


def _held_and_let_go(shop: Gated, prefix: str, seconds: float = 120) -> None:
    pods = shop.bed.wait_until(lambda: shop.pods(prefix), seconds, what=f"a pod of {prefix}")
    assert all(map(_is_held, pods))
    (made,) = shop.bed.wait_until(shop.made, 25, what="a request")
    _answer(shop, made["metadata"]["name"])
    shop.bed.wait_until(lambda: not any(map(_is_held, shop.pods(prefix))), 25, what="the pod let go")


def _refused_and_let_in(shop: Gated, prefix: str, seconds: float = 120) -> None:
    """Its events have the request to paste; once that is approved, the controller's next try passes."""

    def told() -> Any:  # noqa: ANN401 - a match
        items = shop.bed.request("GET", f"/api/v1/namespaces/{shop.namespace}/events").json["items"]
        of = [one["message"] for one in items if one["involvedObject"]["name"].startswith("it")]
        return next(filter(None, map(PASTE.search, of)), None)

    paste = shop.bed.wait_until(told, seconds, what="an event with a request to paste")
    assert shop.pods(prefix) == []
    made = shop.bed.kubectl("create", "-f", "-", "-o", "name", user="alice", input=paste[1]).stdout.strip()
    _answer(shop, made.partition("/")[2])
    # When its controller tries again is for that to say: after each refusal it waits for twice as long.
    shop.bed.wait_until(lambda: shop.pods(prefix), 180, what=f"a pod of {prefix}")
    assert not any(map(_is_held, shop.pods(prefix)))


DOES = {"Hold": _held_and_let_go, "Deny": _refused_and_let_in}


def test_every_page_shows_the_same_gate() -> None:
    first, *others = [_block(page, "gate.yaml") for page in PAGES]
    assert all(one == first for one in others)


@pytest.mark.parametrize("on_missing", DOES)
@pytest.mark.parametrize("plural", KINDS)
def test_the_gate_works_the_first_time(shop: Gated, plural: str, on_missing: str) -> None:
    if plural == "daemonsets":
        shop.with_a_node()
    _in_force(shop, on_missing)
    assert shop.create(plural, a_workload(plural, "it", _pod_spec())).status == 201
    DOES[on_missing](shop, "it-")


def test_the_gate_works_the_first_time_with_a_cron_job(shop: Gated, other: Gated) -> None:
    """Both at once, for the minute is long."""
    for place, on_missing in ((shop, "Hold"), (other, "Deny")):
        _in_force(place, on_missing)
        assert place.create("cronjobs", a_workload("cronjobs", "it", _pod_spec())).status == 201
    _refused_and_let_in(other, "it-", 75)
    _held_and_let_go(shop, "it-")


@pytest.mark.parametrize("on_missing", DOES)
def test_the_gate_works_the_first_time_with_a_bare_pod(shop: Gated, on_missing: str) -> None:
    _in_force(shop, on_missing)
    answer = shop.create("pods", a_pod("it-0", _pod_spec()))
    if on_missing == "Hold":
        assert answer.status == 201
        _held_and_let_go(shop, "it-")
        return
    assert answer.status == 403
    paste = PASTE.search(answer.message)
    assert paste
    made = shop.bed.kubectl("create", "-f", "-", "-o", "name", user="alice", input=paste[1]).stdout.strip()
    _answer(shop, made.partition("/")[2])
    shop.bed.wait_until(lambda: shop.create("pods", a_pod("it-0", _pod_spec())).status == 201, 25)
    assert shop.create("pods", a_pod("second", _pod_spec())).status == 403
