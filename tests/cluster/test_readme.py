"""What the README tells a newcomer to type, typed; what it says they see, compared."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bed import Bed
from bed.users import Context, kubeconfig

README = Path(__file__).parents[2] / "README.md"
LOOKING_SECONDS = 10
USERS = ("admin", "alice", "bob", "carol")
POLICIES = ("shop-edit", "agent-privileges")
_BLOCK = re.compile(r"<!-- (?P<what>file: (?P<file>\S+)|run) -->\n```\w+\n(?P<body>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Command:
    text: str
    output: str


def _commands(block: str) -> list[Command]:
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [Command(*part.split("\n", 1)) for part in parts]


def _pattern(expected: str) -> re.Pattern[str]:
    """The expected output: runs of blanks count as one, … stands for anything on its line.

    Other lines may stand between: a list of all namespaces shows what other tests do, too.
    """
    lines = [
        r"\s+".join(re.escape(word).replace("…", r"\S.*") for word in line.split()) for line in expected.splitlines()
    ]
    return re.compile(r"\s*\n(?:.*\n)*".join(lines) + r"\s*(?:\n.*)*")


def _typed(command: Command, environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """Exit code and output; who looks (``get``) before the controller has looked, looks again, as a person does."""
    deadline = time.monotonic() + LOOKING_SECONDS
    while True:
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        )  # fmt: skip
        output = done.stdout
        seen = _pattern(command.output).fullmatch(output)
        if seen or " get " not in command.text or time.monotonic() > deadline:
            return done.returncode, output
        time.sleep(0.2)


@pytest.fixture
def environment(cluster: Bed, tmp_path: Path) -> Iterator[dict[str, str]]:
    contexts = [Context(user, cluster.credentials(user), "default") for user in USERS]
    config = tmp_path / "kubeconfig"
    config.write_text(kubeconfig(cluster.control_plane.server, cluster.control_plane.authority_file, contexts, "admin"))
    programs = f"{Path(sys.executable).parent}:{cluster.control_plane.binaries.kubectl.parent}"
    yield {"KUBECONFIG": str(config), "HOME": str(tmp_path), "PATH": f"{programs}:{os.defpath}"}
    cluster.kubectl("delete", "approvalpolicies", *POLICIES, "--ignore-not-found")


def test_what_the_readme_types_works_as_written(environment: dict[str, str], tmp_path: Path) -> None:
    ran = 0
    for block in _BLOCK.finditer(README.read_text()):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["body"])
            continue
        for command in _commands(block["body"]):
            code, output = _typed(command, environment, tmp_path)
            assert code == 0, f"$ {command.text}\n{output}"
            assert _pattern(command.output).fullmatch(output), f"$ {command.text}\n{output}"
            ran += 1
    assert ran > 20
