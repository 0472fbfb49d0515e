"""The custom resources on a real API server, by their schema alone: no webhook and no policy of ours is installed."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.case_tables import Case, cases
from bed import Bed
from daypass.api import convert
from daypass.domain.identity import Identity
from daypass.domain.review import Review, ReviewDecision

ROOT = Path(__file__).parents[2]
API = "/apis/daypass.dev/v1alpha1"
REQUEST = cases("accessrequests", "accepted")[0].body
POLICY = cases("approvalpolicies", "accepted")[0].body
_NOT_CHECKED = re.compile(r", <nil>: Invalid value: null: some validation rules were not checked .*\]$")


@pytest.fixture(scope="module")
def schemas(control_plane: Bed) -> Bed:
    """A control plane that serves our resources."""
    control_plane.kubectl("apply", "-f", str(ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    control_plane.wait_until(lambda: control_plane.request("GET", f"{API}/approvalpolicies").status == 200)
    return control_plane


@pytest.fixture
def place(schemas: Bed) -> Iterator[str]:
    """A namespace of one's own, without anything in it."""
    name = f"crds-{time.monotonic_ns()}"
    schemas.kubectl("create", "namespace", name)
    yield name
    schemas.kubectl("delete", "namespace", name, "--wait=false")


def create(
    bed: Bed, body: dict[str, Any], place: str, query: str = "dryRun=All&fieldValidation=Strict"
) -> tuple[int, str]:
    namespaced = body["kind"] == "AccessRequest"
    path = f"{API}/namespaces/{place}/accessrequests" if namespaced else f"{API}/approvalpolicies"
    response = bed.request("POST", f"{path}?{query}", body)
    return response.status, response.message if response.status >= 400 else ""


def said(message: str) -> str:
    """What the server says without its frame, and without the note that it stopped there."""
    inner = message.partition(" is invalid: ")[2] or message
    return _NOT_CHECKED.sub("", inner).removeprefix("[").removesuffix("]") if inner.startswith("[") else inner


@pytest.mark.parametrize("plural", ["accessrequests", "approvalpolicies"])
def test_what_is_right_is_accepted(schemas: Bed, plural: str) -> None:
    refused = {case.name: create(schemas, case.body, "default") for case in cases(plural, "accepted")}
    assert {name: answer for name, answer in refused.items() if answer[0] != 201} == {}


@pytest.mark.parametrize("case", [*cases("accessrequests", "refused"), *cases("approvalpolicies", "refused")], ids=str)
def test_what_is_wrong_is_refused_in_words(schemas: Bed, case: Case) -> None:
    status, message = create(schemas, case.body, "default")
    assert status in {400, 422}
    assert said(message) == case.message


def test_t04_nothing_in_spec_changes_and_nothing_is_added_or_taken_away(schemas: Bed, place: str) -> None:
    body = {**REQUEST, "spec": {**REQUEST["spec"], "ticket": "OPS-1"}}
    assert create(schemas, body, place, "fieldManager=test")[0] == 201
    path = f"{API}/namespaces/{place}/accessrequests/case"
    expected = 'AccessRequest.daypass.dev "case" is invalid: spec: Forbidden: a request never changes after it was'
    changes: list[dict[str, Any]] = [
        {"durationSeconds": 901},
        {"reason": "another"},
        {"ticket": None},
        {"startTime": "2030-01-01T00:00:00Z"},
        {"subject": {"kind": "User", "name": "mallory"}},
        {"context": {"links": ["https://a"]}},
        {"requester": {"username": "mallory"}},
        {"role": {"name": "admin"}},
        {"role": None, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
        {"role": None, "workload": {"serviceAccountName": "agent", "privileges": ["HostPorts"]}},
    ]
    for change in changes:
        response = schemas.request(
            "PATCH", path, {"spec": change}, headers={"Content-Type": "application/merge-patch+json"}
        )
        assert response.status == 422, change
        assert response.message.startswith(expected)
    stored = schemas.request("GET", path).json
    same = schemas.request("PUT", path, stored)
    assert same.status == 200
    assert same.json["metadata"]["generation"] == 1


@pytest.mark.parametrize("way", [(), ("--server-side",)])
def test_applying_the_same_manifest_again_changes_nothing(schemas: Bed, place: str, way: tuple[str, ...]) -> None:
    manifest = (
        (ROOT / "examples" / "requests" / "edit.yaml").read_text().replace("namespace: shop", f"namespace: {place}")
    )
    schemas.kubectl("apply", *way, "-f", "-", input=manifest)
    before = schemas.get("accessrequest", "fix-checkout", place)
    again = schemas.kubectl("apply", *way, "-f", "-", input=manifest)
    assert again.stdout.strip().endswith("serverside-applied" if way else "unchanged")
    after = schemas.get("accessrequest", "fix-checkout", place)
    assert before is not None
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_examples_can_be_applied(schemas: Bed, place: str) -> None:
    for folder in ("policies", "requests"):
        paths = sorted((ROOT / "examples" / folder).glob("*.yaml"))
        assert len(paths) > 2
        for path in paths:
            manifest = path.read_text().replace("namespace: shop}\nspec", f"namespace: {place}}}\nspec")
            answer = schemas.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", input=manifest)
            assert "serverside-applied (server dry run)" in answer.stdout, path


def test_t19_the_server_keeps_unknown_fields_of_a_policy_for_the_webhook(schemas: Bed) -> None:
    body = json.loads(json.dumps(POLICY))
    body["spec"]["matches"] = 1
    body["spec"]["match"]["requester"] = [{"kind": "User", "name": "alice"}]
    body["spec"]["match"]["grants"]["roles"][0]["scope"] = "Cluster"
    body["spec"]["approvals"][0]["approvers"]["group"] = ["a"]
    for query in ("dryRun=All&fieldValidation=Strict", "dryRun=All&fieldValidation=Ignore"):
        response = schemas.request("POST", f"{API}/approvalpolicies?{query}", body)
        assert response.status == 201
        assert response.json["spec"] == {**body["spec"], "approvals": [{**body["spec"]["approvals"][0], "required": 1}]}


def test_t63_an_unknown_field_of_a_request_is_refused_by_kubectl_and_never_stored(schemas: Bed, place: str) -> None:
    body = {**REQUEST, "spec": {**REQUEST["spec"], "delivery": "Token"}}
    refused = schemas.kubectl("create", "-n", place, "-f", "-", input=json.dumps(body), check=False)
    assert 'strict decoding error: unknown field "spec.delivery"' in refused.stderr
    response = schemas.request("POST", f"{API}/namespaces/{place}/accessrequests?dryRun=All&fieldValidation=Warn", body)
    assert response.status == 201
    assert "delivery" not in response.json["spec"]


def test_a_message_reads_well_in_kubectl(schemas: Bed, place: str) -> None:
    body = {**REQUEST, "spec": {**REQUEST["spec"], "subject": {"kind": "User", "name": "system:admin"}}}
    refused = schemas.kubectl("create", "-n", place, "-f", "-", input=json.dumps(body), check=False)
    assert refused.stderr == (
        'The AccessRequest "case" is invalid: spec.subject: Invalid value: a User must not start with system:'
        " (for a ServiceAccount use kind ServiceAccount, namespace and name)\n"
    )


@pytest.mark.parametrize(("state", "end"), [("AwaitingApproval", None), ("Active", "2030-01-31T12:00:00Z")])
def test_columns_fit_eighty_characters(schemas: Bed, place: str, state: str, end: str | None) -> None:
    schemas.kubectl("create", "-f", "-", input=json.dumps(_waiting(place)))
    access = "HostPathVolum… +2"  # the longest that there is
    condition = {"type": "Ready", "status": "False", "reason": state, "message": "waits for shop-leads"}
    conditions = [condition | {"lastTransitionTime": "2030-01-31T11:00:00Z"}]
    status = {"access": access, "expirationTime": end, "risk": {"level": "High"}, "conditions": conditions}
    schemas.kubectl(
        *("patch", "areq", "fix-checkout", "-n", place, "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": status})),
    )
    header, row = schemas.kubectl("get", "areq", "-n", place).stdout.splitlines()
    assert header.split() == ["NAME", "STATE", "SUBJECT", "ACCESS", "EXPIRES", "AGE"]
    assert row.split()[:-1] == ["fix-checkout", state, "agent", *access.split(), *([end] if end else [])]
    assert len(row) <= 80
    wide_header, wide = schemas.kubectl("get", "daypass", "-n", place, "-o", "wide").stdout.splitlines()[:2]
    assert wide_header.split()[5:] == ["REQUESTER", "SECONDS", "RISK", "TICKET", "MESSAGE", "REASON", "AGE"]
    assert "waits for shop-leads" in wide


def test_a_request_for_a_workload_shows_which_it_is(schemas: Bed, place: str) -> None:
    body = _waiting(place)
    del body["spec"]["role"]
    reason = "Job report in shop uses HostPathVolumes:/etc, made by alice; it runs registry.example/tools:1.4"
    workload = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes:/etc"]}
    spec = body["spec"] | {"workload": workload, "reason": reason}
    schemas.kubectl("create", "-f", "-", input=json.dumps(body | {"spec": spec}))
    assert f" {reason} " in schemas.kubectl("get", "areq", "-n", place, "-o", "wide").stdout


def test_policies_show_what_they_do(schemas: Bed) -> None:
    gate = {"workloads": {"privileges": ["HostPorts"]}}
    shown = {**POLICY, "metadata": {"name": "shown"}, "spec": {**POLICY["spec"], "gate": gate}}
    schemas.kubectl("apply", "-f", "-", input=json.dumps(shown))
    header, row = schemas.kubectl("get", "apol", "shown").stdout.splitlines()
    assert header.split() == ["NAME", "EFFECT", "READY", "AUTO", "GATE", "AGE"]
    assert row.split()[:3] == ["shown", "Allow", "Enforce"]
    schemas.kubectl("delete", "apol", "shown")


def _waiting(place: str) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "namespace": place, "name": "agent"}
    return {
        **REQUEST,
        "metadata": {"name": "fix-checkout", "namespace": place},
        "spec": {**REQUEST["spec"], "subject": subject, "ticket": "OPS-123", "requester": {"username": "alice"}},
    }


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("spec.requester.username=alice", True),
        ("spec.subject.name=agent,spec.subject.kind=ServiceAccount", True),
        ("spec.role.name=edit", True),
        ("spec.ticket=OPS-123", True),
        ("spec.ticket=OPS-9", False),
    ],
)
def test_requests_can_be_filtered(schemas: Bed, place: str, selector: str, found: bool) -> None:  # noqa: FBT001
    schemas.kubectl("create", "-f", "-", input=json.dumps(_waiting(place)))
    listed = schemas.kubectl("get", "areq", "-n", place, "-o", "name", "--field-selector", selector).stdout
    assert (listed.strip() == "accessrequest.daypass.dev/fix-checkout") is found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("areq", "Approve it with kubectl patch accessrequest NAME --subresource=status"),
        ("areq.spec.durationSeconds", "from 10 to 2592000 (30 days)"),
        ("areq.spec.requester", "leave it out"),
        ("areq.status.review", "Admission signs it, adds it to reviews and clears it"),
        ("areq.status.review.digest", "at least its first 32 digits"),
        ("apol.spec", "A request that a Deny policy matches is denied"),
        ("apol.spec.match.subjects", "Default: in an Allow policy the requester only"),
        ("apol.spec.limits.pendingTimeoutSeconds", "Default: 86400 (one day)"),
        ("areq.spec.workload.privileges", "names of the Pod Security Standards' controls"),
        ("areq.spec.workload.authors", "none of them may approve it. Filled in by Daypass"),
        ("areq.spec.action.maxUses", "1 to 100 times. Default: 1"),
        ("areq.status.uses.confirmed", "given back after a while"),
        ("apol.spec.gate.workloads.onMissing", "once that is approved, the pod goes on by itself. Default: Deny."),
        ("apol.spec.gate.actions.verbs", "connect (exec, attach, port-forward, proxy)"),
        ("apol.spec.grant.onExpiry", "Default: Keep"),
        ("apol.spec.approvals.approvers.groups", "none that starts with system:"),
    ],
)
def test_kubectl_explains_every_field(schemas: Bed, path: str, words: str) -> None:
    # Its own knowledge of the schema lags behind new definitions by a second or two.
    def explained() -> bool:
        answer = schemas.kubectl("explain", path, check=False)
        return words in " ".join(answer.stdout.split())

    assert schemas.wait_until(explained, what=f"kubectl explain {path}")


def test_t01_a_status_in_the_body_of_a_new_request_is_dropped(schemas: Bed, place: str) -> None:
    body = {**REQUEST, "status": {"digest": "ab" * 32, "expirationTime": "2030-01-31T12:00:00Z"}}
    assert create(schemas, body, place, "fieldManager=test")[0] == 201
    stored = schemas.get("accessrequest", "case", place)
    assert stored is not None
    assert "status" not in stored


def test_what_is_recorded_comes_back_as_it_was(schemas: Bed, place: str) -> None:
    schemas.kubectl("create", "-f", "-", input=json.dumps(_waiting(place)))
    reviewer = Identity("bob", "u-1", ("approvers", "Größe"), {"example.org/scopes": ("a", "b"), "empty": ()})
    reviews = [
        Review(
            version=1,
            request_uid="u-2",
            digest="ab" * 32,
            decision=decision,
            reviewer=reviewer,
            time=datetime(2026, 1, 31, 12, tzinfo=UTC),
            key_id="0123456789abcdef",
            signature="" if decision is ReviewDecision.RELEASE else "c2ln" * 22,
            comment="völlig in Ordnung" * 60,
            digest_confirmed=True,
        )
        for decision in ReviewDecision
    ] * 32
    status = {
        "reviews": [convert.review_json(review) for review in reviews],
        "stages": [{"policy": "p", "name": "team", "required": 2, "approvers": {"groups": ["a"]}}] * 256,
        "policies": [{"name": "p", "uid": "p-1", "generation": 3}] * 64,
        "digest": None,
        "endTime": None,
    }
    path = f"{API}/namespaces/{place}/accessrequests/fix-checkout"
    merge = {"Content-Type": "application/merge-patch+json"}
    assert schemas.request("PATCH", f"{path}/status", {"status": status}, headers=merge).status == 200
    request = convert.request_from(schemas.request("GET", path).json)
    assert request.reviews == tuple(reviews)
    assert len(request.record.stages) == 256
    assert request.record.digest == ""
    assert request.record.end_time is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"reviews": [{"decision": "Approve"}]}, "status.reviews[0].version: Required value"),
        ({"review": {"decision": "Maybe"}}, 'status.review.decision: Unsupported value: "Maybe"'),
        ({"review": {"decision": "Deny", "comment": "a\nb"}}, "status.review.comment: Invalid value: "),
        ({"review": {"decision": "Deny", "digest": "ab"}}, 'status.review.digest: Invalid value: "ab"'),
        ({"uses": [{"key": "u-1", "kind": "Pod", "name": "a"}]}, "status.uses[0].time: Required value"),
        ({"uses": [{"key": ""}]}, 'status.uses[0].key: Invalid value: ""'),
        ({"risk": {"level": "Extreme"}}, 'status.risk.level: Unsupported value: "Extreme"'),
        ({"digest": "none"}, 'status.digest: Invalid value: "none"'),
        ({"conditions": [{"type": "Ready", "status": "Yes", "reason": "a"}]}, 'status: Unsupported value: "Yes"'),
    ],
)
def test_status_has_a_shape_too(schemas: Bed, place: str, status: dict[str, Any], words: str) -> None:
    schemas.kubectl("create", "-f", "-", input=json.dumps(_waiting(place)))
    path = f"{API}/namespaces/{place}/accessrequests/fix-checkout/status"
    merge = {"Content-Type": "application/merge-patch+json"}
    response = schemas.request("PATCH", path, {"status": status}, headers=merge)
    assert response.status == 422
    assert words in response.message
