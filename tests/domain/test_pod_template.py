"""What of a pod its digest covers: laws over a pod with every field, and a table of look-alikes."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from daypass.app.digests import pod_template_digest
from daypass.domain.pod_template import projection
from daypass.signing.canonical import canonical_json

Json = dict[str, Any]
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "pods.yaml").read_text())
EVERYTHING: Json = CASES["everything"]


def digest(pod: Json) -> str:
    return pod_template_digest(pod, canonical_json)


def changed(pod: Json, other: Json) -> Json:
    """The pod with other values at dotted paths; labels have dots themselves, so they are given as a whole."""
    copy = deepcopy(pod)
    for path, value in other.items():
        *parents, last = path.split(".")
        place: Any = copy
        for step in parents:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if value is None:
            place.pop(last, None)
        else:
            place[int(last) if isinstance(place, list) else last] = value
    return copy


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from leaves(inner, (*path, key))
    else:
        yield path


@pytest.mark.parametrize("case", CASES["same"], ids=lambda case: case["name"])
def test_what_is_set_anew_for_each_pod_is_not_covered(case: Json) -> None:
    pod, other = case["pod"], changed(case["pod"], case["other"])
    assert projection(pod) == projection(other)
    assert digest(pod) == digest(other)


@pytest.mark.parametrize("case", CASES["other"], ids=lambda case: case["name"])
def test_what_only_looks_like_a_controllers_doing_is_covered(case: Json) -> None:
    assert digest(case["pod"]) != digest(changed(case["pod"], case["other"]))


@pytest.mark.parametrize("path", [*leaves(EVERYTHING["spec"], ("spec",))], ids=lambda path: ".".join(map(str, path)))
def test_each_field_of_what_runs_changes_the_digest(path: tuple[str | int, ...]) -> None:
    """Every leaf of the spec of a pod that nobody made, by another value and by its absence."""
    for remove in (False, True):
        copy = deepcopy(EVERYTHING)
        place: Any = copy
        for step in path[:-1]:
            place = place[step]
        old = place[path[-1]]
        if remove:
            del place[path[-1]]
        else:
            place[path[-1]] = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}x"
        assert digest(copy) != digest(EVERYTHING), (path, remove)


def test_a_field_of_tomorrow_is_covered() -> None:
    assert digest(changed(EVERYTHING, {"spec.telepathy": True})) != digest(EVERYTHING)


def test_projecting_changes_nothing_of_the_pod() -> None:
    for pod in (EVERYTHING, *(case["pod"] for case in CASES["same"])):
        before = deepcopy(pod)
        projection(pod)
        assert pod == before


@pytest.mark.parametrize(
    "pod",
    [
        {},
        {"spec": None},
        {"spec": []},
        {"metadata": [], "spec": {"containers": "a", "volumes": {"a": 1}, "tolerations": None, "affinity": []}},
        {"metadata": {"ownerReferences": {}, "labels": []}, "spec": {"containers": [1, None, {"env": [[]]}]}},
        {"spec": {"volumes": [None, "a", {"name": 1, "projected": None, "downwardAPI": []}]}},
        {"spec": {"topologySpreadConstraints": [{"matchLabelKeys": ["a"], "labelSelector": None}]}},
    ],
)
def test_t49_no_shape_of_a_pod_breaks_it(pod: Json) -> None:
    assert len(digest(pod)) == 64


def test_t49_nesting_without_end_is_an_error_that_says_so() -> None:
    deep: Json = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="nested too deeply"):
        digest({"spec": deep})


def test_t49_a_padded_pod_is_digested_to_its_last_character() -> None:
    containers = [
        {"name": f"c{n}", "env": [{"name": f"E{m}", "value": "v" * 50} for m in range(30)]} for n in range(1000)
    ]
    first = digest({"spec": {"containers": containers}})
    containers[999]["env"][29]["value"] = "w"  # type: ignore[index]
    assert digest({"spec": {"containers": containers}}) != first
