"""What an approver reads of a pod: every program, where its code comes from, and nothing that hides anything."""

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml

from daypass.api.fields import is_plain
from daypass.domain.plain_text import escaped, shortened
from daypass.domain.what_runs import LONGEST_LINE, MOST_LINES, what_runs

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "what_runs.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_lines(case: dict[str, Any]) -> None:
    assert list(what_runs({"spec": case["spec"]})) == case["lines"]


@pytest.mark.parametrize("kind", ["configMapKeyRef", "secretKeyRef", "fileKeyRef"])
def test_t55_a_variable_said_again_by_what_need_not_be_there_is_shown(kind: str) -> None:
    """Where that is absent, the node goes by what was said before."""
    nothing = {"name": "none", "volumeName": "none", "key": "k", "optional": True}
    said = [{"name": "LD_PRELOAD", "value": "/evil.so"}, {"name": "LD_PRELOAD", "valueFrom": {kind: nothing}}]
    lines = what_runs({"spec": {"containers": [{"name": "app", "image": "a", "env": said}]}})
    assert "container app: environment LD_PRELOAD=/evil.so" in lines
    assert any(line.endswith("none: LD_PRELOAD in container app") for line in lines)


def test_a_node_that_the_scheduler_chose_is_no_finding() -> None:
    status = {"conditions": [{"type": "PodScheduled", "status": "True"}]}
    assert what_runs({"spec": {"nodeName": "node-1", "containers": []}, "status": status}) == ()


def test_a_node_that_a_daemon_set_chose_is_a_finding() -> None:
    """Anybody can name a DaemonSet as a pod's owner, and its digest is the same on all nodes."""
    here = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]}}
    spec = {"affinity": {"nodeAffinity": required}, "containers": []}
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "u", "controller": True}
    (line,) = what_runs({"metadata": {"ownerReferences": [owner]}, "spec": spec})
    assert line.startswith("the node is chosen by DaemonSet agent, or by whoever says to be it: the digest is the same")
    assert what_runs({"spec": spec}) == ()
    assert what_runs({"metadata": {"ownerReferences": [owner]}, "spec": {}}) == ()


def test_annotations_that_nodes_may_obey_are_shown() -> None:
    pod = {"metadata": {"annotations": {"cdi.k8s.io/gpu": "nvidia.com/gpu=all", "note": "x"}}, "spec": {}}
    assert what_runs(pod) == ("annotation cdi.k8s.io/gpu: nvidia.com/gpu=all, which nodes may obey",)
    pod = {"metadata": {"annotations": {"cdi.k8s.io/gpu": "none, which nodes ignore"}}, "spec": {}}
    assert what_runs(pod) == ("annotation cdi.k8s.io/gpu: 'none, which nodes ignore', which nodes may obey",)


def test_what_a_pod_reads_of_itself_is_shown() -> None:
    key = {"fieldRef": {"fieldPath": "metadata.annotations['do']"}}
    items = [{"path": "do", **key}, {"path": "all", "fieldRef": {"fieldPath": "metadata.labels"}}]
    container = {
        "name": "app",
        "image": f"a@sha256:{'0' * 64}",
        "env": [
            {"name": "DO", "valueFrom": key},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "volumeMounts": [{"name": "self", "mountPath": "/self"}, {"name": "more", "mountPath": "/more"}],
    }
    volumes = [
        {"name": "self", "downwardAPI": {"items": items}},
        {"name": "more", "projected": {"sources": [{"downwardAPI": {"items": items[:1]}}]}},
    ]
    lines = what_runs(
        {"metadata": {"annotations": {"do": "rm -rf /"}}, "spec": {"containers": [container], "volumes": volumes}}
    )
    assert lines[1:] == (
        "container app: environment DO from metadata.annotations['do'] ('rm -rf /'), IP from status.podIP",
        "files from the pod's own metadata.annotations['do'] ('rm -rf /'), metadata.labels: /self in container app",
        "files from the pod's own metadata.annotations['do'] ('rm -rf /'): /more in container app",
    )


def test_t49_padding_hides_no_variable_that_changes_what_runs() -> None:
    padding = [{"name": f"V{n}", "value": "x" * 9999} for n in range(1000)]
    evil = {"name": "BASH_ENV", "value": "/evil.sh"}
    lines = what_runs({"spec": {"containers": [{"name": "app", "image": "a", "env": [*padding, evil]}]}})
    assert lines[1].startswith("container app: environment BASH_ENV=/evil.sh, 'V0=xxx")
    assert sum(line.count("9999 characters") for line in lines[1:3]) == 7
    assert lines[2].endswith("' and 993 more")
    used = [{"name": f"V{n}", "value": "x"} for n in range(100)]
    command = ["".join(f"$(V{n})" for n in range(100))]
    lines = what_runs({"spec": {"containers": [{"name": "app", "image": "a", "command": command, "env": used}]}})
    assert lines[1].endswith("V23=x and 76 more")


def test_t49_padding_with_harmless_containers_shows_as_such() -> None:
    containers: list[dict[str, Any]] = [
        {"name": f"c{n}", "image": f"i{n}", "command": ["x" * 9999]} for n in range(1000)
    ]
    containers[500] |= {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    lines = what_runs({"spec": {"containers": containers, "volumes": [{"name": "v", "configMap": {"name": "c"}}]}})
    assert len(lines) == MOST_LINES
    assert lines[23] == "and 977 more programs"
    assert lines[47] == "and 978 more findings"
    assert all(len(line) <= LONGEST_LINE for line in lines)


@pytest.mark.parametrize("limit", [2, 3, 7, 20, 64])
@pytest.mark.parametrize(("programs", "images"), [(0, 0), (1, 1), (5, 1), (40, 40), (100, 1), (100, 100)])
def test_never_more_lines_than_asked_for(limit: int, programs: int, images: int) -> None:
    containers = [{"name": f"c{n}", "image": f"i{n % max(images, 1)}"} for n in range(programs)]
    lines = what_runs({"spec": {"containers": containers}}, limit)
    assert len(lines) == min(limit, programs + images)
    hidden = sum(int(line.split()[1]) for line in lines if line.startswith("and "))
    notes = sum(line.startswith("and ") for line in lines)
    assert len(lines) - notes + hidden == programs + images


def test_a_long_command_shows_both_ends_and_its_length() -> None:
    (line, _) = what_runs(
        {"spec": {"containers": [{"name": "app", "image": "a", "command": ["x" * 2000, "; reboot"]}]}}
    )
    assert len(line) == LONGEST_LINE
    assert line.startswith("container app: a, command: xxx")
    assert line.endswith("xxx '; reboot'")
    assert "…[2038 characters]…" in line


def test_shortening_never_makes_it_longer() -> None:
    for limit in range(80):
        assert len(shortened("x" * 100, limit)) == limit
        assert shortened("x" * limit, limit) == "x" * limit


def test_t15_whatever_a_pod_says_fits_a_field_of_plain_text() -> None:
    for code in range(sys.maxunicode + 1):
        text = escaped(chr(code))
        assert is_plain(text), hex(code)
        assert text.encode()
    assert escaped("Grüße, 世界") == "Grüße, 世界"


def test_t49_a_name_of_a_megabyte_is_not_said_with_each_mount() -> None:
    mounts = [{"name": "v", "mountPath": "/v"}] * 1000
    container = {"name": "c" * 1_000_000, "image": "i", "volumeMounts": mounts}
    tracemalloc.start()
    lines = what_runs({"spec": {"containers": [container], "volumes": [{"name": "v", "configMap": {"name": "m"}}]}})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4_000_000
    assert "[1000000 characters]" in lines[0]


@pytest.mark.parametrize(
    "pod",
    [
        {},
        {"spec": None},
        {"spec": {"containers": [None, 1, "a", {}]}},
        {"spec": {"containers": [{"command": "sh", "env": {}, "volumeMounts": [[]], "lifecycle": []}]}},
        {"spec": {"containers": [{"volumeMounts": [{"name": "v"}]}], "volumes": [{"name": "v", "configMap": None}]}},
    ],
)
def test_t49_no_shape_of_a_pod_breaks_it(pod: dict[str, Any]) -> None:
    assert all(isinstance(line, str) for line in what_runs(pod))
