"""What becomes of a pod when something can't be known, and what it costs when nothing need be."""

import asyncio
from dataclasses import replace

import pytest

from app.gate_scene import REPLICA_SETS_OWN, Scene, a_pod, held
from builders import NOON, a_person, a_request, a_workload
from daypass.app.admission.gates.asking import Asked
from daypass.app.admission.gates.earlier_requests import Earlier
from daypass.app.ports import REPLICA_SETS, RefusedError, UnavailableError
from daypass.domain.conditions import State
from daypass.domain.policy import GateMode, RiskLevel
from daypass.domain.request import Request, Use
from daypass.domain.risk import Risk
from gate_builders import a_gate, workloads

HOLDS = (a_gate("gate", workloads("shop", agents=("/agent",), privileges=("HostPathVolumes",), hold=True)),)
ASKS = (a_gate("gate", workloads("shop", agents=("/agent",), privileges=("HostPathVolumes",), request=True)),)
PERMIT = a_request(grant=a_workload("HostPathVolumes", pods=3)).build()
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs-1", "controller": True}
BROKEN = UnavailableError("no answer to GET replicasets")


async def test_an_unprivileged_pod_costs_no_call() -> None:
    scene = Scene()
    assert (await scene.create(a_pod(volumes=[], owner=OWNER), REPLICA_SETS_OWN)).decision == "NotGated"
    assert scene.server.calls == []


async def test_a_pod_of_the_agents_service_account_is_refused_without_being_asked_for() -> None:
    scene = Scene()
    answer = await scene.create(a_pod())
    assert (answer.allowed, answer.decision) == (False, "Refused")
    assert answer.message.endswith("""To ask: echo '{"kind":"AccessRequest"}' | kubectl create -f -""")
    assert scene.causes == []
    assert scene.counted == [("Enforce", "Refused")]


async def test_what_was_asked_for_already_is_told_in_place_of_the_request_to_paste() -> None:
    waiting = Earlier("request ask-x waits for group leads", waits=True)
    answer = await Scene(earlier=waiting).create(a_pod())
    assert answer.message.endswith("for that; request ask-x waits for group leads")
    denied = (await Scene(earlier=Earlier("request ask-x was denied by bob: no")).create(a_pod())).message
    assert "; request ask-x was denied by bob: no. To ask: " in denied
    hopeless = (await Scene(no_hope="no policy lets alice ask for it").create(a_pod())).message
    assert "; no policy lets alice ask for it. To ask: " in hopeless


async def test_a_covered_pod_spends_one_use_by_its_uid() -> None:
    scene = Scene(covering=[PERMIT])
    answer = await scene.create(a_pod())
    assert (answer.decision, answer.annotations["request"]) == ("Covered", PERMIT.name)
    (use,) = scene.spent
    assert (use.key, use.kind, use.name, use.uid) == ("pod-1", "Pod", "pod", "pod-1")


async def test_t47_a_dry_run_spends_and_asks_nothing() -> None:
    scene = Scene(policies=ASKS, covering=[PERMIT])
    assert (await scene.create(a_pod(), dry_run=True)).decision == "Covered"
    assert scene.spent == []
    scene.covering = []
    assert (await scene.create(a_pod(), dry_run=True)).decision == "Refused"
    assert scene.causes == []


async def test_t47_the_mark_of_a_dry_run_that_asks_for_a_digest_is_nothing_in_earnest() -> None:
    scene, marked = Scene(policies=HOLDS), a_pod()
    marked["metadata"]["annotations"] = {"daypass.dev/digest-only": "true"}
    assert ((await scene.create(marked, dry_run=True)).decision, scene.causes) == ("DigestOnly", [])
    assert (await scene.hold(marked, dry_run=True)).decision == "Unheld"
    assert (await scene.create(marked)).decision == "CantBeHeld"
    assert (await scene.hold(marked)).decision == "Held"


async def test_a_use_that_is_gone_meanwhile_is_a_refusal_with_the_reason() -> None:
    scene = Scene(covering=[PERMIT], left=False)
    assert "request r has no pod left of 1" in (await scene.create(a_pod())).message


async def test_t11_owners_that_can_not_be_read_are_no_decision() -> None:
    scene = Scene()
    scene.server.broken["get", "replicasets"] = BROKEN
    answer = await scene.create(a_pod("other", owner=OWNER), REPLICA_SETS_OWN)
    assert (answer.allowed, answer.decision, answer.code) == (False, "CouldNotDecide", 503)
    assert "no answer to GET replicasets" in answer.message
    assert (await Scene(policies=HOLDS, server=scene.server).hold(a_pod(owner=OWNER), REPLICA_SETS_OWN)).code == 503


async def test_t69_an_owner_that_we_may_not_read_has_authors_whom_nobody_knows() -> None:
    scene = Scene(policies=ASKS)
    scene.server.broken["get", "replicasets"] = RefusedError("forbidden", 403)
    await scene.create(a_pod(owner=OWNER), REPLICA_SETS_OWN)
    (cause,) = scene.causes
    assert getattr(cause.grant, "authors_unknown", False)


async def test_an_owner_of_a_kind_that_nobody_can_read_is_told_as_the_pod_says_it_and_one_that_is_not_there_is_none() -> (
    None
):
    for owner, known in (({**OWNER, "apiVersion": "example.com/v1", "kind": "Widget"}, "Widget"), (OWNER, "")):
        scene = Scene(policies=ASKS)
        assert not (await scene.create(a_pod(owner=owner), REPLICA_SETS_OWN)).allowed
        (cause,) = scene.causes
        assert getattr(getattr(cause.grant, "owner", None), "kind", "") == known


@pytest.mark.parametrize("mode", [GateMode.WARN, GateMode.AUDIT])
async def test_a_gate_that_only_advises_stops_nothing_whatever_is_broken(mode: GateMode) -> None:
    gate = workloads("shop", agents=("/agent",), privileges=("HostPathVolumes",))
    scene = Scene(policies=[a_gate("gate", gate, mode=mode)])
    scene.server.broken["get", "replicasets"] = BROKEN
    answer = await scene.create(a_pod(owner=OWNER), REPLICA_SETS_OWN)
    assert (answer.allowed, answer.decision) == (True, "CouldNotDecide")
    told = await scene.create(a_pod())
    assert (told.allowed, told.decision, bool(told.warnings)) == (True, "Uncovered", mode is GateMode.WARN)


async def test_t44_what_an_account_may_do_is_not_known_yet() -> None:
    gate = workloads("shop", privileges=("ServiceAccountPower",))
    scene = Scene(policies=[a_gate("gate", gate)], power=None)
    answer = await scene.create(a_pod(volumes=[]))
    assert (answer.allowed, answer.decision) == (False, "CouldNotDecide")
    scene.power = Risk(RiskLevel.MEDIUM)
    assert (await scene.create(a_pod(volumes=[]))).decision == "NotGated"
    scene.power = Risk(RiskLevel.CRITICAL)
    assert "ServiceAccountPower:Critical (spec.serviceAccountName=agent)" in (await scene.create(a_pod())).message
    assert (await Scene(power=None).create(a_pod())).decision == "Refused", "no gate asks for it"


async def test_t63_a_gate_that_can_not_be_read_may_concern_every_pod() -> None:
    scene = Scene(unreadable=["newer"])
    answer = await scene.create(a_pod(volumes=[]))
    assert not answer.allowed
    assert "policy newer can't be read" in answer.message


async def test_a_hold_asks_and_lets_wait() -> None:
    scene = Scene(policies=HOLDS)
    patched = await scene.hold(a_pod())
    assert [one["path"] for one in patched.patch] == [
        "/spec/schedulingGates",
        "/metadata/labels",
        "/metadata/annotations",
    ]
    answer = await scene.create(held(a_pod()))
    assert (answer.allowed, answer.decision, answer.annotations["request"]) == (True, "Held", "daypass-1")
    assert answer.warnings == ("pod pod: held until daypass-1 is approved for HostPathVolumes:/var/log (policy gate)",)
    assert (await scene.hold(held(a_pod()))).patch == ()


async def test_t57_a_hold_that_is_not_on_the_final_pod() -> None:
    answer = await Scene(policies=HOLDS).create(a_pod())
    assert (answer.allowed, answer.decision) == (False, "CantBeHeld")


@pytest.mark.parametrize("covering", [[], [PERMIT]])
async def test_t55_a_pod_that_was_held_for_something_else_does_not_wait(covering: list[Request]) -> None:
    scene = Scene(policies=HOLDS, covering=covering)
    pod = held(a_pod())
    answer = await scene.create(pod, a_person("bob"))
    assert not answer.allowed
    assert "try again" in answer.message
    (patch,) = (await Scene(policies=HOLDS).hold(pod, a_person("bob"))).patch
    assert patch["path"] == "/metadata/annotations/daypass.dev~1held-for"
    again = held(a_pod(), patch["value"])
    assert (await Scene(policies=HOLDS).create(again, a_person("bob"))).decision == "Held"
    assert (await Scene(policies=HOLDS).create(again)).decision == "CantBeHeld"


@pytest.mark.parametrize(
    "asked",
    [
        Asked("", None, "no policy lets alice ask for it"),
        Asked("daypass-1", State.DENIED, "request daypass-1 is Denied: by bob"),
    ],
)
async def test_nobody_waits_for_what_never_comes(asked: Asked) -> None:
    answer = await Scene(policies=HOLDS, asked=asked).create(held(a_pod()))
    assert not answer.allowed
    assert asked.message in answer.message
    assert answer.annotations.get("request", "") == asked.name


async def test_a_pod_that_was_covered_after_it_was_held() -> None:
    scene = Scene(policies=HOLDS, covering=[PERMIT])
    answer = await scene.create(held(a_pod()))
    assert (answer.allowed, answer.decision, scene.spent) == (False, "CoveredMeanwhile", [])
    assert (await scene.hold(a_pod())).patch == ()
    assert [one["op"] for one in (await scene.hold(held(a_pod()))).patch] == ["remove", "remove", "remove"]
    assert (await scene.create(a_pod())).decision == "Covered"


async def test_a_pod_that_is_held_for_the_request_that_covers_it_by_now_is_let_in_as_it_is() -> None:
    scene = Scene(policies=HOLDS)
    await scene.create(held(a_pod()))
    scene.covering = [replace(PERMIT, cause=scene.causes[0].hash)]
    answer = await scene.create(held(a_pod()))
    assert (answer.allowed, answer.decision, scene.spent) == (True, "Covered", [])
    assert (await scene.create(held(a_pod(), "for-something-else"))).decision == "CoveredMeanwhile"


async def test_t53_an_update_that_takes_a_hold_off() -> None:
    scene = Scene(policies=HOLDS)
    for patched in (
        held(a_pod(), "other"),
        {**held(a_pod()), "spec": a_pod()["spec"]},
        {**held(a_pod()), "metadata": a_pod()["metadata"]},
    ):
        answer = await scene.update(held(a_pod()), patched)
        assert (answer.allowed, answer.decision) == (False, "HoldIsGuarded")
    assert (await scene.update(held(a_pod()), held(a_pod()))).decision == "NotGated"


async def test_an_update_of_a_pod_that_somebody_else_made_has_an_unknown_author() -> None:
    scene = Scene(policies=ASKS)
    other = a_pod(containers=[{"name": "it", "image": "another"}])
    assert (await scene.update(a_pod(), other)).decision == "Refused"
    (cause,) = scene.causes
    assert getattr(cause.grant, "authors_unknown", False)
    assert getattr(cause.grant, "authors", ()) == ("alice",)


async def test_t69_a_pod_keeps_the_leave_that_let_it_in_only_where_nobody_but_its_maker_had_a_hand_in_it() -> None:
    use = Use("pod-1", "Pod", "pod", "pod-1", NOON)
    scene = Scene(covering=[replace(PERMIT, record=replace(PERMIT.record, uses=(use,)))], by_one=True)
    for owner, decision in ((None, "Covered"), (OWNER, "Refused")):
        other = a_pod(owner=owner, containers=[{"name": "it", "image": "another"}])
        assert (await scene.update(a_pod(owner=owner), other)).decision == decision
    scene.covering = [PERMIT]
    assert (await scene.update(a_pod(), a_pod(containers=[]))).decision == "Refused"


async def test_t56_a_change_that_is_refused_asks_only_where_a_gate_says_so() -> None:
    other = a_pod(containers=[{"name": "it", "image": "another"}])
    scene = Scene(policies=HOLDS)
    assert (await scene.update(a_pod(), other)).decision == "Refused"
    assert (await scene.update(held(a_pod()), held(other))).decision == "Refused"
    asking = Scene(policies=ASKS)
    assert (await asking.update(held(a_pod()), held(other))).decision == "Refused"
    assert (scene.causes, asking.causes) == ([], [])
    assert not (await scene.create(a_pod())).allowed
    assert (await scene.create(held(a_pod()))).decision == "Held"
    assert len(scene.causes) == 1


async def test_a_kind_that_owns_a_pod_without_controlling_it_counts_too() -> None:
    named = workloads("shop", agents=("/agent",), privileges=("HostPathVolumes",), owner_kinds=("flow.example/Flow",))
    scene = Scene(policies=(a_gate("gate", named),))
    flow = {"apiVersion": "flow.example/v1", "kind": "Flow", "name": "nightly", "uid": "f-1"}
    runner = a_person("system:serviceaccount:flows:runner")
    pod = a_pod("other", owner=dict(flow))
    assert (await scene.create(pod, runner)).decision == "Refused"
    pod["metadata"]["ownerReferences"][0]["kind"] = "Water"
    assert (await scene.create(pod, runner)).decision == "NotGated"
    authors = {"daypass.dev/authors": runner.username}
    for owners, decision in (([], "NotGated"), ([flow], "Refused")):
        body = {"metadata": {"name": "web", "uid": "rs-1", "annotations": authors, "ownerReferences": owners}}
        scene.server.objects[REPLICA_SETS.plural, "shop", "web"] = body
        assert (await scene.create(a_pod("other", owner=OWNER), REPLICA_SETS_OWN)).decision == decision


async def test_one_read_answers_for_all_pods_of_an_owner_at_the_same_time() -> None:
    scene = Scene()
    metadata = {"uid": "rs-1", "annotations": {"daypass.dev/authors": "alice"}}
    scene.server.put(REPLICA_SETS, "web", "shop", metadata=metadata)
    gate = scene.gate
    pod = a_pod("other", owner=OWNER)
    answers = await asyncio.gather(*(scene.create(pod, REPLICA_SETS_OWN, gate=gate) for _ in range(500)))
    assert {answer.decision for answer in answers} == {"NotGated"}
    assert len(scene.server.calls) <= 2
    assert gate.inspection.owners._readings == {}, "nothing is kept"


async def test_a_person_who_makes_a_pod_for_themselves_is_no_agent() -> None:
    scene = Scene()
    assert (await scene.create(a_pod("other"))).decision == "NotGated"
    assert not (await scene.create(a_pod("other"), a_person("shop/agent"))).allowed


async def test_t69_a_controller_that_makes_a_pod_without_an_owner_may_make_it_for_an_agent() -> None:
    scene = Scene(policies=ASKS)
    assert (await scene.create(a_pod("other"), REPLICA_SETS_OWN)).decision == "Refused"
    assert [getattr(cause.grant, "authors_unknown", False) for cause in scene.causes] == [True]


async def test_a_pod_that_names_no_account_is_one_of_the_default_account() -> None:
    gate = workloads("shop", agents=("/default",), privileges=("HostPathVolumes",))
    scene = Scene(policies=[a_gate("gate", gate)])
    nameless = a_pod()
    del nameless["spec"]["serviceAccountName"]
    for pod in (nameless, a_pod(""), a_pod("default")):
        assert (await scene.create(pod)).decision == "Refused"
    assert (await scene.create(a_pod("other"))).decision == "NotGated"
