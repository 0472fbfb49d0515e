"""``daypass policy check``: validate policies without a cluster, for the continuous integration of a repository."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from daypass.cli import unreadable
from daypass.cli.connection import DEFAULT_NAMESPACE, NamespaceOption

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="YAML files, folders of them (*.yaml and *.yml, at any depth), or - for standard input."
    ),
]

_STANDARD_INPUT = "standard input"


def check(files: FilesArgument, namespace: NamespaceOption = DEFAULT_NAMESPACE) -> None:
    """Check every ApprovalPolicy in the files with the code that admission uses.

    Unknown fields, limits, expressions, gates and what the policies name of each other. Valid policies and warnings go to
    standard output, errors to standard error. Exit code 0: all are valid; 1: some are not.
    """
    from daypass.app.policies import check as policy_check
    from daypass.domain.gate_bounds import Bounds
    from daypass.expressions.cel import CelExpressions

    texts: dict[str, str] = {}
    for name in [name for file in files for name in _names(file)]:
        try:
            texts[name] = _text(name)
        except (OSError, UnicodeDecodeError) as error:
            typer.echo(f"daypass policy check: {unreadable.told(name, error)}", err=True)
            raise typer.Exit(1) from None
    walked = {name for file in files if file.is_dir() for name in texts if Path(name).is_relative_to(file)}
    report = policy_check.check(texts, CelExpressions(), walked=walked, bounds=Bounds(namespace))
    for name in report.valid:
        typer.echo(f"approvalpolicy.daypass.dev/{name} is valid")
    for finding in report.warnings:
        typer.echo(f"warning: {finding}")
    for finding in report.errors:
        typer.echo(str(finding), err=True)
    if report.errors:
        raise typer.Exit(1)


def _names(file: Path) -> list[str]:
    if str(file) == "-":
        return [_STANDARD_INPUT]
    if not file.is_dir():
        return [str(file)]
    found = sorted(path for path in file.rglob("*") if path.suffix in {".yaml", ".yml"} and path.is_file())
    if not found:
        typer.echo(f"daypass policy check: {file}: no *.yaml or *.yml in it", err=True)
        raise typer.Exit(1)
    return list(map(str, found))


def _text(name: str) -> str:
    return sys.stdin.read() if name == _STANDARD_INPUT else Path(name).read_text(encoding="utf-8")
