"""What Daypass asks for by itself, on whose behalf, and what is one cause (T56)."""

from dataclasses import replace

import pytest

from builders import a_person
from daypass.app.admission.gates.drafts import MAX_FINDINGS
from daypass.domain import causes, what_runs
from daypass.domain.identity import Identity
from daypass.domain.pod_facts import PodFacts
from daypass.domain.request import ActionGrant, OwnerReference, WorkloadGrant
from permitting import JOB, RUNS, a_call, a_pod

NEEDED = ("HostNamespaces:hostPID",)


def workload(pod: PodFacts, *needed: str) -> WorkloadGrant:
    grant = causes.of_pod(pod, needed or NEEDED).grant
    assert isinstance(grant, WorkloadGrant)
    return grant


def test_a_request_for_an_owner_s_pods_says_who_what_and_what_runs() -> None:
    cause = causes.of_pod(a_pod(), NEEDED)
    assert cause.grant == WorkloadGrant(
        service_account_name="agent",
        privileges=NEEDED,
        pod_template_digest=RUNS,
        max_pods=100,
        owner=JOB,
        authors=("alice",),
        findings=("HostNamespaces:hostPID at spec.hostNamespaces", "container it: image busybox:1, command: sleep 1"),
    )
    assert cause.summary == "Job nightly in shop uses HostNamespaces:hostPID"
    assert cause.reason == (
        "Job nightly in shop uses HostNamespaces:hostPID, made by alice;"
        " it runs container it: image busybox:1, command: sleep 1"
    )
    assert cause.requester.username == "alice"
    assert cause.namespace == "shop"


def test_a_bare_pod_is_one_pod() -> None:
    assert workload(a_pod(owner=None, caller="alice")).max_pods == 1


@pytest.mark.parametrize(
    "same",
    [
        a_pod(name="nightly-other"),
        a_pod("HostNamespaces:hostPID", "SecretMount:db"),
        a_pod(caller="kube-system/cronjob-controller"),
    ],
)
def test_t56_all_pods_of_an_owner_that_run_the_same_are_one_cause(same: PodFacts) -> None:
    assert causes.of_pod(a_pod(), NEEDED).hash == causes.of_pod(same, NEEDED).hash


@pytest.mark.parametrize(
    "other",
    [
        a_pod(digest="ef" * 32),
        a_pod(namespace="other"),
        a_pod(authors=("alice", "erin")),
        a_pod(unknown=True),
        a_pod(owner=replace(JOB, uid="another")),
        a_pod(owner=None),
    ],
)
def test_t56_what_runs_whose_it_is_and_who_made_it_make_another_cause(other: PodFacts) -> None:
    assert causes.of_pod(a_pod(), NEEDED).hash != causes.of_pod(other, NEEDED).hash


def test_t56_other_privileges_are_another_cause_and_their_order_is_none() -> None:
    one, other = "HostPorts:80", "HostNamespaces:hostPID"
    assert causes.of_pod(a_pod(), (one, other)).hash == causes.of_pod(a_pod(), (other, one)).hash
    assert causes.of_pod(a_pod(), (one,)).hash != causes.of_pod(a_pod(), (other,)).hash


def test_of_bare_pods_caller_and_account_stand_in_for_the_owner() -> None:
    def cause(caller: str, account: str = "agent") -> str:
        return causes.of_pod(a_pod(owner=None, caller=caller, account=account), NEEDED).hash

    assert len({cause("alice"), cause("erin"), cause("alice", "default")}) == 3


def test_the_requester_is_who_called_with_what_this_call_tells_of_them() -> None:
    alice = a_person("alice", uid="u-1")
    assert causes.of_pod(a_pod(caller=alice, owner=None), NEEDED).requester == alice


def test_t69_who_makes_a_pod_of_anothers_workload_asks_in_no_name_but_their_own() -> None:
    agent = a_person("shop/agent")
    cause = causes.of_pod(a_pod(caller=agent, authors=("alice", agent.username)), NEEDED)
    assert cause.requester == agent
    assert isinstance(cause.grant, WorkloadGrant)
    assert cause.grant.authors == ("alice", agent.username)
    assert f"made by alice, {agent.username};" in cause.reason
    first = causes.of_pod(a_pod(caller=agent, authors=(agent.username, "alice")), NEEDED)
    assert first.grant == cause.grant, "the caller comes last, whatever else they did"


def test_t69_who_changed_a_workload_last_is_who_asks_for_its_pods() -> None:
    cause = causes.of_pod(a_pod(authors=("alice", "erin")), NEEDED)
    assert cause.requester == Identity("erin")
    assert cause.hash != causes.of_pod(a_pod(authors=("erin", "alice")), NEEDED).hash


def test_nobody_known_asks_as_the_service_account() -> None:
    nobody = causes.of_pod(a_pod(authors=(), unknown=True), NEEDED)
    assert nobody.requester.username == "system:serviceaccount:shop:agent"
    assert "nobody knows who made it" in nobody.reason


def test_authors_whom_nobody_knows_are_told() -> None:
    cause = causes.of_pod(a_pod(unknown=True), NEEDED)
    assert "made by alice and by others whom nobody knows" in cause.reason
    assert workload(a_pod(unknown=True)).authors_unknown


def test_more_authors_than_can_be_written_down_are_unknown_ones() -> None:
    grant = workload(a_pod(authors=tuple(f"u{number}" for number in range(17))))
    assert grant.authors == tuple(f"u{number}" for number in range(1, 17)), "who asks is among them"
    assert grant.authors_unknown


def test_more_privileges_than_a_request_holds_are_asked_for_by_control() -> None:
    grant = workload(a_pod(), *(f"HostPathVolumes:/{number}" for number in range(100)))
    assert grant.privileges == ("HostPathVolumes",)


def test_t49_padding_takes_no_room_from_what_the_pod_runs() -> None:
    padded = a_pod(*["PrivilegedContainers"] * 1000, *(f"HostPorts:{number}" for number in range(60)))
    needed = ("PrivilegedContainers", *(f"HostPorts:{number}" for number in range(60)))
    findings = workload(padded, *needed).findings
    assert findings[0] == "PrivilegedContainers at spec.privilegedContainers and 999 more"
    assert len(findings) == 62
    crowded = replace(padded, runs=tuple(f"container c{number}" for number in range(what_runs.MOST_LINES)))
    findings = workload(crowded, *needed).findings
    assert len(findings) == MAX_FINDINGS, "what a request has no room for nobody would read"
    assert findings[15] == "and 46 more privileges"
    assert findings[16:] == crowded.runs


def test_an_action_is_asked_for_by_its_caller() -> None:
    cause = causes.of_action(a_call(), ("the object was made yesterday",))
    expected = ActionGrant("delete", "", "persistentvolumeclaims", "", "data")
    assert cause.grant == replace(expected, findings=("the object was made yesterday",))
    assert cause.requester == a_person("shop/agent")
    assert cause.summary == "system:serviceaccount:shop:agent wants to delete persistentvolumeclaims data"
    assert cause.reason.endswith("data: the object was made yesterday")


def test_another_caller_or_content_is_another_cause() -> None:
    calls = [a_call(), a_call(caller="alice"), a_call(digest=RUNS), a_call("delete persistentvolumeclaims other")]
    assert len({causes.of_action(call).hash for call in calls}) == len(calls)
    assert causes.of_action(a_call(key="another")).hash == causes.of_action(a_call()).hash


def test_names_come_from_the_cause_and_are_numbered() -> None:
    cause = causes.of_pod(a_pod(), NEEDED)
    assert cause.name() == f"daypass-{cause.hash[:10]}"
    assert cause.name(2) == f"daypass-{cause.hash[:10]}-2"
    assert len(cause.hash) == 40


def test_an_owner_of_any_kind_is_named() -> None:
    owner = OwnerReference("example.com/v1", "Workflow", "w", "u")
    assert causes.of_pod(a_pod(owner=owner), NEEDED).summary.startswith("Workflow w in shop")


@pytest.mark.parametrize(
    ("subresource", "words"), [("exec", "exec into"), ("attach", "attach to"), ("portforward", "port-forward to")]
)
def test_going_into_a_pod_reads_as_people_say_it(subresource: str, words: str) -> None:
    cause = causes.of_action(a_call(f"connect pods/{subresource} s-0", caller="alice"))
    assert cause.summary == f"alice wants to {words} pod s-0"
