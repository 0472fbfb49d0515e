"""How a story is told on a real API server: kubectl commands with their real output, each with what it must show."""

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bed.cluster import Bed

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "demo"
PATIENCE_SECONDS = 45
"""Longest wait for an end: the longest grant of the story, and what the dead-man Job may be late."""
READY = '{.status.conditions[?(@.type=="Ready")].reason}'


class StoryError(Exception):
    """Something did not happen as told; the text says what."""


class Teller:
    """Runs commands as the users of a bed and says what came of it; everything happens in namespace ``demo``."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed

    def ask(self, name: str, user: str, state: str) -> None:
        """Apply an example request and wait for a state."""
        self.run("apply", "-f", example(name), user=user)
        self.state(name, state)

    def answer(self, name: str, user: str, decision: str, comment: str, *, fails: bool = False) -> None:
        """Give a review, as everybody does."""
        review = f'{{"status":{{"review":{{"decision":"{decision}","comment":"{comment}"}}}}}}'
        self.run(
            "patch", "areq", name, "-n", "demo", "--subresource=status", "--type=merge", "-p", review,
            user=user, fails=fails,
        )  # fmt: skip

    def state(self, name: str, state: str) -> None:
        """Wait until a request is in a state."""
        self.until(
            f"{name} is {state}",
            lambda: self.quiet("get", "areq", name, "-n", "demo", "-o", f"jsonpath={READY}") == state,
        )
        say(f"{name}: {state}")

    def policies_ready(self) -> None:
        """Wait until every policy is in force."""
        path = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
        self.until(
            "the policies are ready",
            lambda: set(self.quiet("get", "apol", "-o", f"jsonpath={path}").split("\n")) - {""} == {"True"},
        )

    def run(self, *arguments: str, user: str = "admin", fails: bool = False, shows: str = "") -> str:
        """Run a command, show it and what it says, and stop the story where that is not as told."""
        say(f"\n$ kubectl --context {user} {shlex.join(arguments)}")
        done = self.bed.kubectl(*arguments, user=user, check=False)
        output = done.stdout + done.stderr
        say(output.rstrip())
        if (done.returncode != 0) is not fails:
            message = f"that should have {'failed' if fails else 'worked'}"
            raise StoryError(message)
        if shows not in output:
            message = f"that should have shown {shows!r}"
            raise StoryError(message)
        return output

    def quiet(self, *arguments: str) -> str:
        """What a command says, without telling."""
        return self.bed.kubectl(*arguments).stdout.strip()

    def until(self, what: str, came_true: Callable[[], bool]) -> None:
        """Wait for something to come true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not came_true():
            if time.monotonic() > deadline:
                message = f"waited {PATIENCE_SECONDS} s in vain until {what}"
                raise StoryError(message)
            time.sleep(0.2)


def example(name: str) -> str:
    """The path of an example of the demo, short where it can be."""
    file = EXAMPLES / f"{name}.yaml"
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def title(number: str, text: str) -> None:
    """Begin a chapter."""
    say(f"\n== {number}. {text}")


def say(text: str) -> None:
    """Tell a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
