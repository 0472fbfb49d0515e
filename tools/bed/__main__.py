"""``python -m bed``: binaries, up, down, demo (``make`` calls it)."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bed import binaries, keeper
from bed.cluster import Bed
from bed.endpoint import RefusedError
from bed.folders import REPOSITORY
from bed.gobuild import BuildError
from bed.install import InstallError
from bed.processes import NotReadyError
from bed.progress import say, step

_USE = """
Daypass is running. Use it from this folder:

  . .bed/env                         # sets KUBECONFIG, and PATH to kubectl, helm and daypass
  kubectl config get-contexts        # admin; alice, erin (developers); bob, carol, dave (approvers); agent
  kubectl --context agent apply -f examples/demo/fix-checkout.yaml
  kubectl get areq -A

The agent is the ServiceAccount demo/agent; the policies are those of examples/demo/policies.yaml.
Logs are in .bed/run. Stop it, leaving nothing behind: make down
"""


def main() -> int:
    """Run one command; 0 when it did what it says."""
    commands: dict[str, tuple[Callable[[], int], str]] = {
        "binaries": (_binaries, "find, download or build the control plane's binaries"),
        "up": (_up, "leave a cluster with Daypass running; says how to use it"),
        "down": (_down, "stop it"),
        "demo": (_demo, "tell the main job on a cluster of its own"),
        "keep": (_keep, "what 'up' starts"),
    }
    parser = argparse.ArgumentParser(prog="python -m bed", description=__doc__)
    added = parser.add_subparsers(dest="command", required=True)
    for name, (_, text) in commands.items():
        added.add_parser(name, help=text)
    run, _ = commands[parser.parse_args().command]
    try:
        return run()
    except (BuildError, InstallError, NotReadyError, RefusedError) as error:
        say(f"failed: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _binaries() -> int:
    found = binaries.locate()
    say(f"binaries are in {found.kube_apiserver.parent}")
    return 0


def _up() -> int:
    if keeper.running():
        say("already running")
    else:
        binaries.locate()
        with step("starting a control plane with Daypass"):
            keeper.up()
    sys.stdout.write(_USE.replace(".bed", _shown(keeper.HOME)))
    return 0


def _shown(path: Path) -> str:
    """As a person in the clone would type it."""
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)


def _down() -> int:
    say("stopped" if keeper.down() else "nothing was running")
    return 0


def _keep() -> int:
    keeper.keep()
    return 0


def _demo() -> int:
    from bed import demo, demo_gate, telling  # noqa: PLC0415 - the stories are told by this command alone

    binaries.locate()
    with step("starting a control plane"):
        bed = Bed.launch()
    try:
        with step("installing Daypass with its chart, and starting controller and webhook"):
            bed.install()
            bed.start()
        demo.tell(bed)
        demo_gate.tell(bed)
        telling.say("\nThat was Daypass. `make up` leaves such a cluster running for you to try.")
    except telling.StoryError as error:
        say(f"the story did not come true: {error}\n{bed.logs()}")
        return 1
    finally:
        bed.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
