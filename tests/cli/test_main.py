"""The command line as a whole: what it lists, what it says, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daypass import __version__
from daypass.cli.main import app

SOURCE = Path(__file__).parents[2] / "operator"
COMMANDS = ["controller", "webhook", "setup", "digest", "policy", "version"]
CONNECTED = ["controller", "webhook", "setup"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments, env={"KUBERNETES_SERVICE_HOST": ""})
    return result.exit_code, result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_listed_and_every_option_explained(command: str) -> None:
    assert f"  {command} " in run("--help")[1]
    code, text = run(command, "--help")
    assert code == 0
    options = text.partition("Options:")[2].partition("Commands:")[0].splitlines()
    for line, following in zip(options, [*options[1:], ""], strict=True):
        beside, below = len(line.strip().split("  ")) > 1, following.startswith(" " * 8)
        assert not line.startswith("  -") or beside or below, line


def test_version() -> None:
    assert run("version") == (0, f"daypass {__version__}\n")


def test_module_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "daypass", "version"], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, check=True
    )
    assert done.stdout.decode() == f"daypass {__version__}\n"


@pytest.mark.parametrize("command", CONNECTED)
def test_settings_that_name_no_api_server_say_what_to_change(command: str, tmp_path: Path) -> None:
    assert "give --server or" in _said(run(command))
    assert "--kubeconfig excludes" in _said(run(command, "--kubeconfig", "x", "--server", "https://h"))
    folder = ("--service-account-dir", str(tmp_path))
    assert "a ServiceAccount's folder" in _said(run(command, "--server", "https://h", *folder))
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("c")
    assert "must be reached by https" in _said(run(command, "--server", "http://h", *folder))


@pytest.mark.parametrize("command", ["controller", "webhook"])
def test_wrong_values_are_errors_of_the_command_line(command: str) -> None:
    assert "is not HOST:PORT" in _said(run(command, "--health-address", "8080"))
    assert "is none of debug" in _said(run(command, "--log-level", "loud"))


def _said(result: tuple[int, str]) -> str:
    code, text = result
    assert code == 2
    return " ".join(text.split())
