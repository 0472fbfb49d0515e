"""What an approver reads of an object that is created or changed."""

from typing import Any

import pytest

from daypass.domain.content_facts import changed, created

Json = dict[str, Any]
CLAIM: Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop", "uid": "u", "labels": {"app.example/name": "db", "tier": "1"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "n": 3, "empty": {}},
    "status": {"phase": "Bound"},
}


def test_content_is_told_leaf_by_leaf_and_metadata_last() -> None:
    assert created(CLAIM) == (
        'spec.accessModes[0]: "ReadWriteOnce"',
        'spec.resources.requests.storage: "1Gi"',
        "spec.n: 3",
        "spec.empty: {}",
        'metadata.labels["app.example/name"]: "db"',
        'metadata.labels.tier: "1"',
    )
    assert created(CLAIM, "status")[-3] == 'status.phase: "Bound"'
    assert created({"spec": {"a": 1}, "roleRef": {"b": 2}}, without=("roleRef",)) == ("spec.a: 1",)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"a": "1"}, {"a": "2"}, ('spec.a: "1" → "2"',)),
        ({"a": 1}, {"a": True}, ("spec.a: 1 → true",)),
        ({"a": {"b": 1}}, {}, ("spec.a.b: 1 → nothing",)),
        ({}, {"a": [1, 2]}, ("spec.a[0]: 1", "spec.a[1]: 2")),
        ({"a": {"b": 1}}, {"a": "x"}, ("spec.a.b: 1 → nothing", 'spec.a: "x"')),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, ("spec.a[1]: 2 → 3", "spec.a[2]: 3 → nothing")),
        ({"a": None}, {"a": {}}, ("spec.a: null → nothing", "spec.a: {}")),
        ({"a": 1}, {"a": 1}, ("changes nothing that its digest covers",)),
    ],
)
def test_a_change_is_told_old_and_new(before: Json, after: Json, lines: tuple[str, ...]) -> None:
    assert changed({"spec": before}, {"spec": after}) == lines


def test_what_the_api_server_writes_is_no_change() -> None:
    old = {"metadata": {"uid": "u", "resourceVersion": "1", "managedFields": [{}]}, "data": {"a": "b"}}
    new = {"metadata": {"uid": "u", "resourceVersion": "2"}, "data": {"a": "c"}, "status": {"seen": True}}
    assert changed(old, new) == ('data.a: "b" → "c"',)


def test_t15_text_of_strangers_is_quoted_and_nothing_hides_in_it() -> None:
    (line,) = created({"data": {"a b": 'x"; spec.y: 1\n\u202e'}})
    assert line == 'data["a b"]: "x\\"; spec.y: 1\\n\\u202e"'


def test_t49_much_is_counted_and_long_text_is_cut() -> None:
    lines = created({"data": {f"k{number}": "x" * 10_000 for number in range(100)}})
    assert len(lines) == 24
    assert lines[-1] == "and 77 more"
    assert max(map(len, lines)) <= 512
    assert "[10000 characters]" in lines[0]
    assert max(map(len, created({"x" * 600: {"y" * 600: {"/" * 600: "\u202e" * 600}}}))) <= 512


def test_t49_an_object_nested_without_end_is_told_too() -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = {"a": deep}
    (line,) = created({"spec": deep})
    assert len(line) <= 512
    assert line.endswith(": 1")


def test_t49_what_has_more_values_than_anybody_reads_is_told_in_part() -> None:
    """Each costs time in which nobody else is answered: a million took seconds."""
    much = [0] * 1_000_000
    untold = "and perhaps more: no more than 50000 values are compared"
    assert changed({"spec": much}, {"spec": [*much[:-1], 1]}) == (untold,)
    assert changed({"spec": much}, {"spec": [1, *much[1:]]}) == ("spec[0]: 0 → 1", untold)
    lines = created({"spec": much})
    assert (len(lines), lines[0], lines[-1]) == (24, "spec[0]: 0", untold)
    known = {str(number): number for number in range(40_000)}
    assert changed({"spec": known}, {"spec": {**known, "39999": True}}) == ("spec.39999: 39999 → true",)
