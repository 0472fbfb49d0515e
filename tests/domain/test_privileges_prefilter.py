"""The quick look never says that nothing is there where something is, and nearly always where nothing is."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daypass.domain.privileges import CONTROLS, of_pod
from daypass.domain.privileges.pod import CONTAINER_LISTS, Field, Pod
from daypass.domain.privileges.pod import EACH as ITEM
from daypass.domain.privileges.prefilter import Prefilter
from domain.pod_cases import KINDS, Case, Json, cases
from domain.test_privileges_laws import BODIES, CASES, JUNK, places, replaced

ALL = Prefilter(CONTROLS)
EACH = {name: Prefilter((name,)) for name in CONTROLS}
LOOKED_AT_CLOSELY = {
    *(f"AppArmor: {name}" for name in ("allowed annotations", "annotation of a profile of the node")),
    "AppArmor: annotation without a profile",
    *(f"{control}: of the container alone" for control in ("RunAsNonRoot", "SeccompRestricted")),
    *(f"{control} on Windows" for control in ("PrivilegeEscalation: not said", "SeccompRestricted: said by nobody")),
    "CapabilitiesRestricted: none dropped on Windows",
    *(f"{control} in a user namespace" for control in ("RunAsNonRoot: said by nobody", "RunAsUser: root")),
    "Devices: what every pod has",
}
"""Harmless, and too rare for the quick look to know."""
FIELDS = sorted(
    {clear.field for control in CONTROLS.values() for clear in control.check.clear},
    key=lambda field: (field.of_containers, field.steps),
)
HARMLESS = [case for case in cases("baseline", "restricted", "beyond") if not case.finds]


def overlooked(pod: Any) -> set[str]:  # noqa: ANN401 - pods that may be malformed
    """Controls that find something in the pod, and whose quick look says that they don't."""
    read = Pod.of(pod)
    found = {name for name, control in CONTROLS.items() if any(True for _ in control.check(read))}
    together = ALL.suspects(pod)
    return {name for name in found if name not in together or not EACH[name].suspects(pod)}


def with_more(pod: Json, field: Field, depth: int, value: object) -> Json:
    """The pod with something at a place on the way to a field, beside what stands in the lists on the way."""
    pod = deepcopy(pod)
    kind = CONTAINER_LISTS[depth % len(CONTAINER_LISTS)]
    steps = ("spec", kind, ITEM, *field.steps) if field.of_containers else field.steps
    *way, last = steps[: depth % len(steps) + 1]
    holder: Any = pod
    for step, following in zip(way, (*way, last)[1:], strict=True):
        made: Any = [] if following == ITEM else {}
        if step == ITEM:
            holder.append(made)
            holder = made
        else:
            if not isinstance(holder.get(step), type(made)):
                holder[step] = made
            holder = holder[step]
    if last == ITEM:
        holder.append(value)
    else:
        holder[last] = value
    return pod


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_is_never_overlooked(case: Case, kind: str) -> None:
    assert not overlooked(case.body(kind))


@settings(max_examples=1500)
@given(st.data())
def test_t49_nor_in_malformed_pods(data: st.DataObject) -> None:
    pod = data.draw(BODIES)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(list(places(pod))))
        pod = replaced(pod, place, data.draw(JUNK))
    assert not overlooked(pod)


@settings(max_examples=500)
@given(BODIES, st.data())
def test_nor_where_something_is_left_out(pod: Json, data: st.DataObject) -> None:
    pod = deepcopy(pod)
    *way, last = data.draw(st.sampled_from(list(places(pod))))
    holder: Any = pod
    for step in way:
        holder = holder[step]
    del holder[last]
    assert not overlooked(pod)


@settings(max_examples=500)
@given(
    BODIES, st.lists(st.tuples(st.sampled_from(FIELDS), st.integers(0, 20), JUNK), min_size=1, max_size=3), st.data()
)
def test_t49_nor_by_who_looks_for_some_controls_alone(
    pod: Json, more: list[tuple[Field, int, object]], data: st.DataObject
) -> None:
    for field, depth, value in more:
        pod = with_more(pod, field, depth, value)
    names = data.draw(st.frozensets(st.sampled_from(sorted(CONTROLS))))
    read = Pod.of(pod)
    found = {name for name in names if any(True for _ in CONTROLS[name].check(read))}
    assert not overlooked(pod)
    assert {finding.control for finding in of_pod(pod, names)} == found


@pytest.mark.parametrize("pod", [{}, {"spec": None}, {"spec": []}, {"spec": {"containers": None}}, [], None, "pod"])
def test_t49_what_is_no_pod_needs_a_closer_look(pod: Any) -> None:  # noqa: ANN401 - anything but a pod
    spec_matters = [
        name for name in CONTROLS if any(clear.field.steps[0] != "metadata" for clear in CONTROLS[name].check.clear)
    ]
    if isinstance(pod, dict):
        assert not overlooked(pod)
    else:
        assert all(EACH[name].suspects(pod) for name in spec_matters)


@pytest.mark.parametrize("claims", [{}, "", 0, False, {"a": 1}, [None]])
def test_t49_claims_that_are_no_list_need_a_closer_look(claims: object) -> None:
    assert not overlooked({"spec": {"containers": [], "resourceClaims": claims}})


@pytest.mark.parametrize("case", HARMLESS, ids=str)
def test_most_harmless_pods_are_told_at_a_glance(case: Case) -> None:
    assert bool(EACH[case.control].suspects(case.body("containers"))) is (str(case) in LOOKED_AT_CLOSELY)
