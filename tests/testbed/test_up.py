"""``make up`` and ``make down``: an environment that stays, with a context for each user, and goes without a trace."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bed.folders import REPOSITORY


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bed that is up, in a folder of the test."""
    folder = tmp_path_factory.mktemp("up") / ".bed"
    done = _bed(folder, "up")
    assert done.returncode == 0, done.stderr
    assert "make down" in done.stdout
    yield folder
    _bed(folder, "down")


@pytest.mark.parametrize(
    ("context", "username", "group"),
    [
        ("admin", "admin", "system:masters"),
        ("alice", "alice", "developers"),
        ("erin", "erin", "developers"),
        ("bob", "bob", "approvers"),
        ("carol", "carol", "approvers"),
        ("dave", "dave", "approvers"),
        ("agent", "system:serviceaccount:demo:agent", "system:serviceaccounts:demo"),
    ],
)
def test_each_context_authenticates_as_itself(home: Path, context: str, username: str, group: str) -> None:
    done = _kubectl(home, "--context", context, "auth", "whoami", "-o", "json")
    info = json.loads(done.stdout)["status"]["userInfo"]
    assert info["username"] == username
    assert group in info["groups"]


def test_daypass_is_at_work(home: Path) -> None:
    done = _kubectl(home, "get", "approvalpolicies", "-o", "name")
    assert "approvalpolicy.daypass.dev/" in done.stdout
    assert _kubectl(home, "get", "areq", "-A").returncode == 0


def test_up_again_leaves_it_as_it_is(home: Path) -> None:
    before = (home / "kubeconfig").read_text()
    done = _bed(home, "up")
    assert done.returncode == 0
    assert "already running" in done.stderr
    assert (home / "kubeconfig").read_text() == before


def test_down_leaves_nothing_behind(home: Path) -> None:
    done = _bed(home, "down")
    assert done.returncode == 0, done.stderr
    assert not home.exists()
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in running
    assert "nothing was running" in _bed(home, "down").stderr


def _bed(home: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DAYPASS_BED": str(home), "PYTHONPATH": str(REPOSITORY / "tools")}
    return subprocess.run(
        [sys.executable, "-m", "bed", command], env=environment, capture_output=True, text=True, check=False
    )


def _kubectl(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As a person would: by sourcing the file that ``up`` left."""
    script = f'. "{home}/env" && exec kubectl "$@"'
    return subprocess.run(["bash", "-c", script, "kubectl", *arguments], capture_output=True, text=True, check=False)
