"""What of a pod its digest covers: laws over a pod with every field, and a table of look-alikes."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from daypass.app.digests import pod_template_digest
from daypass.domain.pod_template import projection
from daypass.domain.workloads import pod_of
from daypass.signing.canonical import canonical_json

Json = dict[str, Any]
CASES = yaml.load((Path(__file__).parent / "cases" / "pods.yaml").read_text(), yaml.CSafeLoader)
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


KEYS = (
    *("mode", "kubectl.kubernetes.io/last-applied-configuration", "daypass.dev/digest-only", "daypass.dev/held"),
    *("daypass.dev/held-for", "daypass.dev/authors", "kubernetes.io/config.seen", "pod-template-hash", "job-name"),
    *("controller-revision-hash", "batch.kubernetes.io/job-completion-index", "cni.example.com/address"),
)
WHERE = ("labels", "annotations")
DEPLOYED = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d5f8c4b7d", "uid": "u", "controller": True}


def reading(how: str, where: str, key: str) -> Json:
    """The spec of a pod of which one container reads this, in one of the ways that there are."""
    one, everything = (
        [{"path": "p", "fieldRef": {"apiVersion": "v1", "fieldPath": path}}]
        for path in (f"metadata.{where}['{key}']", f"metadata.{where}")
    )
    variable = [{"name": "V", "valueFrom": {"fieldRef": one[0]["fieldRef"]}}]
    parts: dict[str, Json] = {
        "variable": {"containers": [{"name": "app", "env": variable}]},
        "init container's variable": {"initContainers": [{"name": "app", "env": variable}]},
        "debugger's variable": {"ephemeralContainers": [{"name": "app", "env": variable}]},
        "file": {"volumes": [{"name": "v", "downwardAPI": {"items": one}}]},
        "projected file": {"volumes": [{"name": "v", "projected": {"sources": [{"downwardAPI": {"items": one}}]}}]},
        "file of all": {"volumes": [{"name": "v", "downwardAPI": {"items": everything}}]},
        "projected file of all": {
            "volumes": [{"name": "v", "projected": {"sources": [{"downwardAPI": {"items": everything}}]}}]
        },
    }
    return {"containers": [{"name": "app", "image": "a"}], **parts[how]}


@pytest.mark.parametrize("owners", [[], [DEPLOYED]], ids=["bare", "deployed"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    "how",
    [
        *("variable", "init container's variable", "debugger's variable", "file", "projected file"),
        *("file of all", "projected file of all"),
    ],
)
def test_what_a_pod_reads_of_itself_changes_its_digest(how: str, where: str, key: str, owners: list[Json]) -> None:
    """On a running pod as on a new one, under whatever name: text that is put there, changed or taken away."""
    running = {"conditions": [{"type": "PodScheduled", "status": "True"}], "phase": "Running"}
    for status in ({}, running):
        found = [
            digest(
                {
                    "metadata": {"ownerReferences": owners, where: said},
                    "spec": reading(how, where, key),
                    "status": status,
                }
            )
            for said in ({}, {key: ""}, {key: "true"}, {key: "echo harmless"}, {key: "reboot"})
        ]
        assert len(set(found)) == len(found)


@pytest.mark.parametrize("where", WHERE)
def test_what_a_pod_does_not_read_of_itself_changes_nothing(where: str) -> None:
    for key in KEYS:
        found = {
            digest({"metadata": {where: said}, "spec": reading("variable", where, "other")})
            for said in ({}, {key: "true"}, {key: "reboot"})
        }
        assert len(found) == 1, key


def test_a_node_affinity_that_a_daemon_set_requires_is_in_none_of_its_pods() -> None:
    """Its controller puts the one node in its place, so no digest of a pod can cover it; its node selector is covered."""

    def made(**spec: object) -> str:
        template = {"spec": {"containers": [{"name": "a"}], **spec}}
        workload = {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "a"},
            "spec": {"template": template},
        }
        return digest(pod_of(workload))

    terms = [
        [{"matchExpressions": [{"key": "tier", "operator": "In", "values": [tier]}]}] for tier in ("sandbox", "prod")
    ]
    required = [
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": one}}}
        for one in terms
    ]
    preferred = [
        {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": one[0]}]}}
        for one in terms
    ]
    assert made(affinity=required[0]) == made(affinity=required[1])
    assert made(affinity=preferred[0]) != made(affinity=preferred[1])
    assert made(nodeSelector={"tier": "sandbox"}) != made(nodeSelector={"tier": "prod"})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (2**53, {"$integer": str(2**53)}),
        ({"$integer": "7"}, {"$$integer": "7"}),
        ({"$$integer": "7"}, {"$$$integer": "7"}),
        ({"$integer": 2**53}, {"$integer": {"$integer": str(2**53)}}),
        (-(2**53), 2**53),
    ],
)
def test_no_object_looks_like_a_number(first: object, second: object) -> None:
    assert digest({"spec": {"n": first}}) != digest({"spec": {"n": second}})


class Counted(str):
    """A text that counts with how many it is compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_t49_many_selectors_and_many_keys_cost_their_sum_and_not_their_product() -> None:
    expressions = [{"key": Counted(f"k{number}"), "operator": "In", "values": ["x"]} for number in range(300)]
    term = {
        "matchLabelKeys": [f"a{number}" for number in range(300)],
        "labelSelector": {"matchExpressions": expressions},
    }
    labels = {f"a{number}": "x" for number in range(300)}
    Counted.comparisons = 0
    projection({"metadata": {"labels": labels}, "spec": {"topologySpreadConstraints": [term]}})
    assert Counted.comparisons <= 300


class Walked(dict[str, str]):
    """Annotations that count how often somebody goes through all of them."""

    walks = 0

    def items(self) -> Any:  # noqa: ANN401 - as dict has it
        self.walks += 1
        return super().items()


def test_t49_annotations_that_a_thousand_files_have_all_of_are_gone_through_once() -> None:
    annotations = Walked({f"a{number}": "" for number in range(1000)})
    everything = [{"path": f"p{number}", "fieldRef": {"fieldPath": "metadata.annotations"}} for number in range(1000)]
    volume = {"name": "v", "downwardAPI": {"items": everything}}
    found = projection({"metadata": {"annotations": annotations}, "spec": {"volumes": [volume]}})
    assert len(found["metadata"]["annotations"]) == 1000
    assert annotations.walks <= 3
