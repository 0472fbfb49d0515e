"""``daypass``: one command, whose processes share one image and none of each other's imports.

The modules of the commands hold options and texts only; what a command needs it imports when it runs, so that
``daypass webhook`` does not pay for kopf (59 MiB) and ``daypass --help`` answers at once.
"""

import typer

from daypass import __version__
from daypass.cli.controller import controller
from daypass.cli.digest import digest
from daypass.cli.policy import check
from daypass.cli.setup import setup
from daypass.cli.webhook import webhook

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

app.command(short_help="Run the operator: grants, gates, held pods.")(controller)
app.command(short_help="Serve admission: reviews, gates, policies.")(webhook)
app.command(short_help="Make keys, certificates, configurations.")(setup)
app.command(short_help="Digests of manifests, for requests.")(digest)
policy_app.command(short_help="Check policies in files.")(check)
app.add_typer(policy_app, name="policy")


@app.callback()
def _daypass() -> None:
    """Approvals for what AI agents and people do on Kubernetes: access for a time, and a gate."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"daypass {__version__}")


def main() -> None:
    """Run; an error that reaches here is a bug and shows its trace, with exit code 1."""
    app()
