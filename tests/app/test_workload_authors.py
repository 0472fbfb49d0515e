"""Who is stamped as an author of what makes pods, without an API server (T55, T69)."""

from typing import Any

import pytest

from builders import a_person
from daypass.app.admission.answer import Answer, Call, Operation
from daypass.app.admission.gates.workloads import authors_after
from daypass.app.ports import Json
from daypass.domain.authors import NOBODY_KNOWS, Authors

CRON_JOB = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "uid-of-nightly", "controller": True}
CRON_JOB_CONTROLLER = "kube-system/cronjob-controller"
DEPLOYMENT_CONTROLLER = "kube-system/deployment-controller"


def a_workload(
    image: str = "one", authors: str | None = None, owner: Json | None = None, *, cron: bool = False
) -> Json:
    metadata: dict[str, Any] = {"name": "it", "ownerReferences": [owner] if owner else []}
    if authors is not None:
        metadata["annotations"] = {"daypass.dev/authors": authors}
    spec: Json = {"template": {"spec": {"containers": [{"name": "it", "image": image}]}}}
    return {"metadata": metadata, "spec": {"jobTemplate": {"spec": spec}} if cron else spec}


def after(operation: Operation, resource: str, caller: str, body: Json | None, old: Json | None = None) -> Any:  # noqa: ANN401 - Authors or an Answer
    who = a_person(caller)
    return authors_after(
        Call(operation, resource, who, name="it", namespace="shop", object=body, old=old, group="apps")
    )


@pytest.mark.parametrize(
    ("resource", "caller", "body", "authors"),
    [
        ("deployments", "alice", a_workload(authors="bob"), Authors(("alice",))),
        ("jobs", "alice", a_workload(owner=CRON_JOB), Authors(("alice",))),
        ("jobs", CRON_JOB_CONTROLLER, a_workload(authors="bob", owner=CRON_JOB), Authors(made_for="uid-of-nightly")),
        ("jobs", CRON_JOB_CONTROLLER, a_workload(), NOBODY_KNOWS),
        ("replicasets", DEPLOYMENT_CONTROLLER, a_workload(authors="alice\nbob"), Authors(("alice", "bob"))),
        ("replicasets", "mallory", a_workload(authors="alice"), Authors(("mallory",))),
    ],
)
def test_t55_who_makes_a_workload_is_its_author_whatever_it_says(
    resource: str, caller: str, body: Json, authors: Authors
) -> None:
    assert after(Operation.CREATE, resource, caller, body) == authors


@pytest.mark.parametrize("cron", [False, True])
def test_t55_who_changes_the_template_joins_and_nobody_leaves(*, cron: bool) -> None:
    plural = "cronjobs" if cron else "deployments"
    stored = a_workload(authors="alice", cron=cron)
    same, other = (a_workload(image, cron=cron) for image in ("one", "two"))
    assert after(Operation.UPDATE, plural, "bob", same, stored) == Authors(("alice",))
    assert after(Operation.UPDATE, plural, "bob", other, stored) == Authors(("alice", "bob"))
    assert after(Operation.UPDATE, plural, DEPLOYMENT_CONTROLLER, other, stored) == Authors(("alice",))
    unknown = a_workload(cron=cron)
    assert after(Operation.UPDATE, plural, "bob", other, unknown) == Authors(("bob",), unknown=True)
    nobody = after(Operation.UPDATE, plural, "bob", same, unknown)
    assert isinstance(nobody, Answer)
    assert (nobody.allowed, nobody.decision) == (True, "NobodyKnown")


def test_a_replica_set_gets_the_new_authors_of_its_deployment_too() -> None:
    stored, given = a_workload(authors="alice\nbob"), a_workload(authors="carol\nalice")
    found = after(Operation.UPDATE, "replicasets", DEPLOYMENT_CONTROLLER, given, stored)
    assert found == Authors(("alice", "bob", "carol"))
    assert after(Operation.UPDATE, "replicasets", "mallory", given, stored) == Authors(("alice", "bob"))


@pytest.mark.parametrize(
    ("operation", "resource", "body"),
    [
        (Operation.UPDATE, "deployments/scale", a_workload()),
        (Operation.DELETE, "deployments", a_workload()),
        (Operation.CREATE, "deployments", None),
    ],
)
def test_other_calls_than_are_expected_are_refused(operation: Operation, resource: str, body: Json | None) -> None:
    answer = after(operation, resource, "alice", body, a_workload())
    assert (answer.allowed, answer.decision) == (False, "UnexpectedCall")
