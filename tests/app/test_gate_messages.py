"""What people read at the gate fits where they read it, and is whole."""

import json
import re

import pytest

from builders import a_person
from daypass.app.admission.gates import messages
from daypass.domain.gates import Demand, PolicyGate
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import GateMode
from daypass.domain.privileges import Finding
from daypass.domain.request import OwnerReference
from gate_builders import workloads

PASTE = json.dumps({"kind": "AccessRequest", "spec": {"reason": "it's needed"}})
LOGS = Finding("HostPathVolumes", "/var/log", "spec.volumes[0].hostPath")


def _facts(*findings: Finding, name: str = "web-1", owner: str = "web") -> PodFacts:
    reference = OwnerReference("apps/v1", "Deployment", owner, "u") if owner else None
    return PodFacts("shop", name, "u", "agent", findings, "d" * 64, ("alice",), False, reference, a_person("alice"))  # noqa: FBT003


def _demand(*privileges: str, policy: str = "gate", hold: bool = False, mode: GateMode = GateMode.ENFORCE) -> Demand:
    return Demand(PolicyGate(policy, mode, workloads("shop", hold=hold)), privileges)


def test_a_refusal_says_what_where_who_asks_and_what_to_do() -> None:
    text = messages.refusal(_facts(LOGS), [_demand(LOGS.text)], "", [PASTE])
    assert text == (
        "pod web-1 of Deployment web in shop uses HostPathVolumes:/var/log (spec.volumes[0].hostPath):"
        " policy gate wants an approved request for that."
        """ To ask: echo '{"kind": "AccessRequest", "spec": {"reason": "it'"'"'s needed"}}' | kubectl create -f -"""
    )


def test_a_refusal_of_several_policies_names_them() -> None:
    demands = [_demand(LOGS.text, policy=f"policy-{number}") for number in range(6)]
    text = messages.refusal(_facts(LOGS, owner=""), demands, "request a is Denied: by bob", ())
    assert "policies policy-0, policy-1, policy-2, policy-3 and 2 more want" in text
    assert text.endswith("; request a is Denied: by bob")


@pytest.mark.parametrize("count", [1, 5, 50, 500])
@pytest.mark.parametrize("length", [5, 60, 250])
def test_a_refusal_fits_and_the_request_in_it_is_whole(count: int, length: int) -> None:
    findings = [Finding("HostPathVolumes", f"/{n}/{'x' * length}", f"spec.volumes[{n}].hostPath") for n in range(count)]
    paste = json.dumps({"privileges": [each.text for each in findings]})
    facts = _facts(*findings, name="n" * 253, owner="o" * 253)
    text = messages.refusal(facts, [_demand(*(each.text for each in findings))], "told " * 100, [paste])
    assert len(text) <= messages.MAX_MESSAGE
    found = re.search(r"echo '(.*)' \| kubectl", text)
    assert text.endswith(". To ask: kubectl explain accessrequest.spec.workload") is (found is None)
    assert found is None or json.loads(found[1]) == json.loads(paste)
    assert "/0/" in text


def test_a_refusal_shows_the_first_request_that_fits() -> None:
    long, short = json.dumps({"reason": "x" * messages.MAX_MESSAGE}), json.dumps({"reason": "x"})
    text = messages.refusal(_facts(LOGS), [_demand(LOGS.text)], "", [long, short])
    assert f"To ask: echo '{short}' | kubectl create -f -" in text


def test_t15_hidden_characters_are_spelled_out() -> None:
    text = messages.refusal(_facts(LOGS, name="a\u202eb"), [_demand(LOGS.text)], "by \x1b[31mbob\n", ())
    assert "a\\u202eb" in text
    assert text.isprintable()


def test_warnings_fit_a_line() -> None:
    long = _demand(*(f"HostPathVolumes:/{'x' * 50}/{n}" for n in range(9)), policy="p" * 60)
    facts = _facts(LOGS, name="n" * 253)
    told = (*messages.early([long], "Job " + "j" * 253), *messages.warnings([long], facts))
    assert len(messages.told_below("Deployment " + "d" * 253, "ReplicaSet", "n" * 63)) == 120
    for warning in (*told, messages.held("daypass-0123456789-10", facts, [long])):
        assert 60 < len(warning) <= 120
        assert "HostPathVol" in warning


def test_a_warning_says_whose_it_is_what_becomes_of_it_and_why() -> None:
    assert messages.early([_demand("HostPorts", hold=True)], "Job report") == (
        "Job report: its pods wait for an approval of HostPorts (policy gate)",
    )
    assert messages.early([_demand("HostPorts", hold=True)], "Job report", "ask-1") == (
        "Job report: its pods, unless ask-1 is for them, wait for an approval of HostPorts (policy gate)",
    )
    assert messages.early([_demand("HostPorts")], "Job report") == (
        "Job report: its pods need an approved request for HostPorts (policy gate)",
    )
    assert messages.held("daypass-1", _facts(LOGS), [_demand(LOGS.text, hold=True)]) == (
        "pod web-1: held until daypass-1 is approved for HostPathVolumes:/var/log (policy gate)"
    )


def test_a_gate_that_only_warns_says_what_would_be_and_one_that_records_says_nothing() -> None:
    holds, denies = (_demand("HostPorts", mode=GateMode.WARN, hold=hold) for hold in (True, False))
    assert messages.early([holds, denies], "Job report") == (
        "Job report: its pods would wait for an approval of HostPorts (policy gate)",
        "Job report: its pods would be refused without an approved request for HostPorts (policy gate)",
    )
    assert messages.warnings([holds, denies], _facts(LOGS)) == (
        "pod web-1: would wait for an approval of HostPorts (policy gate)",
        "pod web-1: would be refused without an approved request for HostPorts (policy gate)",
    )
    assert messages.early([_demand("HostPorts", mode=GateMode.AUDIT)], "Job report") == ()
