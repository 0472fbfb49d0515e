"""``daypass``: one command, whose processes share one image and none of each other's imports.

The modules of the commands hold options and texts only; what a command needs it imports when it runs, so that
``daypass webhook`` does not pay for kopf (59 MiB) and ``daypass --help`` answers at once.
"""

import importlib
from types import ModuleType

import typer

from daypass import __version__

app = typer.Typer(
    name="daypass",
    epilog="Exit codes: 0 done, 1 error, 2 the command line itself was wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
policy_app = typer.Typer(help="Work with ApprovalPolicies outside a cluster.", no_args_is_help=True)


@app.callback()
def _daypass() -> None:
    """Just-in-time access for AI agents and people on Kubernetes."""


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"daypass.cli.{name}")
    except ModuleNotFoundError as error:
        if error.name == f"daypass.cli.{name}":
            return None
        raise


for _name, _short in (
    ("controller", "Run the operator: make and end grants."),
    ("webhook", "Serve admission: stamp, sign, guard."),
    ("setup", "Make keys, certificates, configurations."),
):
    if _found := _module(_name):
        app.command(_name, short_help=_short)(getattr(_found, _name))
if _found := _module("policy"):
    policy_app.command("check", short_help="Check policies in files.")(_found.check)
    app.add_typer(policy_app, name="policy")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"daypass {__version__}")


def main() -> None:
    """Run; an error that reaches here is a bug and shows its trace, with exit code 1."""
    app()
