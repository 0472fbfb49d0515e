"""Every shape of a computed configuration is taken by a real API server, and asks about the right calls.

Nothing of Daypass runs here: the webhook is one that only remembers who came.
"""

import time
from collections.abc import Iterator

import pytest

from bed import Bed
from cluster.gatehouse import OWN, RBAC, Gatehouse, a_binding, a_pod
from daypass.app.gates.configurations import essence
from daypass.app.gates.entries import LONGEST_EXPRESSION
from daypass.domain.policy import GateMode, Policy
from gate_builders import a_gate, action, configurations, workloads

HOSTILE = (
    "a' || true || 'b",
    'a" || true || "b',
    "back\\slash\\",
    "\\",
    "\\d+|.*",
    "^(?:a|b)$[x]{1,3}+?.(",
    "*\\E*",
    "${request}",
    "{}{0}%s",
    "line\nbreak\ttab\x00null\x7f",
    "ünïcödé \U0001f600 \u2028",
    "*" * 100,
    "a" * 256,
)
"""Names that would be code, were they not quoted; the schema refuses some of them, and that is another's wall."""


@pytest.fixture(scope="module")
def house(control_plane: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    made = Gatehouse(control_plane, tmp_path_factory.mktemp("recorder"))
    made.open("shop-eu")
    yield made
    made.close()


def every_shape(text: str, number: int) -> list[Policy]:
    """Wherever a text of a policy ends up in an expression, plain and as a glob."""
    people = (
        f"User/{text}",
        f"Group/{text}",
        f"shop/{text}",
        f"/{text}",
        f"sh*/{text}*",
        f"User/*{text}",
        f"Group/{text}*",
    )
    pods = workloads(
        "shop-*", agents=people, hold=True, owner_kinds=(f"{text}/{text}", f"/{text}"), pod_labels=((text, text),)
    )
    binding = action(
        "create,update,delete rbac.authorization.k8s.io:rolebindings,clusterrolebindings",
        "shop-*",
        names=(text, f"*{text}*"),
        by=people,
        subjects=people,
    )
    deletion = action("delete :persistentvolumeclaims,namespaces,pods/exec", "shop", "shop-*", names=(text,), by=people)
    return [a_gate(f"hostile-{number}", pods, binding, deletion)]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_t51_no_text_of_a_policy_becomes_code(house: Gatehouse, number: int) -> None:
    text = HOSTILE[number]
    house.put(*every_shape(text, number))
    # Nothing errs either: a condition that errs refuses the call.
    reached = house.reached("POST", "/api/v1/namespaces/shop-eu/pods", a_pod())
    bound = house.reached("POST", f"{RBAC}/namespaces/shop-eu/rolebindings", a_binding("User", "alice"))
    everything = not text.strip("*")
    assert (reached, bound) == ((["CREATE pods"], ["CREATE rolebindings"]) if everything else ([], []))
    if text.isascii() and text.isprintable():
        assert house.reached("POST", "/api/v1/namespaces/shop-eu/pods", a_pod(), f"User/{text}") == ["CREATE pods"]


def test_t51_the_longest_lists_that_a_policy_can_hold_are_taken(house: Gatehouse) -> None:
    """64 of each, 256 characters each, every one a glob; who fits none is told so in no time."""
    people = tuple(f"{kind}/{number}{'-x*' * 84}" for number in range(32) for kind in ("User", "Group"))
    places = tuple(f"shop-{number}-{'x' * 52}*" for number in range(63))
    house.put(a_gate("long", workloads(*places, "shop-eu*", agents=people, hold=True)))
    expressions = [one["expression"] for kind in house.webhooks() for one in kind["matchConditions"]]
    assert 30_000 < max(map(len, expressions)) < LONGEST_EXPRESSION
    started = time.monotonic()
    assert house.reached("POST", "/api/v1/namespaces/shop-eu/pods", a_pod(), f"User/{'x-' * 120} in {'-x' * 120}") == []
    assert time.monotonic() - started < 30


def test_what_is_stored_is_what_was_written(house: Gatehouse) -> None:
    """Else the controller would never be done."""
    policies = [
        *every_shape("agent", 1),
        a_gate("everywhere", workloads()),
        a_gate("here", workloads("shop", hold=True), action("connect :pods/exec", "shop"), mode=GateMode.WARN),
        a_gate("x" * 250, workloads("shop", hold=True), action("delete apps:deployments", "shop")),
    ]
    for manifest, kind in zip(
        configurations(policies, house.recorder.endpoints(), OWN), ("validating", "mutating"), strict=True
    ):
        answer = house.write(kind, manifest)
        assert answer.status in {200, 201}, answer.message
        assert essence(answer.json) == essence(manifest)


def test_without_gates_there_is_nothing(house: Gatehouse) -> None:
    for manifest, kind in zip(
        configurations([a_gate("none")], house.recorder.endpoints(), OWN), ("validating", "mutating"), strict=True
    ):
        assert manifest["webhooks"] == []
        assert house.write(kind, manifest).status == 200
