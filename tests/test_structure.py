"""The shape of the code: sizes of files, and what the layers may reach for (import-linter holds the rest)."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "operator"
DOMAIN = sorted((SOURCE / "daypass" / "domain").rglob("*.py"))
REACHING = {
    *("asyncio", "concurrent", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets"),
    *("select", "shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib"),
    *("uuid", "zoneinfo"),
}
"""Modules of the standard library that read a clock, do I/O, ask the environment, log, or leave things to chance."""


def test_files_stay_small() -> None:
    """Median at most 150 lines, nine in ten at most 350, none over 500."""
    files = [file for folder in ("operator", "tools", "tests", "bench") for file in (REPOSITORY / folder).rglob("*.py")]
    sizes = {file.relative_to(REPOSITORY): len(file.read_text().splitlines()) for file in files}
    assert not {str(file): lines for file, lines in sizes.items() if lines > 500}
    assert statistics.median(sizes.values()) <= 150
    assert statistics.quantiles(sizes.values(), n=10)[-1] <= 350


@pytest.mark.parametrize("file", DOMAIN, ids=lambda file: file.name)
def test_domain_reaches_for_nothing(file: Path) -> None:
    """The decisions import the standard library and each other; no clock, I/O, environment, log or chance."""
    tree = ast.parse(file.read_text())
    for module in _imported(tree):
        top = module.partition(".")[0]
        assert module.startswith("daypass.domain") or top in sys.stdlib_module_names - REACHING, module
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not {call.id for call in calls if isinstance(call, ast.Name)} & {"open", "print", "input", "exec", "eval"}
    clocks = {call.attr for call in calls if isinstance(call, ast.Attribute)} & {"now", "utcnow", "today"}
    assert not clocks


@pytest.mark.parametrize("file", DOMAIN, ids=lambda file: file.name)
def test_domain_values_are_frozen_and_slotted(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            text = ast.unparse(decorator)
            if text.startswith("dataclass"):
                assert "frozen=True" in text, node.name
                assert "slots=True" in text, node.name


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("webhook", {"kopf", "kubernetes", "cel_expr_python"}),
        ("cli.main", {"kopf", "kubernetes", "aiohttp", "pydantic", "cel_expr_python"}),
    ],
)
def test_what_a_process_does_not_import(command: str, absent: set[str]) -> None:
    """Imports cost memory (kopf 59 MiB, the Kubernetes client 55, CEL 12): the webhook pays for none."""
    package = SOURCE / "daypass" / command.replace(".", "/")
    files = [package.with_suffix(".py")] if package.with_suffix(".py").exists() else sorted(package.glob("*.py"))
    modules = [".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for file in files]
    program = f"import sys, importlib\nfor m in {modules!r}: importlib.import_module(m)\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not absent & {module.partition(".")[0] for module in done.stdout.split()}


def test_no_module_is_called_utils() -> None:
    """One concept a file, and a name that says which."""
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}
    assert not {
        str(file)
        for folder in ("operator", "tools")
        for file in (REPOSITORY / folder).rglob("*.py")
        if file.stem in vague
    }


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            assert node.module is not None
            yield node.module
