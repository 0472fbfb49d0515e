"""Making the request that would help: one for each cause, however many ask (T56)."""

import asyncio
import json
import pickle
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.fake_server import FakeServer
from builders import a_deny, a_policy, a_review, a_stage, group, user
from daypass.api import convert
from daypass.api.fields import is_plain
from daypass.app.admission.gates.asking import Asked, Asking
from daypass.app.admission.gates.drafts import Drafts
from daypass.app.ports import ACCESS_REQUESTS, Json, RefusedError, UnavailableError
from daypass.domain import causes, denials
from daypass.domain.causes import Cause
from daypass.domain.conditions import State
from daypass.domain.policy import Limits, Policy
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import Condition, PolicyReference, Record, Request, WorkloadGrant
from daypass.domain.review import ReviewDecision
from permitting import LATER, RUNS, Known, a_call, a_permit, a_pod

NEEDED = ("HostNamespaces:hostPID",)
CAUSE = causes.of_pod(a_pod(), NEEDED)
PODS = a_policy("pods", a_stage(groups=("leads",)), roles=(), privileges=("Baseline",))


class Scene:
    """The use case on a fake server, with caches that hear of nothing until a test says so."""

    def __init__(self, *made: Request, policies: list[Policy] | None = None) -> None:
        self.server = FakeServer()
        self.known = Known(*made, policies=policies)
        server: Any = self.server
        self.asking = Asking(server, self.known, self.known, Drafts(self.known, self.known))

    async def ask(self, cause: Cause = CAUSE) -> Asked:
        return await self.asking.ask(cause)

    @property
    def stored(self) -> list[Json]:
        return [body for key, body in self.server.objects.items() if key[0] == ACCESS_REQUESTS.plural]

    @property
    def names(self) -> list[str]:
        return [body["metadata"]["name"] for body in self.stored]

    def calls(self) -> list[str]:
        return [verb for verb, _ in self.server.calls]

    def hear(self, **status: Any) -> None:  # noqa: ANN401 - any JSON
        """The watch tells what is stored, with that status."""
        self.known.requests = []
        self.known.heard = self.server._version
        for body in self.stored:
            request = convert.request_from({**body, "status": status})
            self.known.requests.append(replace(request, cause=body["metadata"]["labels"]["daypass.dev/cause"]))


def made(state: State, number: int = 1, cause: Cause = CAUSE, **more: Any) -> Request:  # noqa: ANN401 - as a_permit
    """A request that was made for the cause, in that state."""
    permit = a_permit(cause.grant, requester=cause.requester.username, state=state, **more)
    return replace(permit, name=cause.name(number), cause=cause.hash)


def denied(number: int, message: str = "Denied by bob: no", *, by: str = "", of: str = "", ago: int = 600) -> Request:
    """One that a person or a policy denied, or that no policy allowed, so many seconds ago."""
    one = made(State.DENIED, number)
    ready = Condition("Ready", "False", "Denied", message, 1)
    references = (PolicyReference(of, f"uid-{of}", 1),) if of else ()
    record = Record(conditions=(ready,), policies=references, end_time=LATER - timedelta(seconds=ago))
    reviews = (a_review(by, ReviewDecision.DENY),) if by else ()
    return replace(one, record=record, reviews=reviews)


async def test_the_request_says_who_what_and_why() -> None:
    scene = Scene(policies=[PODS])
    asked = await scene.ask()
    assert asked == Asked(
        CAUSE.name(), None, f"request {CAUSE.name()} was made and waits for group leads (policy pods)"
    )
    assert asked.waits
    (body,) = scene.stored
    assert body["metadata"]["labels"] == {"daypass.dev/cause": CAUSE.hash}
    assert body["spec"] == {
        "requester": {"username": "alice", "groups": []},
        "subject": {"kind": "User", "name": "alice"},
        "workload": {
            "serviceAccountName": "agent",
            "privileges": ["HostNamespaces:hostPID"],
            "podTemplateDigest": RUNS,
            "maxPods": 100,
            "owner": {"apiVersion": "batch/v1", "kind": "Job", "name": "nightly", "uid": "uid-of-nightly"},
            "authors": ["alice"],
            "findings": [
                "HostNamespaces:hostPID at spec.hostNamespaces",
                "container it: image busybox:1, command: sleep 1",
            ],
        },
        "durationSeconds": 3600,
        "reason": CAUSE.reason,
    }
    assert convert.request_from(body).grant == CAUSE.grant


async def test_a_policy_that_wants_a_ticket_is_not_waited_for() -> None:
    asked = await Scene(policies=[PODS, replace(PODS, name="tickets", limits=Limits(ticket_pattern="^OPS-"))]).ask()
    told = "can't be approved: policy tickets wants a ticket: ask yourself, with one"
    assert asked.message == f"request {CAUSE.name()} was made and {told}"


async def test_t56_a_flood_of_ten_thousand_makes_one_request_by_one_call() -> None:
    scene = Scene()
    answers = await asyncio.gather(*(scene.ask() for _ in range(5_000)))
    answers += [await scene.ask() for _ in range(5_000)]
    assert {answer.name for answer in answers} == {CAUSE.name()}
    assert scene.calls() == ["create"]
    scene.hear()
    assert (await scene.ask()).name == CAUSE.name()
    assert scene.calls() == ["create"]
    assert len(scene.asking._told) == 1
    assert scene.asking._running == {}


async def test_t56_through_two_replicas_too() -> None:
    scene = Scene()
    server: Any = scene.server
    other = Asking(server, scene.known, scene.known, Drafts(scene.known, scene.known))
    answers = await asyncio.gather(scene.ask(), other.ask(CAUSE))
    assert {answer.name for answer in answers} == {CAUSE.name()}
    assert scene.names == [CAUSE.name()]


@pytest.mark.parametrize(
    "state", [State.AWAITING_APPROVAL, State.UNDECIDED, State.SCHEDULED, State.ACTIVE, State.SUSPENDED]
)
async def test_t56_one_that_is_not_over_is_enough(state: State) -> None:
    scene = Scene(made(state))
    asked = await scene.ask()
    assert (asked.name, asked.state, asked.waits) == (CAUSE.name(), state, True)
    assert asked.message == f"request {CAUSE.name()} is {state.value}: Ready says so"
    assert scene.calls() == []


async def test_t56_after_a_denial_there_is_no_other() -> None:
    scene = Scene(made(State.TIMED_OUT), denied(2, by="bob"))
    asked = await scene.ask()
    assert (asked.name, asked.state, asked.waits) == (CAUSE.name(2), State.DENIED, False)
    assert asked.message == (
        f"request {CAUSE.name(2)} was denied by bob: no; to be asked again, change what it is about or have it deleted:"
        f" kubectl delete areq {CAUSE.name(2)} -n shop"
    )
    assert scene.calls() == []


async def test_t56_after_a_deny_policy_there_is_no_other_until_that_policy_is_another() -> None:
    freeze = a_deny("freeze")
    scene = Scene(denied(1, "policy freeze denies requests like this one.", of="freeze"), policies=[PODS, freeze])
    asked = await scene.ask()
    assert asked.message.startswith(
        f"request {CAUSE.name()} was denied: policy freeze denies requests like this one; to be asked again"
    )
    scene.known.all_policies = PolicySet([PODS, replace(freeze, generation=freeze.generation + 1)])
    assert (await scene.ask()).name == CAUSE.name(2)


async def test_what_was_denied_for_want_of_a_policy_is_asked_for_again() -> None:
    scene = Scene(denied(1, "no policy lets alice"), policies=[PODS])
    assert (await scene.ask()).name == CAUSE.name(2)


async def test_t16_what_no_policy_allows_is_asked_for_less_and_less_often() -> None:
    scene = Scene(*(denied(number, "no policy lets alice", ago=60) for number in range(1, 5)), policies=[PODS])
    asked = await scene.ask()
    assert (asked.name, asked.state, scene.calls()) == (CAUSE.name(1), State.DENIED, [])
    assert asked.message == (
        f"request {CAUSE.name(1)} was denied: no policy lets alice; it is asked again from 2026-03-02T12:10:20Z on"
    )
    scene.known.requests = [denied(number, "no policy lets alice", ago=81) for number in range(1, 5)]
    assert (await scene.ask()).name == CAUSE.name(5)
    assert denials.again_at(scene.known.requests * 100) == LATER - timedelta(seconds=81) + timedelta(days=1)


@pytest.mark.parametrize("state", [State.TIMED_OUT, State.EXPIRED, State.RELEASED, State.REVOKED, State.FAILED])
async def test_after_any_other_end_the_next_has_a_number(state: State) -> None:
    scene = Scene(made(state), made(State.TIMED_OUT, 2))
    assert (await scene.ask()).name == CAUSE.name(3)
    assert (await scene.ask()).name == CAUSE.name(3)
    assert scene.calls() == ["create"]


async def test_one_that_is_used_up_asks_again() -> None:
    cause = causes.of_action(a_call())
    scene = Scene(made(State.ACTIVE, cause=cause, used=["uid-of-what-was"]))
    assert (await scene.ask(cause)).name == cause.name(2)


async def test_t24_a_name_that_somebody_took_is_not_adopted() -> None:
    scene = Scene()
    spec = {"requester": {"username": "mallory"}, "reason": "x", "durationSeconds": 60}
    spec["workload"] = {"serviceAccountName": "agent", "privileges": ["HostNamespaces"], "maxPods": 500}
    scene.server.put(ACCESS_REQUESTS, CAUSE.name(), "shop", spec=spec)
    assert (await scene.ask()).name == CAUSE.name(2)


async def test_t24_a_label_that_somebody_set_is_no_request_of_ours() -> None:
    foreign = replace(a_permit(requester="mallory"), cause=CAUSE.hash)
    by_hand = replace(made(State.AWAITING_APPROVAL), name="the-same-by-hand")
    scene = Scene(foreign, replace(foreign, name=CAUSE.name()), by_hand)
    assert (await scene.ask()).name == CAUSE.name(2)


async def test_one_that_the_watch_has_not_told_yet_is_ours() -> None:
    scene = Scene()
    await scene.ask()
    server: Any = scene.server
    late = Asking(server, scene.known, scene.known, Drafts(scene.known, scene.known))
    asked = await late.ask(CAUSE)
    assert asked == Asked(
        CAUSE.name(),
        None,
        f"request {CAUSE.name()} was made and is being looked at: kubectl get areq {CAUSE.name()} -n shop",
    )
    assert scene.names == [CAUSE.name()]


async def test_a_denial_that_the_watch_has_not_told_yet_counts() -> None:
    scene = Scene()
    await scene.ask()
    conditions = [{"type": "Ready", "status": "False", "reason": "Denied", "message": "no", "observedGeneration": 1}]
    scene.stored[0]["status"] = {"conditions": conditions}  # type: ignore[index]
    server: Any = scene.server
    late = Asking(server, scene.known, scene.known, Drafts(scene.known, scene.known))
    assert (await late.ask(CAUSE)).state is State.DENIED


async def test_when_it_has_ended_a_moment_later_the_next_is_made() -> None:
    scene = Scene()
    await scene.ask()
    conditions = [{"type": "Ready", "status": "False", "reason": "TimedOut", "message": "", "observedGeneration": 1}]
    scene.hear(conditions=conditions)
    assert (await scene.ask()).name == CAUSE.name(2)


async def test_t56_one_that_was_deleted_a_moment_later_is_made_again() -> None:
    scene = Scene()
    await scene.ask()
    scene.hear()
    scene.known.requests = []
    scene.server.objects.clear()
    assert (await scene.ask()).waits
    assert scene.calls() == ["create", "create"]


async def test_t69_a_policy_for_one_author_lets_nobody_ask_for_what_others_made_too() -> None:
    scene = Scene(policies=[a_policy(roles=(), privileges=("Baseline",), requesters=(user("alice"),))])
    both = causes.of_pod(a_pod(authors=("erin", "alice")), NEEDED)
    text = "no policy lets alice ask for it in namespace shop for what was also made by erin"
    assert await scene.ask(both) == Asked("", None, text)
    strange = causes.of_pod(a_pod(unknown=True), NEEDED)
    assert (await scene.ask(strange)).message.endswith("for what was also made by others whom nobody knows")
    assert (await scene.ask()).name == CAUSE.name()


def test_a_request_in_brief_names_controls_alone() -> None:
    ports = tuple(f"HostPorts:{port}" for port in range(1_000, 1_070))
    cause = causes.in_brief(causes.of_pod(a_pod(*ports), ports))
    spec = json.loads(Scene(policies=[PODS]).asking.drafts.paste(cause))["spec"]
    assert spec["workload"]["privileges"] == ["HostPorts"]
    assert spec["workload"]["podTemplateDigest"] == RUNS, "what runs is pinned all the same"
    assert spec["reason"] == "Job nightly in shop"
    narrow = Scene(policies=[a_policy(roles=(), privileges=("HostPorts:1*",))])
    assert narrow.asking.drafts.paste(cause) == "", "no policy lets anybody ask for all of them"
    operation = causes.of_action(a_call("delete persistentvolumeclaims data"))
    assert causes.in_brief(operation) is operation


def test_a_request_in_brief_says_how_much_its_account_may_do() -> None:
    """That is not in what runs, and may be more by the time a pod is made."""
    uses = ("HostPathVolumes:/a", "HostPathVolumes:/b", "ServiceAccountPower:High")
    cause = causes.in_brief(causes.of_pod(a_pod(*uses), uses))
    assert isinstance(cause.grant, WorkloadGrant)
    assert cause.grant.privileges == ("HostPathVolumes", "ServiceAccountPower:High")


async def test_what_no_policy_could_approve_is_not_asked_for() -> None:
    scene = Scene(policies=[a_policy(roles=(), privileges=("HostPorts",))])
    asked = await scene.ask()
    assert asked == Asked("", None, "no policy lets alice ask for it in namespace shop")
    assert not asked.waits
    assert scene.calls() == []
    assert scene.asking.drafts.paste(CAUSE) == ""
    assert scene.asking.drafts.hopeless(CAUSE) == asked.message


async def test_whose_groups_nobody_knows_asks_by_themselves() -> None:
    devs = replace(PODS, match=replace(PODS.match, requesters=(group("devs"), user("zoe"))))
    scene = Scene(policies=[devs])
    asked = await scene.ask()
    assert asked == Asked("", None, "Daypass does not know alice's groups: ask yourself")
    assert scene.asking.drafts.hopeless(CAUSE) == asked.message
    assert json.loads(scene.asking.drafts.paste(CAUSE))["spec"]["durationSeconds"] == 3600
    known = replace(CAUSE, requester=replace(CAUSE.requester, groups=("system:authenticated",)))
    assert scene.asking.drafts.hopeless(known) == "no policy lets alice ask for it in namespace shop"
    assert scene.asking.drafts.paste(known) == ""


async def test_it_asks_for_no_longer_than_policies_grant() -> None:
    policies = [PODS, replace(PODS, name="q", limits=Limits(max_duration_seconds=600))]
    scene = Scene(policies=policies)
    await scene.ask()
    assert scene.stored[0]["spec"]["durationSeconds"] == 600


@pytest.mark.parametrize("error", [RefusedError("quota is full", 403), UnavailableError("no answer")])
async def test_what_fails_is_told_and_not_tried_by_everybody(error: Exception) -> None:
    scene = Scene()
    scene.server.broken[("create", ACCESS_REQUESTS.plural)] = error
    answers = [await scene.ask() for _ in range(100)]
    assert {answer.message for answer in answers} == {f"the request could not be made: {error}"}
    assert scene.calls() == ["create"]


async def test_what_failed_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daypass.app.admission.gates.asking.FAILED_SECONDS", 0.05)
    scene = Scene()
    scene.server.broken[("create", ACCESS_REQUESTS.plural)] = UnavailableError("no answer")
    assert not (await scene.ask()).name
    scene.server.broken.clear()
    assert not (await scene.ask()).name
    await asyncio.sleep(0.1)
    assert (await scene.ask()).name == CAUSE.name()


async def test_t16_of_one_requester_only_so_many_wait() -> None:
    scene = Scene()
    pods = [a_pod(digest=f"{number:064x}") for number in range(25)]
    answers = [await scene.ask(causes.of_pod(pod, NEEDED)) for pod in pods]
    assert sum(bool(answer.name) for answer in answers) == 20
    untold = "20 requests made for alice within an hour wait, or were not approved: this one was not made"
    assert answers[-1].message == untold
    scene.hear()
    assert not (await scene.ask(causes.of_pod(a_pod(digest="ee" * 32), NEEDED))).name
    erin = causes.of_pod(a_pod(authors=("erin",)), NEEDED)
    assert (await scene.ask(erin)).name


@pytest.mark.parametrize("state", [State.DENIED, State.RELEASED, State.TIMED_OUT, State.FAILED])
async def test_t16_what_a_policy_denies_at_once_makes_no_room_for_the_next(state: State) -> None:
    """Nor what its requester takes back: each would be an object more for a month, without end."""
    pods = [a_pod(digest=f"{number:064x}") for number in range(21)]
    *earlier, late = [causes.of_pod(pod, NEEDED) for pod in pods]
    ready = Condition("Ready", "False", state.value, "No.", 1)

    def over(ago: timedelta, *, approved: bool = False) -> list[Request]:
        end = LATER - ago
        record = Record(conditions=(ready,), end_time=end, approved_time=end if approved else None)
        return [replace(made(state, cause=one), record=record) for one in earlier]

    assert not (await Scene(*over(timedelta(minutes=59))).ask(late)).name
    assert (await Scene(*over(timedelta(minutes=61))).ask(late)).name
    assert (await Scene(*over(timedelta(minutes=1), approved=True)).ask(late)).name


async def test_t16_of_many_at_once_no_more_are_made() -> None:
    scene = Scene()
    pods = [a_pod(digest=f"{number:064x}") for number in range(50)]
    answers = await asyncio.gather(*(scene.ask(causes.of_pod(pod, NEEDED)) for pod in pods))
    assert sum(bool(answer.name) for answer in answers) == 20


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daypass.app.admission.gates.asking.REMEMBERED", 10)
    scene = Scene()
    for number in range(30):
        await scene.ask(causes.of_pod(a_pod(authors=(f"u{number}",)), NEEDED))
    assert len(scene.asking._told) == 10


async def test_t49_what_was_refused_is_not_remembered_with_all_its_facts() -> None:
    """Thousands of them are: the lines for the approver, and the same once more as a reason, would be half a gigabyte."""
    scene = Scene(policies=[PODS])
    await scene.ask(causes.of_pod(replace(a_pod(), runs=("\N{GRINNING FACE}" * 512,) * 32), NEEDED))
    assert len(pickle.dumps(scene.asking._told)) < 1024


async def test_t15_what_strangers_wrote_is_shown_as_plain_text() -> None:
    evil = replace(a_pod(), runs=("image evil\n\u202eapproved by bob", "x" * 3000), authors=("al\u200bice",))
    scene = Scene()
    await scene.ask(causes.of_pod(evil, NEEDED))
    spec = scene.stored[0]["spec"]
    assert all(is_plain(text) and len(text) <= 512 for text in spec["workload"]["findings"])
    assert is_plain(spec["reason"])
    assert len(spec["reason"]) <= 1024
    assert "evil\\n\\u202eapproved" in spec["workload"]["findings"][1]


def test_the_request_to_paste_is_one_line_and_no_claim_of_ours() -> None:
    text = Scene(policies=[PODS]).asking.drafts.paste(CAUSE)
    assert "\n" not in text
    assert json.loads(text) == {
        "apiVersion": "daypass.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"generateName": "ask-", "namespace": "shop"},
        "spec": {
            "workload": {
                "serviceAccountName": "agent",
                "privileges": ["HostNamespaces:hostPID"],
                "podTemplateDigest": RUNS,
                "maxPods": 100,
            },
            "durationSeconds": 3600,
            "reason": "Job nightly in shop uses HostNamespaces:hostPID",
        },
    }


async def test_who_stops_waiting_leaves_the_others_their_answer() -> None:
    scene = Scene()
    first, second = asyncio.create_task(scene.ask()), asyncio.create_task(scene.ask())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).name == CAUSE.name()
    assert scene.calls() == ["create"]
