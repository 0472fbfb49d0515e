"""Operations at the gate, without an API server: what a call is, what makes it one use, what the caller is told."""

import hashlib
import json
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.fake_server import FakeServer
from builders import a_person, a_policy, account, an_action, user
from daypass.app.admission.answer import Answer, Call, Operation
from daypass.app.admission.gates.actions import Actions
from daypass.app.admission.gates.asking import Asking
from daypass.app.admission.gates.drafts import Drafts
from daypass.app.admission.gates.operation_gate import OperationGate
from daypass.app.admission.gates.operations import Attempt, attempt, operations_of
from daypass.app.admission.gates.permits import Permits
from daypass.app.admission.gates.uses import Uses
from daypass.app.ports import ACCESS_REQUESTS, PODS, Json, UnavailableError
from daypass.domain.policy import ActionGate, ActionPattern, Gate, GateMode, Policy
from daypass.domain.request import Request
from daypass.signing.canonical import canonical_json
from permitting import LATER, VOLUMES, Known, a_permit
from steps import Steps

OWN = "system:serviceaccount:daypass-system:daypass-controller"
CLAIM: Json = {
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": "data",
        "uid": "uid-of-data",
        "resourceVersion": "7",
        "creationTimestamp": "2026-03-01T00:00:00Z",
    },
}
EVICTIONS = ActionPattern(("create",), ("",), ("pods/eviction",))


def a_call(operation: Operation = Operation.DELETE, resource: str = "persistentvolumeclaims", **given: Any) -> Call:  # noqa: ANN401 - fields of Call
    fields: dict[str, Any] = {
        "caller": a_person("shop/agent"),
        "name": "data",
        "namespace": "shop",
        "group": "",
        "old": CLAIM if operation in {Operation.DELETE, Operation.UPDATE} else None,
    }
    return Call(operation, resource, **{**fields, **given})


def gated(pattern: ActionPattern = VOLUMES, *, mode: GateMode = GateMode.ENFORCE, **more: Any) -> Policy:  # noqa: ANN401 - fields of ActionGate
    gate = ActionGate(**{"namespaces": ("shop",), "pattern": pattern, **more})
    policy = a_policy(roles=(), actions=(pattern,))
    return replace(policy, gate=Gate(mode, actions=(gate,)))


class Scene:
    """The gates of some policies, over a fake server."""

    def __init__(self, *policies: Policy, requests: tuple[Request, ...] = (), never: tuple[str, ...] = ()) -> None:
        self.server = FakeServer()
        self.known = Known(*requests, policies=policies or [gated()])
        self.counted: list[tuple[str, str]] = []
        server: Any = self.server
        known = self.known
        gate = OperationGate(
            Permits(known, known),
            Uses(server, known),
            Asking(server, known, known, Drafts(known, known)),
            known,
            never,
            lambda mode, outcome: self.counted.append((mode, outcome)),
        )
        self.actions = Actions(known, gate, server, canonical_json, never, {OWN})

    async def ask(self, call: Call | None = None) -> Answer:
        answer = self.actions.decide(call or a_call())
        return await answer if isinstance(answer, Coroutine) else answer


def one(call: Call) -> Attempt:
    return attempt(call, operations_of(call)[0], canonical_json, LATER)


def keys(call: Call) -> tuple[str, ...]:
    return one(call).asked.keys


def test_t47_an_object_s_uid_is_the_key_and_on_update_with_the_version_before() -> None:
    assert keys(a_call()) == ("uid-of-data",)
    assert keys(a_call(Operation.UPDATE, object=CLAIM)) == ("uid-of-data@7",)
    assert keys(a_call(Operation.CREATE, object=CLAIM)) == ("uid-of-data",)


@pytest.mark.parametrize(
    "call",
    [
        a_call(Operation.CONNECT, "pods/exec", object={"command": ["id"]}),
        a_call(Operation.CREATE, "serviceaccounts/token", object={"spec": {"audiences": ["a"]}}),
        a_call(old=None),
    ],
)
def test_t47_what_has_no_key_is_the_same_call_for_a_moment_only(call: Call) -> None:
    def at(seconds: float, other: Call = call) -> tuple[str, ...]:
        return attempt(other, operations_of(other)[0], canonical_json, LATER + timedelta(seconds=seconds)).asked.keys

    assert at(0)[0] in at(1)
    assert at(0)[0] in at(3)
    assert at(0)[0] not in at(4)
    assert not {*at(0)} & {*at(0, replace(call, caller=a_person("alice")))}
    assert not {*at(0)} & {*at(0, replace(call, name="other"))}


def test_t47_a_deletion_is_of_this_object_and_no_other_of_its_name() -> None:
    again: Json = {**CLAIM, "metadata": {**CLAIM["metadata"], "uid": "made-again"}}
    digest = one(a_call()).asked.object_digest
    assert digest == hashlib.sha256(b'{"uid":"uid-of-data"}').hexdigest()
    assert one(a_call(old=again)).asked.object_digest != digest
    adopted = {**CLAIM, "metadata": {**CLAIM["metadata"], "ownerReferences": [OWNER]}}
    call = a_call(Operation.UPDATE, object=adopted)
    deletion = attempt(call, operations_of(call)[1], canonical_json, LATER)
    assert deletion.asked.object_digest == digest
    assert deletion.findings == ("gives it other owners, so that the garbage collector may delete it",)
    assert one(a_call(old=None)).asked.object_digest == ""


async def test_t47_leave_to_delete_an_object_does_not_cover_what_is_made_again() -> None:
    pinned = replace(an_action(), object_digest=one(a_call()).asked.object_digest)
    scene = Scene(requests=(a_permit(pinned),))
    again: Json = {**CLAIM, "metadata": {**CLAIM["metadata"], "uid": "made-again"}}
    answer = await scene.ask(a_call(old=again, dry_run=True))
    assert not answer.allowed
    assert "is for another object of that name" in answer.message
    assert (await scene.ask(a_call(dry_run=True))).allowed


def test_a_collection_is_deleted_object_by_object() -> None:
    assert one(a_call(name="")).asked.name == "data"


def test_what_the_api_server_names_is_told_from_what_the_caller_named() -> None:
    named = {"metadata": {"name": "run-x7x2k", "generateName": "run-", "uid": "u"}}
    assert one(a_call(Operation.CREATE, object=named, name="run-x7x2k")).generated
    assert one(a_call(Operation.CREATE, object=named, name="")).generated
    assert not one(a_call(Operation.CREATE, object={"metadata": {"name": "run", "uid": "u"}}, name="run")).generated


@pytest.mark.parametrize(
    ("group", "resource", "namespace", "caller", "home"),
    [
        ("", "persistentvolumes", "", "shop/agent", "shop"),
        ("", "persistentvolumes", "", "alice", "default"),
        ("", "namespaces", "other", "shop/agent", "shop"),
        ("", "persistentvolumeclaims", "other", "shop/agent", "other"),
    ],
)
def test_objects_of_the_whole_cluster_are_asked_for_where_the_caller_is_at_home(
    group: str, resource: str, namespace: str, caller: str, home: str
) -> None:
    call = a_call(resource=resource, group=group, namespace=namespace, caller=a_person(caller))
    assert one(call).asked.namespace == home


def test_a_new_owner_is_a_deletion() -> None:
    adopted = {**CLAIM, "metadata": {**CLAIM["metadata"], "ownerReferences": [{"uid": "none"}]}}
    verbs = [each.verb for each in operations_of(a_call(Operation.UPDATE, object=adopted))]
    assert verbs == ["update", "delete"]
    status = operations_of(a_call(Operation.UPDATE, "persistentvolumeclaims/status", object=adopted))
    assert [(each.verb, each.subresource) for each in status] == [("update", "status"), ("delete", "")]
    assert len(operations_of(a_call(Operation.UPDATE, object=adopted, old=adopted))) == 1
    for resource, count in (("namespaces/finalize", 2), ("deployments/scale", 1)):
        assert len(operations_of(a_call(Operation.UPDATE, resource, object=adopted))) == count


OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "live", "uid": "uid-of-live"}
DANGLING = {**OWNER, "name": "gone", "uid": "uid-of-gone"}


@pytest.mark.parametrize(
    ("before", "after", "deletes"),
    [
        ([OWNER], [{**OWNER, "kind": "Secret"}], True),
        ([OWNER], [{**OWNER, "apiVersion": "v2"}], True),
        ([OWNER], [{**OWNER, "name": "other"}], True),
        ([OWNER, DANGLING], [DANGLING], True),
        ([], [OWNER], True),
        ([OWNER], [], False),
        ([OWNER], [{**OWNER, "blockOwnerDeletion": True}], False),
        ([OWNER, DANGLING], [DANGLING, OWNER], False),
    ],
)
def test_t58_other_owners_than_before_are_a_deletion(before: list[Json], after: list[Json], *, deletes: bool) -> None:
    def owned(owners: list[Json]) -> Json:
        return {**CLAIM, "metadata": {**CLAIM["metadata"], "ownerReferences": owners}}

    verbs = [one.verb for one in operations_of(a_call(Operation.UPDATE, old=owned(before), object=owned(after)))]
    assert verbs == (["update", "delete"] if deletes else ["update"])


@pytest.mark.parametrize(
    ("call", "finding"),
    [
        (
            a_call(Operation.CONNECT, "pods/exec", object={"command": ["sh", "-c", "x"], "container": "c"}),
            "runs: sh -c x",
        ),
        (
            a_call(Operation.CONNECT, "pods/exec", object={"command": ["sh", "-c", "a b"], "stdin": True, "tty": True}),
            "runs: sh -c 'a b', with a terminal: whatever is typed runs",
        ),
        (
            a_call(Operation.CONNECT, "pods/exec", object={"command": ["sh"], "stdin": True}),
            "runs: sh, with input: whatever is sent may run",
        ),
        (a_call(Operation.CONNECT, "pods/attach", object={}), "goes into what runs"),
        (a_call(Operation.CONNECT, "pods/portforward", object={"ports": [80, 443]}), "ports: 80, 443"),
        (
            a_call(Operation.CONNECT, "services/proxy", object={"path": "admin/users"}),
            'path: "/admin/users", by any method and with anything in it',
        ),
        (
            a_call(
                Operation.UPDATE,
                "deployments/scale",
                group="apps",
                old={"spec": {"replicas": 2}, "metadata": {}},
                object={"spec": {}, "metadata": {}},
            ),
            "replicas: 2 → 0",
        ),
        (a_call(), "the object was made at 2026-03-01T00:00:00Z, uid uid-of-data"),
    ],
)
def test_the_facts_are_told(call: Call, finding: str) -> None:
    assert finding in one(call).findings


@pytest.mark.parametrize(("annotations", "content"), [({}, ()), ({"a": "b"}, ('metadata.annotations.a: "b"',))])
def test_a_change_of_scale_is_told_once(annotations: Json, content: tuple[str, ...]) -> None:
    old: Json = {"spec": {"replicas": 2}, "metadata": {"name": "web", "annotations": {}}}
    new: Json = {"spec": {"replicas": 5}, "metadata": {"name": "web", "annotations": annotations}}
    call = a_call(Operation.UPDATE, "deployments/scale", group="apps", old=old, object=new)
    assert (one(call).findings, one(call).content) == (("replicas: 2 → 5",), content)


BINDINGS = ActionPattern(("create", "update"), ("rbac.authorization.k8s.io",), ("rolebindings",))
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}


def a_binding(*subjects: Json, operation: Operation = Operation.CREATE, old: Json | None = None) -> Call:
    body: Json = {"metadata": {"name": "data", "uid": "uid-of-data"}, "roleRef": ROLE, "subjects": [*subjects]}
    group = BINDINGS.groups[0]
    return a_call(operation, "rolebindings", group=group, object=body, old=old, caller=a_person("mallory"))


async def test_t44_nothing_pushes_the_gated_subject_out_of_sight() -> None:
    scene = Scene(gated(BINDINGS, binding_subjects=(account("agent", "shop"),), request=True))
    padding = [{"kind": "User", "name": f"u{number}, ServiceAccount shop/other" + "x" * 300} for number in range(99)]
    answer = await scene.ask(a_binding(*padding, {"kind": "ServiceAccount", "namespace": "shop", "name": "agent"}))
    (made,) = (body for key, body in scene.server.objects.items() if key[0] == "accessrequests")
    said = 'gives ClusterRole "edit" to ServiceAccount "shop"/"agent"'
    findings = made["spec"]["action"]["findings"]
    assert findings[0] == said
    assert findings[1].startswith('gives ClusterRole "edit" to User "u0, ServiceAccount shop/other')
    assert findings[1].endswith('"')
    assert findings[15] == "and 85 more subjects"
    assert said in made["spec"]["reason"]
    assert said in answer.message


def test_t49_thousands_of_subjects_are_compared_in_one_pass() -> None:
    def steps(many: int) -> int:
        before, after = ([{"kind": "User", "name": f"{one}{number}"} for number in range(many)] for one in "ab")
        call = a_binding(*after, operation=Operation.UPDATE, old={"metadata": {"name": "data"}, "subjects": before})
        with Steps() as taken:
            assert 'takes ClusterRole "edit" from User "a0"' in one(call).findings
        return taken.count

    assert steps(2_000) < 4.1 * steps(500), "with each of one list the other is read anew"


async def test_t58_a_false_owner_takes_a_role_from_all_whom_a_binding_names() -> None:
    guard = {"kind": "User", "name": "guard"}
    stored: Json = {
        "metadata": {"name": "data", "uid": "u", "resourceVersion": "7"},
        "roleRef": ROLE,
        "subjects": [guard],
    }
    adopted = {**stored, "metadata": {**stored["metadata"], "ownerReferences": [DANGLING]}}
    gate = gated(replace(BINDINGS, verbs=("delete",)), binding_subjects=(user("guard"),))
    call = replace(a_binding(guard, operation=Operation.UPDATE, old=stored), object=adopted)
    answer = await Scene(gate).ask(call)
    assert not answer.allowed
    assert 'takes ClusterRole "edit" from User "guard"; gives it other owners' in answer.message


async def test_t44_a_made_request_names_whom_a_binding_gives_a_role() -> None:
    scene = Scene(gated(BINDINGS, request=True))
    subjects = [
        {"kind": "User", "name": "bob"},
        {"kind": "Group", "name": "ops"},
        {"kind": "ServiceAccount", "namespace": "ci", "name": "gate"},
        {"kind": "User", "name": "hidden\u202e"},
        *({"kind": "User", "name": f"u{number}"} for number in range(80)),
    ]
    await scene.ask(a_binding(*subjects))
    (made,) = (body for key, body in scene.server.objects.items() if key[0] == "accessrequests")
    action = made["spec"]["action"]
    assert action["parties"][:3] == ["bob", "system:serviceaccount:ci:gate", "u0"]
    assert len(action["parties"]) == 64
    assert action["partyGroups"] == ["ops"]
    asked = one(a_binding(*subjects)).asked
    assert (len(asked.parties), asked.party_groups) == (83, ("ops",))
    pasted = (await Scene(gated(BINDINGS)).ask(a_binding(*subjects))).message
    assert "parties" not in pasted
    taken = a_call(resource="rolebindings", group=BINDINGS.groups[0], old=a_binding(*subjects).object)
    assert one(taken).asked.parties == ()


def test_whom_a_binding_no_longer_names_and_what_else_changes_is_told() -> None:
    old = a_binding({"kind": "User", "name": "bob"}, {"kind": "Group", "name": "ops"}).object
    call = a_binding({"kind": "Group", "name": "ops"}, operation=Operation.UPDATE, old=old)
    what = one(replace(call, object={**(call.object or {}), "metadata": {"name": "data", "labels": {"a": "b"}}}))
    assert what.findings == (
        'gives ClusterRole "edit" to nobody new',
        'takes ClusterRole "edit" from User "bob"',
    )
    assert what.content == ('metadata.labels.a: "b"',)


LIMITS: Json = {"metadata": {"name": "limits", "uid": "u", "resourceVersion": "1"}, "data": {"most": "10"}}


async def test_t58_a_request_says_what_is_written_and_messages_do_not() -> None:
    pattern = ActionPattern(("create", "update"), ("",), ("configmaps",))
    call = a_call(Operation.UPDATE, "configmaps", name="limits", old={**LIMITS, "data": {"most": "1"}}, object=LIMITS)
    scene = Scene(gated(pattern, request=True))
    answer = await scene.ask(call)
    (made,) = (body for key, body in scene.server.objects.items() if key[0] == "accessrequests")
    assert made["spec"]["action"]["findings"][-1] == 'data.most: "1" → "10"'
    assert made["spec"]["reason"].endswith('data.most: "1" → "10"')
    assert "data.most" not in answer.message
    assert one(a_call(Operation.CREATE, "configmaps", object=LIMITS)).content == ('data.most: "10"',)


def test_secrets_and_tokens_are_not_told() -> None:
    secret = {"metadata": {"name": "s"}, "data": {"key": "c2VjcmV0"}}
    assert one(a_call(Operation.CREATE, "secrets", object=secret)).content == ()
    assert one(a_call(Operation.CREATE, "serviceaccounts/token", object={"status": {"token": "t"}})).content == ()


def test_what_no_gate_concerns_is_answered_at_once() -> None:
    scene = Scene()
    for call in (
        a_call(resource="configmaps"),
        a_call(namespace="other"),
        a_call(caller=a_person("kube-system/persistent-volume-binder")),
        a_call(caller=replace(a_person("alice"), username=OWN)),
    ):
        answer = scene.actions.decide(call)
        assert isinstance(answer, Answer)
        assert (answer.allowed, answer.decision) == (True, "NotGated")


async def test_a_covered_operation_spends_a_use() -> None:
    scene = Scene(requests=(a_permit(an_action()),))
    body = scene.server.put(ACCESS_REQUESTS, "name-of-request-1", "shop", metadata={"uid": "request-1"}, **_stored())
    scene.known.requests[0] = replace(scene.known.requests[0], version=body["metadata"]["resourceVersion"])
    answer = await scene.ask()
    assert answer.allowed, answer
    assert answer.annotations["request"] == "shop/name-of-request-1"
    stored = scene.server.objects[(ACCESS_REQUESTS.plural, "shop", "name-of-request-1")]
    assert [use["key"] for use in stored["status"]["uses"]] == ["uid-of-data"]
    assert scene.counted == [("Enforce", "Covered")]


async def test_each_mode_that_looked_is_counted_with_what_it_came_to() -> None:
    scene = Scene(gated(), replace(gated(mode=GateMode.WARN), name="w"))
    assert not (await scene.ask()).allowed
    assert sorted(scene.counted) == [("Enforce", "Refused"), ("Warn", "Uncovered")]


async def test_where_no_request_can_be_made_the_refusal_says_why_and_shows_it() -> None:
    scene = Scene(gated(request=True))
    scene.server.broken["create", ACCESS_REQUESTS.plural] = UnavailableError("no answer")
    answer = await scene.ask()
    assert "; the request could not be made: no answer. To ask: " in answer.message


async def test_t47_a_dry_run_spends_and_asks_for_nothing() -> None:
    scene = Scene(gated(request=True), requests=(a_permit(an_action()),))
    assert (await scene.ask(a_call(dry_run=True))).allowed
    assert not (await scene.ask(a_call(dry_run=True, caller=a_person("alice")))).allowed
    assert scene.server.calls == []


async def test_t47_a_dry_run_that_gives_a_true_token_is_none() -> None:
    """The API server mints a token whatever ``dryRun`` says."""
    tokens = ActionPattern(("create",), ("",), ("serviceaccounts/token",))
    granted = replace(an_action(), verb="create", resource="serviceaccounts", subresource="token", object_digest="")
    asking = {"metadata": {"annotations": {"daypass.dev/digest-only": "true"}}, "spec": {}}
    call = a_call(Operation.CREATE, "serviceaccounts/token", object=asking, dry_run=True)
    for requests in ((), (a_permit(granted),)):
        scene = Scene(gated(tokens), requests=requests)
        answer = await scene.ask(call)
        assert not answer.allowed
        assert scene.server.calls == []
    assert "a dry run gives a true token" in answer.message
    scene = Scene(gated(tokens, mode=GateMode.WARN))
    assert (await scene.ask(call)).warnings


async def test_the_refusal_says_what_to_do_and_is_never_too_long() -> None:
    scene = Scene()
    answer = await scene.ask(a_call(name="data" + "x" * 240, old={**CLAIM, "metadata": {"name": "x" * 244}}))
    assert not answer.allowed
    assert len(answer.message) <= 900
    text = answer.message.partition("echo '")[2].partition("' | kubectl")[0]
    assert json.loads(text)["spec"]["action"]["name"] == "data" + "x" * 240
    assert answer.message.startswith("delete persistentvolumeclaims data")
    assert answer.annotations == {"gates": "p (Enforce)"}


async def test_where_nothing_is_granted_nothing_can_be_asked_for() -> None:
    policy = gated(ActionPattern(("delete",), ("",), ("persistentvolumes",)), request=True)
    scene = Scene(policy, never=("default",))
    answer = await scene.ask(a_call(resource="persistentvolumes", namespace="", caller=a_person("alice")))
    assert "requests in namespace default are never granted" in answer.message
    assert scene.server.calls == []


async def test_gates_that_do_not_enforce_let_it_through_and_say_so() -> None:
    scene = Scene(gated(mode=GateMode.WARN))
    answer = await scene.ask()
    assert answer.allowed
    assert answer.warnings == (
        "Daypass: delete persistentvolumeclaims data would be refused without an approved request (policy p)",
    )
    audited = await Scene(gated(mode=GateMode.AUDIT)).ask()
    assert (audited.allowed, audited.warnings) == (True, ())
    assert audited.annotations == {"gates": "p (Audit)"}
    assert scene.server.calls == []


async def test_t63_where_a_gate_can_t_be_read_nothing_that_comes_here_passes() -> None:
    scene = Scene()
    scene.known.unreadable = ("broken",)
    answer = await scene.ask()
    assert (answer.allowed, answer.code) == (False, 503)
    assert "broken" in answer.message
    for exempt in (a_person("kube-system/persistent-volume-binder"), replace(a_person("alice"), username=OWN)):
        assert (await scene.ask(a_call(caller=exempt))).allowed, "the cluster goes on, and so do we (T45)"


async def test_what_can_t_be_digested_is_refused() -> None:
    scene = Scene(gated(ActionPattern(("create",), ("",), ("configmaps",))))
    answer = await scene.ask(a_call(Operation.CREATE, "configmaps", object={"metadata": {"a": "\ud800"}}))
    assert (answer.allowed, answer.decision) == (False, "Unreadable")


async def test_t58_an_eviction_is_the_same_as_long_as_the_pod_is() -> None:
    permit = a_permit(an_action("create pods/eviction it"), used=["uid-of-it"])
    scene = Scene(gated(EVICTIONS, by=(account("agent"),)), requests=(permit,))
    scene.server.put(PODS, "it", "shop", metadata={"uid": "uid-of-it"})
    call = a_call(Operation.CREATE, "pods/eviction", name="it", object={"metadata": {"name": "it"}})
    assert (await scene.ask(call)).allowed
    scene.server.put(PODS, "it", "shop", metadata={"uid": "made-anew"})
    assert not (await scene.ask(call)).allowed


@pytest.mark.parametrize(("mode", "decision"), [(GateMode.ENFORCE, "CouldNotDecide"), (GateMode.WARN, "Uncovered")])
async def test_t11_an_eviction_whose_pod_can_t_be_read_is_refused_by_gates_that_enforce(
    mode: GateMode, decision: str
) -> None:
    scene = Scene(gated(EVICTIONS, mode=mode))
    scene.server.broken["get", PODS.plural] = UnavailableError("no answer")
    answer = await scene.ask(a_call(Operation.CREATE, "pods/eviction", name="it", object={"metadata": {"name": "it"}}))
    assert (answer.allowed, answer.decision) == (mode is GateMode.WARN, decision)


def _stored() -> dict[str, Any]:
    target = {"verb": "delete", "group": "", "resource": "persistentvolumeclaims", "name": "data"}
    requester = {"username": "system:serviceaccount:shop:agent"}
    return {"spec": {"action": target, "durationSeconds": 600, "reason": "x", "requester": requester}, "status": {}}
