"""The API server's own Pod Security admission and Daypass find the same in a pod."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bed import Bed
from bed.http import Response
from daypass.domain import privileges
from domain.pod_cases import Case, cases

Json = dict[str, Any]

PROFILES = ("baseline", "restricted")
FIRST_MINOR = 35
"""Since 1.35 the standard knows user namespaces; nothing has changed since."""
REASONS = {
    "hostProcess": "HostProcess",
    "host namespaces": "HostNamespaces",
    "privileged": "PrivilegedContainers",
    "non-default capabilities": "Capabilities",
    "hostPath volumes": "HostPathVolumes",
    "hostPort": "HostPorts",
    "probe or lifecycle host": "HostProbes",
    "forbidden AppArmor profile": "AppArmor",
    "forbidden AppArmor profiles": "AppArmor",
    "seLinuxOptions": "SELinux",
    "procMount": "ProcMount",
    "seccompProfile": "Seccomp",
    "forbidden sysctls": "Sysctls",
    "restricted volume types": "VolumeTypes",
    "allowPrivilegeEscalation != false": "PrivilegeEscalation",
    "runAsNonRoot != true": "RunAsNonRoot",
    "runAsUser=0": "RunAsUser",
    "unrestricted capabilities": "CapabilitiesRestricted",
}
STRICTER = {
    "Capabilities": "CapabilitiesRestricted",
    "HostPathVolumes": "VolumeTypes",
    "ProcMount": "ProcMountRestricted",
    "Seccomp": "SeccompRestricted",
}
"""Where the Restricted profile has a check of its own instead of one of Baseline."""
BOTH = {"procMount": "ProcMountRestricted", "seccompProfile": "SeccompRestricted"}
"""What two controls call the same."""
CASES = [
    (case, kind)
    for case in cases("baseline", "restricted")
    for kind in ("containers", "initContainers", "ephemeralContainers")
    if kind in case.server
]


@dataclass(frozen=True)
class Judge:
    """A namespace of each profile, with the pods that ephemeral containers are added to."""

    bed: Bed

    def pods(self, profile: str) -> str:
        return f"/api/v1/namespaces/pods-{profile}/pods"

    def asked(self, case: Case, kind: str, profile: str) -> Response:
        """What the API server says of the pod, without keeping it."""
        if kind != "ephemeralContainers":
            return self.bed.request("POST", f"{self.pods(profile)}?dryRun=All", case.body(kind))
        patch = {"spec": {kind: case.body(kind)["spec"][kind]}}
        path = f"{self.pods(profile)}/{pod_name(case)}/ephemeralcontainers?dryRun=All"
        return self.bed.request(
            "PATCH", path, patch, headers={"Content-Type": "application/strategic-merge-patch+json"}
        )


@pytest.fixture(scope="module")
def judge(control_plane: Bed) -> Iterator[Judge]:
    """Pods come first and the labels after them: what ephemeral containers are added to may itself be privileged."""
    version = control_plane.request("GET", "/version").json
    if int(re.sub(r"\D", "", version["minor"])) < FIRST_MINOR:
        pytest.skip(f"Kubernetes {version['gitVersion']} has an older standard")
    made = Judge(control_plane)
    for profile in PROFILES:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        control_plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"pods-{profile}"}})
        control_plane.request("POST", f"/api/v1/namespaces/pods-{profile}/serviceaccounts", account)
        for case in {pod_name(case): case for case, kind in CASES if kind == "ephemeralContainers"}.values():
            answer = control_plane.request("POST", made.pods(profile), named(case))
            assert answer.status == 201, (str(case), answer.message)
        control_plane.kubectl("label", "namespace", f"pods-{profile}", f"pod-security.kubernetes.io/enforce={profile}")
    yield made
    control_plane.kubectl("delete", "namespace", *(f"pods-{profile}" for profile in PROFILES), "--wait=false")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("case", "kind"), CASES, ids=lambda value: str(value).replace(" ", "-"))
def test_the_api_server_finds_the_same(judge: Judge, case: Case, kind: str, profile: str) -> None:
    answer = judge.asked(case, kind, profile)
    assert answer.status in (200, 201, 403), answer.message
    ours = {finding.control for finding in privileges.of_pod(case.body(kind))}
    ours &= privileges.PROFILES[profile.capitalize()]
    if profile == "restricted":
        ours -= {control for control, stricter in STRICTER.items() if stricter in ours}
    assert theirs(answer, profile) == ours


def theirs(answer: Response, profile: str) -> set[str]:
    """The controls by which the API server refused the pod."""
    if answer.status != 403:
        return set()
    start, found, told = answer.message.partition(f'violates PodSecurity "{profile}:latest": ')
    assert found, (start, answer.message)
    reasons = {reason for reason in REASONS if re.search(rf"(?:^|, ){re.escape(reason)}(?: \(|,|$)", told)}
    assert reasons, told
    names = REASONS | (BOTH if profile == "restricted" else {})
    return {names[reason] for reason in reasons}


def pod_name(case: Case) -> str:
    """The pod to which the case's ephemeral container is added: one for all that change nothing else in it."""
    return "plain" if case.bare() == Case("", "").bare() else re.sub(r"[^a-z0-9]+", "-", str(case).lower())[:60]


def named(case: Case) -> Json:
    """The pod without the case's container."""
    pod = case.bare()
    return pod | {"metadata": pod["metadata"] | {"name": pod_name(case)}}
