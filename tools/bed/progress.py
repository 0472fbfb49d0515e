"""What a person sees while the bed works: one line a step, with the time that long ones took."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_HEARTBEAT_SECONDS = 20.0


def say(text: str) -> None:
    """One line on standard error, at once (standard output belongs to the command)."""
    print(f"bed: {text}", file=sys.stderr, flush=True)  # noqa: T201 - it is what this module is for


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins, that it is still going on every 20 s, and how long it took."""
    say(f"{text} …")
    begun = time.monotonic()
    over = threading.Event()

    def heartbeat() -> None:
        while not over.wait(_HEARTBEAT_SECONDS):
            say(f"  … {text}: {time.monotonic() - begun:.0f} s so far")

    thread = threading.Thread(target=heartbeat, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        say(f"{text}: failed after {time.monotonic() - begun:.1f} s")
        raise
    else:
        say(f"{text}: {time.monotonic() - begun:.1f} s")
    finally:
        over.set()
