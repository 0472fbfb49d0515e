"""Who had a hand in a workload, as its annotation says."""

import pytest

from builders import a_person
from daypass.domain.authors import (
    KNOWN_CONTROLLERS,
    NOBODY,
    NOBODY_KNOWS,
    Authors,
    authors_from,
    fault,
    is_known_controller,
    is_mirror,
    joined,
    made_for,
)
from daypass.domain.identity import Identity

JOB_CONTROLLER = "system:serviceaccount:kube-system:job-controller"
MADE = Authors(made_for="u-1")
NODE = Identity("system:node:n1", groups=("system:nodes", "system:authenticated"))
MIRROR = {"kubernetes.io/config.mirror": "hash"}


@pytest.mark.parametrize(
    ("annotation", "authors"),
    [
        ("alice", Authors(("alice",))),
        ("alice\nbob\nalice", Authors(("alice", "bob"))),
        ("alice\n?", Authors(("alice",), unknown=True)),
        ("?", NOBODY_KNOWS),
        ("^u-1", MADE),
        ("^u-1\nbob", Authors(("bob",), made_for="u-1")),
        ("^u-1\n^u-2", Authors(unknown=True, made_for="u-1")),
        ("", NOBODY_KNOWS),
        ("\nbob", Authors(("bob",), unknown=True)),
        (None, NOBODY_KNOWS),
        (["alice"], NOBODY_KNOWS),
    ],
)
def test_t69_an_annotation_says_who_and_whether_that_is_all(annotation: object, authors: Authors) -> None:
    assert authors_from(annotation) == authors


@pytest.mark.parametrize(
    "authors",
    [
        Authors(("alice",)),
        Authors(("alice", "bob"), unknown=True),
        MADE,
        Authors(("bob",), unknown=True, made_for="u-1"),
        NOBODY_KNOWS,
    ],
)
def test_what_is_written_is_read_again(authors: Authors) -> None:
    assert authors_from(authors.text) == authors


def test_t55_who_changes_what_runs_joins_the_authors() -> None:
    assert joined(NOBODY, a_person("alice")) == Authors(("alice",))
    assert joined(Authors(("alice",)), a_person("bob")) == Authors(("alice", "bob"))
    assert joined(Authors(("alice",)), a_person("alice")) == Authors(("alice",))
    assert joined(Authors(("alice", "bob")), a_person("alice")) == Authors(("bob", "alice")), "the last is last"
    assert joined(NOBODY_KNOWS, a_person("bob")) == Authors(("bob",), unknown=True)


def test_t69_what_an_owner_adds_puts_nobody_after_who_changed_the_object_itself() -> None:
    itself, owner = Authors(("alice", "bob")), Authors(("carol", "alice"))
    assert itself.and_new_of(owner) == Authors(("alice", "bob", "carol"))
    assert owner.and_of(itself) == Authors(("carol", "alice", "bob"))
    assert owner.and_of(Authors(("carol",))) == Authors(("alice", "carol")), "with the lowest of the chain last"


def test_t55_a_known_controller_is_no_author() -> None:
    for username in KNOWN_CONTROLLERS:
        assert joined(Authors(("alice",)), Identity(username)) == Authors(("alice",))


@pytest.mark.parametrize(
    "username",
    [
        "system:serviceaccount:kube-system:job-controllers",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:shop:job-controller",
        "system:serviceaccount:kube-system:default",
        "system:kube-scheduler",
        "job-controller",
    ],
)
def test_t69_known_controllers_are_known_by_their_exact_names(username: str) -> None:
    assert is_known_controller(JOB_CONTROLLER)
    assert not is_known_controller(username)


def test_t69_what_a_controller_made_and_nobody_owns_has_authors_whom_nobody_knows() -> None:
    assert MADE.below("u-1") == NOBODY
    assert MADE.below("") == NOBODY_KNOWS
    assert Authors(("bob",), made_for="u-1").below("") == Authors(("bob",), unknown=True)
    assert Authors(("bob",)).below("") == Authors(("bob",))
    assert Authors(("bob",)).below("u-1") == Authors(("bob",)), "bob made it, whoever owns it"


def test_t69_what_a_controller_made_for_one_owner_is_not_anothers() -> None:
    assert MADE.below("u-2") == NOBODY_KNOWS
    assert made_for("u-1") == MADE
    assert made_for("") == NOBODY_KNOWS
    assert MADE.and_of(Authors(made_for="u-2")).unknown
    assert MADE.and_of(MADE) == MADE.and_of(NOBODY) == NOBODY.and_of(MADE) == MADE


def test_t69_somebody_whom_nobody_recorded_stays_so_whoever_joins() -> None:
    alice = Authors(("alice",))
    assert alice.and_of(NOBODY_KNOWS) == NOBODY_KNOWS.and_of(alice) == Authors(("alice",), unknown=True)
    assert not alice.and_of(Authors(("bob",))).unknown


@pytest.mark.parametrize("username", ["a\nb", "a\rb", "?", "?a", "^a", "", "x" * 1025])
def test_t55_a_name_that_would_read_as_another_is_not_recorded(username: str) -> None:
    assert fault(Authors((username,)))
    assert not fault(Authors(("alice", "x" * 1024)))


def test_at_most_sixteen_authors() -> None:
    sixteen = tuple(f"person-{number}" for number in range(16))
    assert fault(Authors(sixteen, unknown=True, made_for="u-1")) == ""
    assert "more than 16 people" in fault(Authors((*sixteen, "alice")))


def test_a_mirror_pod_is_a_nodes_own() -> None:
    assert is_mirror(NODE, MIRROR)
    assert not is_mirror(NODE, {})
    assert not is_mirror(a_person("alice"), MIRROR)
    assert not is_mirror(Identity("system:node:n1"), MIRROR)
    assert not is_mirror(Identity("alice", groups=("system:nodes",)), MIRROR)
