"""Which privileges a pod uses."""

from typing import Any

import pytest

from daypass.domain import privileges
from daypass.domain.policy import RiskLevel
from daypass.domain.privileges import CONTROLS, Finding
from daypass.domain.privileges.uses import MOST_VALUES
from daypass.domain.risk import Risk
from domain.pod_cases import KINDS, Case, cases
from steps import Steps

CASES = cases("baseline", "restricted", "beyond")


def found(pod: dict[str, Any]) -> list[str]:
    return sorted(f"{finding.text} at {finding.path}" for finding in privileges.of_pod(pod))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_pod(case: Case, kind: str) -> None:
    assert found(case.body(kind)) == case.expected(kind)


def test_each_control_has_an_allowed_and_a_refused_example() -> None:
    of_pods = CONTROLS.keys() - {"ServiceAccountPower"}
    assert {case.control for case in CASES} == of_pods
    uses = {(case.control, any(text.startswith(case.control) for text in case.finds)) for case in CASES}
    assert uses == {(control, used) for control in of_pods for used in (True, False)}


@pytest.mark.parametrize("spec", [None, [], "privileged", 5, True])
def test_a_spec_that_is_none_uses_everything(spec: object) -> None:
    pod = {"metadata": {}, "spec": spec}
    controls = {finding.control for finding in privileges.of_pod(pod)}
    assert controls == CONTROLS.keys() - {"ServiceAccountPower"}
    assert all(finding.value == "" for finding in privileges.of_pod(pod))


@pytest.mark.parametrize("metadata", [[], "x", {"annotations": []}, {"annotations": "x"}])
def test_annotations_that_cant_be_read_may_say_anything(metadata: object) -> None:
    pod = {"metadata": metadata, "spec": {}}
    assert [finding.text for finding in privileges.of_pod(pod)] == ["AppArmor", "Devices"]


def test_a_pod_without_containers_uses_nothing() -> None:
    assert privileges.of_pod({"spec": {"containers": [], "volumes": []}}) == ()


def test_what_an_account_may_do_counts_from_high_on() -> None:
    assert privileges.of_account(Risk(RiskLevel.MEDIUM), "agent") == ()
    high = privileges.of_account(Risk(RiskLevel.HIGH), "agent")
    assert [finding.text for finding in high] == ["ServiceAccountPower:High"]
    (finding,) = privileges.of_account(Risk(RiskLevel.CRITICAL, ("ClusterRoleBinding all gives it", "more")), "root")
    path = "spec.serviceAccountName=root: ClusterRoleBinding all gives it"
    assert finding == Finding("ServiceAccountPower", "Critical", path)


def test_t15_t49_what_gives_an_account_its_power_is_short_and_on_one_line() -> None:
    (finding,) = privileges.of_account(Risk(RiskLevel.HIGH, (f"RoleBinding a\n{'b' * 900}",)), "agent")
    assert len(finding.path) < 300
    assert "\n" not in finding.path


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/opt/my data", "/opt/my data"),
        ("/" + "a" * 252, "/" + "a" * 252),
        ("/" + "a" * 253, ""),
        ("/opt/übung", ""),
        ("/opt/\x1b[2J", ""),
        ("/opt/a\nb", ""),
        ("/opt/\u202egpj", ""),
        ("/opt, Capabilities", ""),
        ('/opt/"', ""),
        ("/opt/*", ""),
        ("/opt ", ""),
        ("", ""),
    ],
)
def test_what_could_be_misread_stands_for_every_value(path: str, value: str) -> None:
    pod = {"spec": {"volumes": [{"name": "a", "hostPath": {"path": path}}]}}
    finding = privileges.of_pod(pod)[0]
    assert (finding.control, finding.value) == ("HostPathVolumes", value)
    assert len(finding.text) <= privileges.LONGEST_TEXT


def huge(containers: int, volumes: int) -> dict[str, Any]:
    """A pod with as many of everything as fits into 3 MiB, all of it different."""
    body = Case("", "").body("containers")
    body["spec"]["containers"] = [
        {
            "name": f"c{number}",
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": f"s{number}", "key": "k"}}}],
            "securityContext": {"capabilities": {"add": [f"CAP_{number}"]}, "privileged": True},
        }
        for number in range(containers)
    ]
    body["spec"]["volumes"] = [{"name": f"v{n}", "hostPath": {"path": f"/data/{n}"}} for n in range(volumes)]
    return body


def test_t51_a_pod_of_a_thousand_containers_and_ten_thousand_volumes_takes_linear_time() -> None:
    def steps(containers: int, volumes: int) -> int:
        body = huge(containers, volumes)
        with Steps() as taken:
            findings = privileges.of_pod(body)
        assert [finding.path for finding in findings if finding.text == "VolumeTypes:hostPath"] == [
            f"spec.volumes[{number}].hostPath" for number in range(volumes)
        ]
        return taken.count

    assert steps(1000, 10_000) < 4.1 * steps(250, 2500), "four times the pod"


def test_t51_more_values_than_anybody_reads_stand_for_every_value() -> None:
    texts = [finding.text for finding in privileges.of_pod(huge(200, 200))]
    for control in ("HostPathVolumes", "SecretMount", "Capabilities", "CapabilitiesRestricted"):
        found = [text for text in texts if text.partition(":")[0] == control]
        assert len({*found}) == MOST_VALUES + 1
        assert found[-1] == control
    for control in ("PrivilegedContainers", "PrivilegeEscalation"):
        assert texts.count(control) == 200


def test_t51_comparing_a_huge_pod_with_many_patterns_is_bounded() -> None:
    patterns = [f"HostPathVolumes:/date/{number}/*" for number in range(64)]

    def steps(containers: int, volumes: int) -> int:
        needed = dict.fromkeys(finding.text for finding in privileges.of_pod(huge(containers, volumes)))
        with Steps() as taken:
            assert "HostPathVolumes" in privileges.missing(patterns, needed)
            spoken_of = {text for text in needed for one in patterns if privileges.overlaps(one, text)}
        assert spoken_of == {"HostPathVolumes"}
        return taken.count

    assert steps(1000, 10_000) < 1.1 * steps(250, 2500), "however huge it is"
