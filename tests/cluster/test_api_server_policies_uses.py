"""Requests that Daypass makes itself, and the record of uses: what the API server holds to with us dead (T47, T55, T60)."""

import pytest

from bed import Bed
from bed.http import Response
from cluster.chains import CONTROLLER, DIGEST, SETUP, WEBHOOK, Json, a_person, a_request, a_review, path_of

pytestmark = pytest.mark.usefixtures("without_webhooks")

OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "report", "uid": "6d7a"}
WORKLOAD: Json = {"serviceAccountName": "agent", "privileges": ["HostPathVolumes"], "maxPods": 100}
ACTION: Json = {"verb": "delete", "group": "", "resource": "persistentvolumeclaims", "name": "data", "maxUses": 2}
OWN_WORDS: Json = {"owner": OWNER, "authors": ["alice"], "authorsUnknown": True, "findings": ["image app:1"]}
APPROVED = {"type": "Approved", "status": "True", "reason": "Approved", "lastTransitionTime": "2026-01-01T00:00:00Z"}
DRY = "?dryRun=All"


def asked(namespace: str, what: Json | None = None, user: str = "alice") -> Json:
    """A request for a workload or an action, as the webhook leaves it."""
    body = a_request(namespace, user)
    del body["spec"]["role"]
    body["spec"].update(what or {"workload": WORKLOAD})
    return body


def made(namespace: str, what: Json | None = None, name: str = "daypass-0123456789abcdef0123") -> Json:
    """A request that Daypass makes itself, for alice."""
    body = asked(namespace, what or {"workload": {**WORKLOAD, **OWN_WORDS}})
    body["metadata"].update({"name": name, "labels": {"daypass.dev/cause": "0" * 40}})
    return body


def create(bed: Bed, body: Json, user: str) -> Response:
    return bed.request("POST", path_of("accessrequests", body["metadata"]["namespace"]), body, user=user)


def a_use(key: str, **changes: object) -> Json:
    return {"key": key, "kind": "Pod", "name": f"pod-{key}", "uid": key, "time": "2026-01-01T00:00:00Z", **changes}


def note(bed: Bed, request: Json, status: Json, user: str = WEBHOOK) -> Response:
    metadata = request["metadata"]
    path = path_of("accessrequests", metadata["namespace"], metadata["name"], "status")
    return bed.request("PATCH", path, {"status": status}, user=user)


@pytest.fixture
def permit(bare_cluster: Bed, namespace: str) -> Json:
    """A request that the webhook made, evaluated by the controller and with one use."""
    answer = create(bare_cluster, made(namespace), WEBHOOK)
    assert answer.status == 201, answer.message
    status = {"digest": DIGEST, "uses": [a_use("1")]}
    assert note(bare_cluster, answer.json, status, CONTROLLER).status == 200
    return dict(answer.json)


@pytest.mark.parametrize(
    "what",
    [
        {"workload": {**WORKLOAD, **OWN_WORDS}},
        {"action": {**ACTION, "findings": ["x"], "parties": ["eve"], "partyGroups": ["ops"]}},
    ],
)
def test_t55_the_webhook_asks_for_another(bare_cluster: Bed, namespace: str, what: Json) -> None:
    """Who wanted it is the requester, with no more known of them than their name."""
    body = made(namespace, what)
    body["spec"]["requester"] = {"username": "alice"}
    answer = create(bare_cluster, body, WEBHOOK)
    assert answer.status == 201, answer.message
    assert answer.json["spec"]["requester"]["username"] == "alice"
    assert create(bare_cluster, body, WEBHOOK).status == 409


def test_people_and_agents_ask_for_workloads_and_actions_as_themselves(bare_cluster: Bed, namespace: str) -> None:
    for what in ({"workload": WORKLOAD}, {"action": ACTION}):
        assert create(bare_cluster, asked(namespace, what), "alice").status == 201
        answer = create(bare_cluster, asked(namespace, what, "bob"), "alice")
        assert answer.status == 403
        assert "spec.requester must be you" in answer.message


@pytest.mark.parametrize(
    "what",
    [
        *({"workload": {**WORKLOAD, key: value}} for key, value in OWN_WORDS.items()),
        {"workload": {**WORKLOAD, "authorsUnknown": False}},
        {"workload": {**WORKLOAD, "authors": []}},
        {"action": {**ACTION, "findings": ["harmless"]}},
        {"action": {**ACTION, "parties": ["bob"]}},
        {"action": {**ACTION, "partyGroups": []}},
    ],
)
@pytest.mark.parametrize("who", ["alice", "admin"])
def test_t55_t69_what_daypass_found_is_said_by_daypass_alone(
    bare_cluster: Bed, namespace: str, who: str, what: Json
) -> None:
    answer = create(bare_cluster, asked(namespace, what, who), who)
    assert answer.status == 403
    assert "are Daypass's own word" in answer.message


@pytest.mark.parametrize("who", ["alice", "admin"])
def test_t56_names_and_label_of_made_requests_are_reserved(bare_cluster: Bed, namespace: str, who: str) -> None:
    """Whoever took the name first would keep Daypass from asking, or be taken for it."""
    taken = asked(namespace, user=who)
    taken["metadata"]["name"] = "daypass-0123456789abcdef0123"
    generated = asked(namespace, user=who)
    del generated["metadata"]["name"]
    generated["metadata"]["generateName"] = "daypass-"
    for body in (taken, generated):
        answer = create(bare_cluster, body, who)
        assert answer.status == 403
        assert "names that begin with daypass-" in answer.message
    labelled = asked(namespace, user=who)
    labelled["metadata"]["labels"] = {"daypass.dev/cause": "0" * 40}
    assert "label daypass.dev/cause" in create(bare_cluster, labelled, who).message


def test_t56_the_label_stays_as_it_is(bare_cluster: Bed, namespace: str, permit: Json) -> None:
    path = path_of("accessrequests", namespace, permit["metadata"]["name"])
    for who in ("alice", "admin"):
        for value in (None, "1" * 40):
            answer = bare_cluster.request(
                "PATCH", path, {"metadata": {"labels": {"daypass.dev/cause": value}}}, user=who
            )
            assert answer.status == 403
            assert "label daypass.dev/cause" in answer.message
        other = {"metadata": {"labels": {"team": "shop"}}}
        assert bare_cluster.request("PATCH", path, other, user=who).status == 200


def test_t60_the_webhook_never_asks_for_access(bare_cluster: Bed, namespace: str) -> None:
    """A stolen token of the webhook makes no request for a role, in nobody's name."""
    role = {"kind": "ClusterRole", "name": "edit"}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    for what in ({"role": role}, {"rules": rules}):
        answer = create(bare_cluster, made(namespace, what), WEBHOOK)
        assert answer.status == 403
        assert "never for a role or rules" in answer.message


def test_t60_a_made_request_is_known_by_name_and_label(bare_cluster: Bed, namespace: str) -> None:
    plain = asked(namespace)
    unlabelled = made(namespace)
    del unlabelled["metadata"]["labels"]
    for body in (plain, unlabelled, made(namespace, name="other")):
        answer = create(bare_cluster, body, WEBHOOK)
        assert answer.status == 403
        assert "is called daypass-" in answer.message
    anonymous = made(namespace)
    del anonymous["spec"]["requester"]
    assert "says who wanted it" in create(bare_cluster, anonymous, WEBHOOK).message
    for metadata in (
        {"finalizers": ["example.com/keep"]},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}]},
    ):
        body = made(namespace)
        body["metadata"].update(metadata)
        assert create(bare_cluster, body, WEBHOOK).status == 403
    for place in ("kube-system", "daypass-system"):
        assert "nothing is granted in this namespace" in create(bare_cluster, made(place), WEBHOOK).message


def test_t60_the_webhook_changes_and_deletes_no_request(bare_cluster: Bed, namespace: str, permit: Json) -> None:
    """By RBAC, and by the API server's policy where RBAC were wider."""
    path = path_of("accessrequests", namespace, permit["metadata"]["name"])
    almighty = {
        "Impersonate-User": "system:serviceaccount:daypass-system:daypass-webhook",
        "Impersonate-Group": "system:masters",
    }
    labels = {"metadata": {"labels": {"daypass.dev/cause": "1" * 40}}}
    policies = "/apis/daypass.dev/v1alpha1/approvalpolicies"
    spec = {"effect": "Deny", "match": {"namespaces": ["nowhere"]}}
    policy = {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "ApprovalPolicy",
        "metadata": {"name": "mine"},
        "spec": spec,
    }
    for method, where, body in (
        ("PATCH", path, labels),
        ("DELETE", path, None),
        ("DELETE", path_of("accessrequests", namespace), None),
        ("POST", policies, policy),
    ):
        assert bare_cluster.request(method, where, body, user=WEBHOOK).status == 403
        answer = bare_cluster.request(method, where + DRY, body, headers=almighty)
        assert answer.status == 403
        assert "it changes and deletes nothing" in answer.message


def test_uses_are_appended_by_the_webhook(bare_cluster: Bed, permit: Json) -> None:
    for uses in (["1", "2"], ["1", "2", "3", "4"]):
        answer = note(bare_cluster, permit, {"uses": [a_use(key) for key in uses]})
        assert answer.status == 200, answer.message
    connected = a_use("5", confirmed=True)
    operations = [{"op": "add", "path": "/status/uses/-", "value": connected}]
    path = path_of("accessrequests", permit["metadata"]["namespace"], permit["metadata"]["name"], "status")
    headers = {"Content-Type": "application/json-patch+json"}
    assert bare_cluster.request("PATCH", path, operations, user=WEBHOOK, headers=headers).status == 200
    assert len(bare_cluster.request("GET", path).json["status"]["uses"]) == 5


def test_a_stale_note_is_refused_by_its_resource_version(bare_cluster: Bed, permit: Json) -> None:
    metadata = permit["metadata"]
    path = path_of("accessrequests", metadata["namespace"], metadata["name"], "status")
    version = {"resourceVersion": metadata["resourceVersion"]}
    body = {"metadata": version, "status": {"uses": [a_use("1"), a_use("2")]}}
    assert bare_cluster.request("PATCH", path, body, user=WEBHOOK).status == 409


@pytest.mark.parametrize(
    "uses",
    [
        [],
        None,
        [a_use("2")],
        [a_use("1", name="other")],
        [a_use("1", confirmed=True)],
        [a_use("1", confirmed=True), a_use("2")],
        [a_use("2"), a_use("1")],
        [a_use("2"), a_use("1"), a_use("3")],
    ],
)
def test_t47_t60_no_use_is_taken_back(bare_cluster: Bed, permit: Json, uses: list[Json] | None) -> None:
    """Neither by a stolen token of the webhook nor by whoever reviews: it would spend one approval twice."""
    for user in (WEBHOOK, "bob", "alice", "admin"):
        answer = note(bare_cluster, permit, {"uses": uses}, user)
        assert answer.status == 403
        assert "record of what was admitted" in answer.message


def test_t60_nobody_else_writes_uses(bare_cluster: Bed, permit: Json) -> None:
    """Not even more of them: that would use up another's permit."""
    for user in ("bob", "alice", "admin"):
        answer = note(bare_cluster, permit, {"uses": [a_use("1"), a_use("2")]}, user)
        assert answer.status == 403
        assert "record of what was admitted" in answer.message
    assert note(bare_cluster, permit, {"uses": [a_use("1"), a_use("2")]}, SETUP).status == 403


def test_the_controller_confirms_uses_and_gives_them_back(bare_cluster: Bed, permit: Json) -> None:
    for uses in ([a_use("1", confirmed=True)], [a_use("1"), a_use("2")], [a_use("2")], None):
        assert note(bare_cluster, permit, {"uses": uses}, CONTROLLER).status == 200


def test_t01_t60_the_webhook_writes_uses_and_nothing_else(bare_cluster: Bed, permit: Json) -> None:
    uses = [a_use("1"), a_use("2")]
    for more in (
        {"digest": "b" * 64},
        {"expirationTime": "2099-01-01T00:00:00Z"},
        {"conditions": [APPROVED]},
    ):
        assert note(bare_cluster, permit, {"uses": uses, **more}).status == 403
    itself = a_person(bare_cluster, WEBHOOK)
    for author in (itself, a_person(bare_cluster, "bob")):
        answer = note(bare_cluster, permit, {"reviews": [a_review(permit, author)]})
        assert answer.status == 403
        assert "appends to status.uses and changes nothing else" in answer.message


def test_a_request_for_a_role_has_no_uses(bare_cluster: Bed, namespace: str) -> None:
    body = create(bare_cluster, a_request(namespace), "alice").json
    assert note(bare_cluster, body, {"uses": [a_use("1")]}).status == 403


def test_a_review_beside_uses_is_stored(bare_cluster: Bed, permit: Json) -> None:
    review = a_review(permit, a_person(bare_cluster, "bob"))
    answer = note(bare_cluster, permit, {"reviews": [review]}, "bob")
    assert answer.status == 200, answer.message
    assert note(bare_cluster, permit, {"uses": [a_use("1"), a_use("2")]}).status == 200


@pytest.mark.parametrize("what", [{"workload": {**WORKLOAD, "maxPods": 2}}, {"action": ACTION}])
def test_t47_t60_no_more_uses_than_were_approved(bare_cluster: Bed, namespace: str, what: Json) -> None:
    """A use that a stolen token notes ahead lets its call through for nothing: keys of connections can be foreseen."""
    body = create(bare_cluster, made(namespace, what), WEBHOOK).json
    answer = note(bare_cluster, body, {"uses": [a_use("1"), a_use("2"), a_use("3")]})
    assert answer.status == 403
    assert "no more uses than the request is for" in answer.message
    assert note(bare_cluster, body, {"uses": [a_use("1"), a_use("2")]}).status == 200


def test_five_hundred_uses_are_within_what_the_api_server_computes(bare_cluster: Bed, namespace: str) -> None:
    permit = create(bare_cluster, made(namespace, {"workload": {**WORKLOAD, "maxPods": 500}}), WEBHOOK).json
    many = [a_use(f"{number:036}@{number}", name="n" * 60) for number in range(500)]
    assert note(bare_cluster, permit, {"uses": many[:499]}, CONTROLLER).status == 200
    answer = note(bare_cluster, permit, {"uses": many})
    assert answer.status == 200, answer.message
