"""Processes of the bed: started, killed, waited for, and never left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)
_spawner = ThreadPoolExecutor(1, thread_name_prefix="bed-spawner")
"""All processes are started by one thread that lives as long as we do: the death signal is sent when the *thread*
that started a child ends, and a test may call ``start`` from a thread of its own."""


class NotReadyError(AssertionError):
    """A process did not become ready in time, or died; the text ends with its log."""


class Process:
    """One process: the same command, started as often as wanted. Linux kills it when we die, even by SIGKILL."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.log_file = log
        self._ready = ready
        self._environment = environment
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything written so far, over all starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._running.pid if self._running and self._running.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How the last run ended (negative: by that signal); None while running or never started."""
        return self._running.poll() if self._running else None

    def start(self) -> None:
        """Start it; does nothing while it runs. Call ``wait_ready`` after it."""
        if self.pid is None:
            self._running = _spawner.submit(self._spawn).result()

    def wait_ready(self, timeout: float = 120.0) -> None:
        """Return once it says that it is ready; raises NotReadyError with the end of its log."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.pid is None:
                message = f"{self.command[0]} ended with {self.exit_code}:\n{self.log[-3000:]}"
                raise NotReadyError(message)
            if self._ready():
                return
            time.sleep(0.05)
        message = f"{self.command[0]} not ready after {timeout:.0f} s:\n{self.log[-3000:]}"
        raise NotReadyError(message)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._signal(signal.SIGKILL, 10.0)

    def terminate(self, timeout: float = 30.0) -> int:
        """SIGTERM, wait, and return the exit code; SIGKILL after the timeout."""
        self._signal(signal.SIGTERM, timeout)
        code = self.exit_code
        return code if code is not None else 0

    def pause(self) -> None:
        """SIGSTOP: alive but silent, as a process whose machine hangs."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGCONT)

    def _signal(self, number: signal.Signals, timeout: float) -> None:
        if self._running is None:
            return
        self._running.send_signal(number)
        try:
            self._running.wait(timeout)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - two system calls, no lock taken
            )


def _die_with_parent() -> None:
    if sys.platform == "linux":  # elsewhere a harness that is killed by SIGKILL leaves its children
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgrp()  # Ctrl-C at the terminal goes to the harness alone, which ends its children in order
