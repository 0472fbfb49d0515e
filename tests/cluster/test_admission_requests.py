"""Asking: who asks is stamped, nothing changes afterwards, and what could never be right is refused with the reason."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cluster.admission import EDIT, Desk

ALICE = {"username": "alice", "groups": ["developers", "system:authenticated"]}


def _put(desk: Desk, body: dict[str, Any], user: str = "admin") -> int:
    path = f"/apis/daypass.dev/v1alpha1/namespaces/{desk.namespace}/accessrequests/{body['metadata']['name']}"
    return desk.bed.request("PUT", path, body, user).status


def test_t06_the_requester_is_who_the_api_server_authenticated(desk: Desk) -> None:
    assert desk.ask().done
    spec = desk.get()["spec"]
    assert spec["requester"] == ALICE
    assert spec["subject"] == {"kind": "User", "name": "alice"}


def test_t06_an_agent_is_one_service_account(desk: Desk) -> None:
    assert desk.ask("fix", f"{desk.namespace}/agent").done
    spec = desk.get()["spec"]
    assert spec["requester"]["username"] == f"system:serviceaccount:{desk.namespace}:agent"
    assert spec["requester"]["uid"]
    assert spec["subject"] == {"kind": "ServiceAccount", "name": "agent", "namespace": desk.namespace}


def test_t06_a_service_account_without_namespace_is_one_of_the_requests_own(desk: Desk) -> None:
    assert desk.ask(subject={"kind": "ServiceAccount", "name": "agent"}).done
    expected = {"kind": "ServiceAccount", "name": "agent", "namespace": desk.namespace}
    assert desk.get()["spec"]["subject"] == expected


@pytest.mark.parametrize(
    ("requester", "field"),
    [
        ({"username": "bob"}, "username"),
        ({"username": "alice", "uid": "1"}, "uid"),
        ({"username": "alice", "groups": ["approvers"]}, "groups"),
        ({"username": "alice", "groups": []}, "groups"),
    ],
)
def test_t06_another_requester_is_refused(desk: Desk, requester: dict[str, Any], field: str) -> None:
    said = desk.ask(requester=requester)
    assert said.reason == (
        f"spec.requester.{field}: this request is made by 'alice', and who asks is what the API server"
        " authenticated: leave spec.requester out"
    )


@pytest.mark.parametrize("requester", [{"username": "alice"}, ALICE], ids=["in part", "whole"])
def test_t06_saying_who_one_is_is_fine(desk: Desk, requester: dict[str, Any]) -> None:
    assert desk.ask(requester=requester).done
    assert desk.get()["spec"]["requester"] == ALICE


@pytest.mark.parametrize("user", ["alice", "erin", "admin"])
@pytest.mark.parametrize("side", ["client", "server"])
def test_t06_applying_again_changes_nothing(desk: Desk, user: str, side: str) -> None:
    _let_patch(desk)
    first: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    if side == "server":
        first, options = ("--server-side",), ("--server-side", f"--field-manager={user}")
    subject = {"kind": "ServiceAccount", "name": "agent"}
    assert desk.ask("fix", "alice", *first, subject=subject).done
    before = desk.get()
    said = desk.ask("fix", user, *options, subject=subject)
    assert said.done, said
    after = desk.get()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1


def test_t06_replacing_by_the_same_manifest_changes_nothing(desk: Desk) -> None:
    manifest = desk.manifest(subject={"kind": "ServiceAccount", "name": "agent"})
    assert desk.run("create", "-f", "-", user="alice", text=json.dumps(manifest)).done
    before = desk.get()
    assert (
        _put(
            desk,
            {
                **manifest,
                "metadata": {**manifest["metadata"], "resourceVersion": before["metadata"]["resourceVersion"]},
            },
        )
        == 200
    )
    assert desk.get()["spec"] == before["spec"]


@pytest.mark.parametrize(
    "change",
    [
        {"durationSeconds": 3600},
        {"ticket": "OPS-1"},
        {"requester": {"username": "bob"}},
        {"startTime": "2030-01-01T00:00:00Z"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_t04_spec_never_changes(desk: Desk, change: dict[str, Any]) -> None:
    assert desk.ask().done
    said = desk.run("patch", "accessrequest", "fix", "--type=merge", "-p", json.dumps({"spec": change}), user="admin")
    assert not said.done
    assert "spec" in said.error
    assert "never changes" in said.error


def test_t16_an_equal_request_is_refused_while_one_waits(desk: Desk) -> None:
    assert desk.ask("first").done
    desk.bed.wait_until(lambda: not desk.ask("second", "alice", "--dry-run=server").done)
    said = desk.ask("second", durationSeconds=60, reason="in other words", ticket="OPS-2")
    assert said.error.startswith("Error from server (Conflict)")
    assert said.reason == "first already asks for the same and waits for an answer"
    assert desk.ask("other-start", startTime="2035-01-01T00:00:00Z").done
    assert desk.ask("another-person", "erin").done
    assert desk.ask("another-subject", subject={"kind": "User", "name": "erin"}).done


def test_t16_of_many_equal_requests_in_the_same_instant_one_is_made(desk: Desk) -> None:
    path = f"/apis/daypass.dev/v1alpha1/namespaces/{desk.namespace}/accessrequests"
    with ThreadPoolExecutor(8) as pool:
        bodies = [desk.manifest(f"flood-{number}") for number in range(40)]
        answers = list(pool.map(lambda body: desk.bed.request("POST", path, body, "alice").status, bodies))
    assert sorted(answers) == [201, *[409] * 39]


def test_t16_once_decided_the_same_may_be_asked_again(desk: Desk) -> None:
    desk.waiting("first", endTime="2026-01-01T00:00:00Z")
    desk.bed.wait_until(lambda: desk.ask("second").done)


def test_t16_rules_in_another_order_are_equal(desk: Desk) -> None:
    pods = {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]}
    turned = {"apiGroups": [""], "resources": ["services", "pods"], "verbs": ["list", "get"]}
    assert desk.ask("first", role=None, rules=[pods]).done
    desk.bed.wait_until(lambda: not desk.ask("second", role=None, rules=[turned]).done)


def test_t16_a_limit_of_every_policy_that_could_match_is_refused(desk: Desk) -> None:
    assert desk.write_policy(desk.policy(limits={"maxDurationSeconds": 600})).done
    desk.bed.wait_until(lambda: not desk.ask("probe", "alice", "--dry-run=server").done)
    said = desk.ask()
    assert said.error.startswith("Error from server (Forbidden)")
    assert said.reason == f"policy {desk.namespace} grants 600 seconds at most: set durationSeconds to that or less"
    assert desk.ask("shorter", durationSeconds=600).done


def test_t21_nothing_is_asked_for_in_namespaces_that_are_never_granted(desk: Desk) -> None:
    for never in ("kube-system", "daypass-system"):
        body = desk.manifest()
        body["metadata"]["namespace"] = never
        said = desk.bed.kubectl_apply(body, check=False)
        assert said.returncode != 0
        assert "granted" in said.stderr


@pytest.mark.parametrize(
    "metadata",
    [
        {"finalizers": ["example.com/hold"]},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "x", "uid": "u"}]},
    ],
    ids=["finalizers", "ownerReferences"],
)
def test_t35_nobody_hides_a_request_behind_metadata(desk: Desk, metadata: dict[str, Any]) -> None:
    created = desk.ask("made-so", metadata=metadata)
    assert created.error.startswith("Error from server (Forbidden)")
    assert desk.ask().done
    text = json.dumps({"metadata": metadata})
    patched = desk.run("patch", "accessrequest", "fix", "--type=merge", "-p", text, user="admin")
    assert patched.error.startswith("Error from server (Forbidden)")


@pytest.mark.parametrize("character", ["\u202e", "\u0007", "\u200b", "\u2066"], ids=ascii)
def test_t15_text_that_shows_another_thing_than_it_holds_is_refused(desk: Desk, character: str) -> None:
    said = desk.ask(reason=f"Restart{character}checkout")
    assert not said.done
    assert "spec.reason" in said.error
    assert "one line of plain text" in said.error


def test_a_dry_run_shows_what_would_be_stored(desk: Desk) -> None:
    said = desk.ask("fix", "alice", "--dry-run=server", "-o", "json")
    assert json.loads(said.out)["spec"]["requester"] == ALICE
    assert desk.bed.get("accessrequest", "fix", desk.namespace) is None


def test_status_on_creation_is_dropped(desk: Desk) -> None:
    body = {**desk.manifest(), "status": {"digest": "ab" * 32, "review": {"decision": "Approve"}}}
    assert desk.run("create", "-f", "-", user="alice", text=json.dumps(body)).done
    assert "status" not in desk.get()


def test_exactly_the_role_asked_for_is_stored(desk: Desk) -> None:
    assert desk.ask().done
    assert desk.get()["spec"]["role"] == EDIT


def _let_patch(desk: Desk) -> None:
    """Requesters may not patch requests; here admission is asked, not RBAC."""
    bed, where = desk.bed, ("-n", desk.namespace)
    bed.kubectl("create", "role", "patch", "--verb=get,patch,update", "--resource=accessrequests.daypass.dev", *where)
    bed.kubectl("create", "rolebinding", "patch", "--role=patch", "--user=alice", "--user=erin", *where)
