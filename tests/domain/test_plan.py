"""What is done so that a grant is as it should be, and in which order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOON, READ_PODS, a_request
from daypass.domain import deadlines
from daypass.domain.grants import (
    Found,
    FoundBinding,
    FoundJob,
    FoundRole,
    GrantKind,
    Observed,
    SubjectReference,
    binding_content,
    job_content,
    role_content,
)
from daypass.domain.permissions import RoleReference
from daypass.domain.plan import NOTHING, SpoiltError, Verb, Wants, plan, remains
from daypass.domain.request import Request

END = NOON + timedelta(seconds=900)
GIVEN = Wants(chain=True, binding=True, expiration=END)
HELD_BACK = Wants(chain=True, binding=False, expiration=END)


def a_grant(request: Request, *, rules: bool = False) -> Observed:
    def found(uid: str) -> Found:
        return Found(uid, "1", request.namespace, "daypass-1")

    job = FoundJob(found("job-1"), job_content(request, END), NOON, 900, NOON)
    role = role_content(request, END, "job-1")
    return Observed(
        job,
        FoundRole(found("role-1"), role) if rules and role is not None else None,
        FoundBinding(found("binding-1"), binding_content(request, END, "job-1")),
    )


def steps(request: Request, wants: Wants, observed: Observed) -> list[str]:
    return [f"{one.verb.value} {one.kind.value}" for one in plan(request, wants, observed)]


REQUEST = a_request().build()
BY_RULES = a_request(rules=[READ_PODS]).build()


def test_job_first_then_role_then_binding() -> None:
    assert steps(REQUEST, GIVEN, Observed()) == ["create Job", "create RoleBinding"]
    assert steps(BY_RULES, GIVEN, Observed()) == ["create Job", "create Role", "create RoleBinding"]


def test_binding_first_when_it_ends_and_the_role_goes_with_the_job() -> None:
    assert steps(BY_RULES, NOTHING, a_grant(BY_RULES, rules=True)) == ["delete RoleBinding", "delete Job"]


def test_nothing_to_do_when_all_is_as_it_should_be() -> None:
    assert steps(REQUEST, GIVEN, a_grant(REQUEST)) == []
    assert steps(BY_RULES, GIVEN, a_grant(BY_RULES, rules=True)) == []
    assert steps(REQUEST, NOTHING, Observed()) == []


def test_t37_every_prefix_of_the_way_there_is_continued() -> None:
    whole = a_grant(BY_RULES, rules=True)
    assert steps(BY_RULES, GIVEN, replace(whole, binding=None)) == ["create RoleBinding"]
    assert steps(BY_RULES, GIVEN, Observed(job=whole.job)) == ["create Role", "create RoleBinding"]
    assert steps(BY_RULES, NOTHING, replace(whole, binding=None)) == ["delete Job"]


def test_access_is_held_back_without_its_chain_going() -> None:
    assert steps(REQUEST, HELD_BACK, a_grant(REQUEST)) == ["delete RoleBinding"]


def test_edited_binding_is_restored() -> None:
    whole = a_grant(REQUEST)
    assert whole.binding is not None
    content = replace(
        whole.binding.content, subjects=(*whole.binding.content.subjects, SubjectReference("User", "eve"))
    )
    edited = replace(whole, binding=replace(whole.binding, content=content))
    (action,) = plan(REQUEST, GIVEN, edited)
    assert (action.verb, action.kind, action.target) == (Verb.RESTORE, GrantKind.BINDING, whole.binding.found)


def test_edited_role_and_job_are_restored() -> None:
    whole = a_grant(BY_RULES, rules=True)
    assert whole.role is not None
    assert whole.job is not None
    role = replace(whole.role, content=replace(whole.role.content, rules=()))
    job = replace(whole.job, content=replace(whole.job.content, armed=False))
    assert steps(BY_RULES, GIVEN, replace(whole, role=role, job=job)) == ["restore Job", "restore Role"]


def test_binding_to_another_role_is_spoilt() -> None:
    whole = a_grant(REQUEST)
    assert whole.binding is not None
    content = replace(whole.binding.content, role=RoleReference("ClusterRole", "cluster-admin"))
    with pytest.raises(SpoiltError, match="cluster-admin"):
        plan(REQUEST, GIVEN, replace(whole, binding=replace(whole.binding, content=content)))


def test_t65_job_with_another_selector_is_spoilt() -> None:
    whole = a_grant(REQUEST)
    assert whole.job is not None
    job = replace(whole.job, content=replace(whole.job.content, shaped=False))
    with pytest.raises(SpoiltError):
        plan(REQUEST, GIVEN, replace(whole, job=job))


@pytest.mark.parametrize(
    ("started", "deadline", "corrected"),
    [(0, 900, None), (3, 900, None), (60, 900, 840), (0, 5000, 900), (0, None, 900), (899, 900, 1)],
)
def test_deadline_of_a_job_that_started_late_is_corrected(
    started: int, deadline: int | None, corrected: int | None
) -> None:
    assert deadlines.corrected_seconds(NOON + timedelta(seconds=started), deadline, END) == corrected


def test_what_is_being_deleted_is_not_deleted_again() -> None:
    whole = a_grant(REQUEST)
    assert whole.job is not None
    job = replace(whole.job, found=replace(whole.job.found, deleting=True))
    assert steps(REQUEST, NOTHING, replace(whole, job=job)) == ["delete RoleBinding"]


def test_of_a_gone_request_everything_goes() -> None:
    kinds = [one.kind for one in remains(a_grant(BY_RULES, rules=True))]
    assert kinds == [GrantKind.BINDING, GrantKind.JOB, GrantKind.ROLE]


def test_seconds_left_are_never_more_than_are_left_to_the_second() -> None:
    assert deadlines.seconds_until(END, NOON + timedelta(seconds=0.9)) == 900
    assert deadlines.seconds_until(END, END) == 1
