"""What becomes of a use that admission reserved (T47, T48)."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOON, a_request
from daypass.domain.request import ActionGrant, Request, Use, WorkloadGrant
from daypass.domain.uses import (
    GIVE_BACK_SECONDS,
    LOOKS,
    Fate,
    ObservedObject,
    fate,
    look_due,
    looked_at,
    settled,
    used_up,
)


def a_permit(verb: str, subresource: str = "") -> Request:
    grant: WorkloadGrant | ActionGrant = WorkloadGrant("agent", ("HostPorts",), max_pods=3)
    if verb != "pod":
        grant = ActionGrant(verb, "", "pods", subresource, "x")
    return a_request().with_(grant=grant).build()


USE = Use("uid-1", "Pod", "x", "uid-1", NOON)
CHANGE = Use("uid-1@7", "Pod", "x", "uid-1", NOON)
NOWHERE, OTHER = ObservedObject(), ObservedObject(uid="uid-2", version="9")
THERE, GOING = ObservedObject(uid="uid-1", version="7"), ObservedObject(uid="uid-1", version="8", deleting=True)
CHANGED = ObservedObject(uid="uid-1", version="8")
HIDDEN = ObservedObject(readable=False)


@dataclass(frozen=True)
class Case:
    verb: str
    observed: ObservedObject
    early: Fate
    late: Fate
    use: Use = USE
    subresource: str = ""


CASES = {
    "a pod that is there": Case("pod", THERE, Fate.SPENT, Fate.SPENT),
    "a pod that did not come": Case("pod", NOWHERE, Fate.OPEN, Fate.RETURNED),
    "another pod of that name": Case("pod", OTHER, Fate.OPEN, Fate.RETURNED),
    "a pod that may not be read": Case("pod", HIDDEN, Fate.SPENT, Fate.SPENT),
    "created": Case("create", THERE, Fate.SPENT, Fate.SPENT),
    "not created": Case("create", NOWHERE, Fate.OPEN, Fate.RETURNED),
    "created, and going": Case("create", GOING, Fate.SPENT, Fate.SPENT),
    "not created, for another has the name": Case("create", OTHER, Fate.OPEN, Fate.RETURNED),
    "a subresource, which leaves no object": Case("create", NOWHERE, Fate.SPENT, Fate.SPENT, subresource="binding"),
    "evicted": Case("create", GOING, Fate.SPENT, Fate.SPENT, subresource="eviction"),
    "not evicted": Case("create", THERE, Fate.OPEN, Fate.RETURNED, subresource="eviction"),
    "given a false owner": Case("delete", CHANGED, Fate.SPENT, Fate.SPENT, CHANGE),
    "not given a false owner": Case("delete", THERE, Fate.OPEN, Fate.RETURNED, CHANGE),
    "deleted": Case("delete", NOWHERE, Fate.SPENT, Fate.SPENT),
    "deleted, and another made": Case("delete", OTHER, Fate.SPENT, Fate.SPENT),
    "being deleted": Case("delete", GOING, Fate.SPENT, Fate.SPENT),
    "not deleted": Case("delete", THERE, Fate.OPEN, Fate.RETURNED),
    "not deleted, as far as we may see": Case("delete", HIDDEN, Fate.SPENT, Fate.SPENT),
    "changed": Case("update", CHANGED, Fate.SPENT, Fate.SPENT, CHANGE),
    "not changed": Case("update", THERE, Fate.OPEN, Fate.RETURNED, CHANGE),
    "changed, and gone": Case("update", NOWHERE, Fate.SPENT, Fate.SPENT, CHANGE),
    "scaled": Case("update", CHANGED, Fate.SPENT, Fate.SPENT, CHANGE, "scale"),
    "a connection": Case("connect", THERE, Fate.SPENT, Fate.SPENT),
    "without a uid nothing can be shown": Case("create", NOWHERE, Fate.SPENT, Fate.SPENT, replace(USE, uid="")),
    "nor by what has the name": Case("create", OTHER, Fate.SPENT, Fate.SPENT, replace(USE, uid="")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_t48_what_became_of_a_use(case: Case) -> None:
    request = a_permit(case.verb, case.subresource)
    soon, late = NOON + timedelta(seconds=3), NOON + timedelta(seconds=GIVE_BACK_SECONDS)
    assert fate(request, case.use, case.observed, soon) is case.early
    assert fate(request, case.use, case.observed, late) is case.late


def test_uses_are_settled_one_by_one() -> None:
    uses = tuple(replace(USE, key=key) for key in ("spent", "open", "returned", "unseen", "kept"))
    uses = (*uses[:4], replace(uses[4], confirmed=True))
    fates = {"spent": Fate.SPENT, "open": Fate.OPEN, "returned": Fate.RETURNED, "kept": Fate.RETURNED}
    after = settled(uses, fates)
    assert [(use.key, use.confirmed) for use in after] == [
        ("spent", True), ("open", False), ("unseen", False), ("kept", True)
    ]  # fmt: skip
    assert settled(after, {}) == after


def test_its_object_is_looked_at_a_few_times_and_then_it_is_settled() -> None:
    moment = NOON
    for seconds in LOOKS:
        due = look_due(USE, moment)
        assert due == NOON + timedelta(seconds=seconds)
        moment = due
        assert looked_at(USE, moment)
    assert fate(a_permit("delete"), USE, THERE, moment) is Fate.RETURNED
    assert not looked_at(USE, NOON + timedelta(seconds=1))
    assert look_due(USE, moment) == moment, "overdue: at once"
    assert look_due(replace(USE, confirmed=True), NOON) is None
    assert not looked_at(replace(USE, confirmed=True), moment)


@given(st.lists(st.booleans(), max_size=6), st.integers(1, 6), st.booleans())
def test_an_action_is_used_up_by_confirmed_uses_alone(confirmed: list[bool], most: int, workload: bool) -> None:  # noqa: FBT001 - drawn
    request = a_permit("pod" if workload else "delete")
    if isinstance(request.grant, ActionGrant):
        request = replace(request, grant=replace(request.grant, max_uses=most))
    uses = tuple(replace(USE, key=str(at), confirmed=one) for at, one in enumerate(confirmed))
    request = replace(request, record=replace(request.record, uses=uses))
    assert used_up(request) == (not workload and sum(confirmed) >= most)
