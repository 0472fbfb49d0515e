"""What webhook configurations follow from which gates, and that nothing of a policy becomes code in them (T41, T45, T51)."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_expr_python import cel as library
from hypothesis import given
from hypothesis import strategies as st

from daypass.api.convert import policy_from
from daypass.app.gates import cel
from daypass.app.gates.budget import unaffordable
from daypass.app.gates.endpoint import EndpointError, endpoints_from
from daypass.app.gates.entries import DOMAIN, HINT, Terms, TooLongError, entries_of, stem, stem_of
from daypass.app.installation.configurations import Endpoint
from daypass.domain import globs
from daypass.domain.gate_bounds import Bounds
from daypass.domain.policy import GateMode
from gate_builders import a_gate, action, configurations, workloads

ENDPOINTS = {kind: {"url": f"https://127.0.0.1:9443/{kind}", "caBundle": "Q0E="} for kind in ("gates", "holds")}
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "gate_configurations.yaml").read_text())
NEVER = ["daypass-system", "kube-system"]


def both(*policies: Any) -> dict[str, Any]:  # noqa: ANN401 - policies
    validating, mutating = configurations(policies, ENDPOINTS, "daypass-system")
    return {"gates": validating, "holds": mutating}


def in_words(kind: str, webhook: dict[str, Any]) -> str:
    aspect = webhook["name"].rpartition(HINT)[0].rpartition(".")[2]
    rules = "; ".join(
        " ".join(filter(None, (",".join(rule["operations"]), *rule["apiGroups"], ",".join(rule["resources"]))))
        for rule in webhook["rules"]
    )
    *literal, never = webhook["namespaceSelector"]["matchExpressions"]
    assert (never["operator"], never["values"]) == ("NotIn", NEVER)
    named = " ".join(f"{one['operator']} {','.join(one['values'])}" for one in literal)
    conditions = ", ".join(one["name"] for one in webhook["matchConditions"])
    return f"{kind} {aspect} {webhook['failurePolicy']} | {rules} | {named}{' ' if named else ''}| {conditions}"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_webhooks_of_a_gate(case: dict[str, Any]) -> None:
    policy = policy_from(
        {
            "metadata": {"name": "shop", "uid": "1", "generation": 1},
            "spec": {"effect": "Deny", "match": case.get("match", {}), "gate": case["gate"]},
        }
    )
    found = both(policy)
    assert [in_words(kind, webhook) for kind in found for webhook in found[kind]["webhooks"]] == case["webhooks"]


def test_t45_what_all_webhooks_share() -> None:
    found = both(a_gate("p", workloads("*", hold=True), action("delete :pods")), a_gate("q", workloads("shop")))
    for kind, configuration in found.items():
        for webhook in configuration["webhooks"]:
            assert webhook["clientConfig"] == ENDPOINTS[kind]
            assert (webhook["objectSelector"], webhook["sideEffects"]) == ({}, "NoneOnDryRun")
            assert webhook["timeoutSeconds"] <= 5
            assert webhook["name"].endswith(f"{HINT}daypass-system{DOMAIN}")
            assert not [rule for rule in webhook["rules"] if "*" in (*rule["apiGroups"], *rule["resources"])]
        names = [webhook["name"] for webhook in configuration["webhooks"]]
        assert len(set(names)) == len(names)


def test_without_a_gate_there_are_no_webhooks() -> None:
    assert [one["webhooks"] for one in both(a_gate("p")).values()] == [[], []]


def test_the_order_of_a_policys_lists_is_none() -> None:
    one = a_gate("p", workloads("a", "b", agents=("User/x", "User/y", "a/c")))
    other = a_gate("p", workloads("b", "a", agents=("a/c", "User/y", "User/x")))
    assert both(one) == both(other)
    assert both(one, a_gate("q", workloads())) == both(a_gate("q", workloads()), one)


@given(
    st.text(alphabet="ab:*.\\\"'$^|()[]{}?+\n\u2028\U0001f600 -", max_size=12),
    st.lists(st.text(max_size=8), max_size=3),
)
def test_t51_in_cel_a_glob_fits_what_it_fits_elsewhere(text: str, patterns: list[str]) -> None:
    wanted = [text.replace("a", "*"), *patterns]
    expression = cel.fits("text", wanted)
    compiled = library.NewEnv(variables={"text": library.Type.STRING}).compile(expression)
    for candidate in (text, text.replace("*", "b"), text.replace("*", ""), text.replace("*", "\n:"), *patterns):
        if "\0" in candidate:
            continue
        result = compiled.eval(data={"text": candidate})
        assert result.value() is globs.matches_any(wanted, candidate), expression


def test_names_of_objects_hold_colons() -> None:
    assert "(?s:.*)" in cel.fits("name", ["system:*"], colons=False)


@pytest.mark.parametrize("name", ["p", "shop.agents", "a" * 190, "a" * 253, f"{'a' * 170}.{'b' * 82}"])
def test_names_of_webhooks_tell_whose_they_are_and_are_short_enough(name: str) -> None:
    gates = [action("delete :pods") for _ in range(64)]
    policy = a_gate(name, workloads(hold=True), *gates)
    found = configurations([policy], ENDPOINTS, "n" * 63)
    webhooks = [webhook for one in found for webhook in one["webhooks"]]
    assert all(len(webhook["name"]) <= 253 for webhook in webhooks)
    assert all(len(label) <= 63 for webhook in webhooks for label in webhook["name"].split(".")[-6:])
    assert {stem_of(webhook) for webhook in webhooks} == {stem(name)}
    assert stem(name) != stem(name[:-1] + "c")


def test_a_gate_that_names_too_much_says_so() -> None:
    policy = a_gate("p", workloads("x-*", agents=tuple(f"User/{number}{'é' * 250}" for number in range(500))))
    with pytest.raises(TooLongError, match="use globs, or split the policy"):
        entries_of(policy, Terms(ENDPOINTS, Bounds()))


def test_what_does_not_fit_into_an_object_is_what_came_last() -> None:
    shared = Terms(ENDPOINTS, Bounds())
    some = {name: entries_of(a_gate(name, workloads("shop")), shared) for name in ("a", "b", "c")}
    none = entries_of(a_gate("none"), shared)
    size = 9_000
    assert unaffordable(some, dict.fromkeys(some, none), 100_000) == frozenset()
    assert unaffordable(some, dict.fromkeys(some, none), size) == {"c"}
    assert unaffordable(some, {**some, "a": none}, size) == {"a"}
    # What gets smaller always may, and what stands stays.
    assert unaffordable({**some, "a": none}, some, 10) == frozenset()
    assert unaffordable(some, some, 10) == frozenset()


def test_the_endpoint_is_what_setup_published() -> None:
    for endpoint in (Endpoint(service="daypass-webhook"), Endpoint(url="https://1.2.3.4:5/")):
        configs = {kind: endpoint.client_config("ours", f"path-{kind}", b"PEM") for kind in ("gates", "holds")}
        published = {"data": {kind: json.dumps(config) for kind, config in configs.items()}}
        assert endpoints_from(published) == configs
    assert configs["gates"] == {"url": "https://1.2.3.4:5/path-gates", "caBundle": "UEVN"}


@pytest.mark.parametrize("data", [None, {}, {"gates": "x", "holds": "{}"}, {"gates": "[]"}, {"gates": '{"url": "u"}'}])
def test_nobody_is_called_where_nobody_said_whom(data: Any) -> None:  # noqa: ANN401 - JSON
    with pytest.raises(EndpointError, match="run daypass setup"):
        endpoints_from(data if data is None else {"data": data})


def test_only_what_must_be_stopped_waits_long_for_us() -> None:
    for mode, seconds in ((GateMode.ENFORCE, 5), (GateMode.WARN, 3), (GateMode.AUDIT, 3)):
        found = both(a_gate("p", workloads(), mode=mode))
        assert {one["timeoutSeconds"] for kind in found.values() for one in kind["webhooks"]} == {seconds}
