"""The test bed itself: real authentication, real controllers, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bed import Bed
from bed.folders import REPOSITORY


@pytest.mark.parametrize(
    ("user", "username", "group"),
    [
        ("admin", "admin", "system:masters"),
        ("alice", "alice", "developers"),
        ("erin", "erin", "developers"),
        ("bob", "bob", "approvers"),
        ("carol", "carol", "approvers"),
        ("dave", "dave", "approvers"),
    ],
)
def test_people_authenticate_by_certificate(control_plane: Bed, user: str, username: str, group: str) -> None:
    info = _whoami(control_plane, user)
    assert info["username"] == username
    assert group in info["groups"]
    assert "uid" not in info


def test_agents_authenticate_by_token(control_plane: Bed, namespace: str) -> None:
    info = _whoami(control_plane, f"{namespace}/agent")
    assert info["username"] == f"system:serviceaccount:{namespace}:agent"
    assert info["uid"]


def test_controllers_act_as_service_accounts_of_kube_system(control_plane: Bed, namespace: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "namespace": namespace},
    }
    control_plane.apply(quota)
    owner = control_plane.get("configmap", "owned", namespace)
    assert owner is not None
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owned", "uid": owner["metadata"]["uid"]}
    control_plane.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "dependent", "namespace": namespace, "ownerReferences": [reference]},
        }
    )
    control_plane.kubectl("delete", "configmap", "owned", "-n", namespace)
    control_plane.wait_until(lambda: control_plane.get("secret", "dependent", namespace) is None)
    deleted = [
        event["user"]["username"]
        for event in control_plane.audit_events(namespace)
        if event["verb"] == "delete" and event.get("objectRef", {}).get("name") == "dependent"
    ]
    assert deleted == ["system:serviceaccount:kube-system:generic-garbage-collector"]


def test_audit_log_never_holds_a_secret(control_plane: Bed, namespace: str) -> None:
    control_plane.kubectl("create", "secret", "generic", "s", "--from-literal=word=correct-horse", "-n", namespace)
    found = control_plane.audit_events('"secrets"')
    events = [event for event in found if event.get("objectRef", {}).get("resource") == "secrets"]
    assert events
    assert not any("requestObject" in event or "responseObject" in event for event in events)


def test_api_server_restarts_on_the_same_address(control_plane: Bed, namespace: str) -> None:
    control_plane.control_plane.restart_api_server()
    assert control_plane.get("namespace", namespace) is not None


def test_strangers_are_not_let_in(control_plane: Bed) -> None:
    assert control_plane.request("GET", "/api/v1/namespaces", user="").status in {401, 403}


def test_a_killed_harness_leaves_nothing_behind() -> None:
    """SIGKILL to whoever launched a bed ends its processes at once, and the next bed removes its folder."""
    program = "import time\nfrom bed import Bed\nbed = Bed.launch()\nprint(bed.folder, flush=True)\ntime.sleep(600)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "tools")}
    harness = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert harness.stdout is not None
    folder = Path(harness.stdout.readline().strip())
    assert (folder / "audit.log").exists()
    assert _processes_in(folder)
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    deadline = time.monotonic() + 5
    while _processes_in(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _processes_in(folder)
    program = "from bed.folders import BedFolder\nBedFolder.fresh().remove()"
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert not folder.exists()


def _whoami(bed: Bed, user: str) -> dict[str, Any]:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = bed.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, user=user)
    return dict(answer.json["status"]["userInfo"])


def _processes_in(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found
