"""Drives the load generator (``load/``, Go and its standard library): it measures, and is not what is measured."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from bed.folders import cache

SOURCE: Final = Path(__file__).with_name("load")
SERVER_CORE: Final = 0
CLIENT_CORE: Final = max(os.sched_getaffinity(0))
"""The last core is the load's; with one core alone they share it."""


class LoadError(Exception):
    """The generator failed, or what it called did; the text says how."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send; ``rate`` 0 means that each connection sends on as soon as it has its answer."""

    address: str
    authority: Path
    path: str
    bodies: Sequence[Path]
    wanted: Sequence[str]
    """Of each body, what a good answer to it holds."""
    connections: int
    seconds: float
    rate: float = 0.0
    warm_seconds: float = 1.0
    mark: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it; times in seconds, ``cpu`` is the generator's share of its core."""

    answers: int
    all_answers: int
    """Those while warming up too."""
    rate: float
    p50: float
    p99: float
    max: float
    cpu: float


class Generator:
    """The program, built when it is first needed."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary

    @classmethod
    def built(cls) -> Self:
        """From the sources beside this file; nothing is downloaded."""
        go = shutil.which("go")
        if go is None:
            message = "the load generator is built with Go, and there is none: see CONTRIBUTING.md"
            raise LoadError(message)
        binary = cache() / "bench" / "load"
        binary.parent.mkdir(parents=True, exist_ok=True)
        settings = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GOPROXY": "off"}
        partial = binary.with_name(f".{binary.name}.{os.getpid()}")  # another run may use the one that is there
        command = [go, "build", "-trimpath", "-o", str(partial), "."]
        done = subprocess.run(
            command, cwd=SOURCE, env=os.environ | settings, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            message = f"go build of the load generator failed:\n{done.stderr[-2000:]}"
            raise LoadError(message)
        return cls(partial.rename(binary))

    async def run(self, plan: Plan, *, pinned: bool = True) -> Result:
        """Send, on the load's own core or on all; raises LoadError where an answer is none that the plan wants.

        A run in which nothing was answered at all is done once more: the machine had no time for it.
        """
        found = await self._result(plan, pinned=pinned)
        if not found["Failures"] and not found["Answers"]:
            found = await self._result(plan, pinned=pinned)
        if found["Failures"]:
            message = f"{found['Failures']} calls failed, the first one with {found['Failure']}"
            raise LoadError(message)
        if not found["Answers"]:
            message = f"no call was answered within {plan.seconds:g} s, twice: is the machine busy?"
            raise LoadError(message)
        return Result(*(found[name] for name in ("Answers", "All", "Rate", "P50", "P99", "Max", "CPU")))

    async def _result(self, plan: Plan, *, pinned: bool) -> dict[str, Any]:
        text = json.dumps({_field(name): value for name, value in asdict(plan).items()}, default=_plain)
        process = await self._start(CLIENT_CORE if pinned else None, "run")
        out, error = await process.communicate(text.encode())
        if process.returncode != 0:
            message = f"the load generator failed: {error.decode()}"
            raise LoadError(message)
        return dict(json.loads(out))

    async def serve(self, certificate: Path, key: Path, answer: Path) -> tuple[asyncio.subprocess.Process, str]:
        """The least server, on the core of the server; gives its process, to be ended, and its address."""
        process = await self._start(SERVER_CORE, "serve", "127.0.0.1:0", str(certificate), str(key), str(answer))
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 10)
        return process, line.decode().strip()

    async def _start(self, core: int | None, *arguments: str) -> asyncio.subprocess.Process:
        before = os.sched_getaffinity(0)
        if core is not None:
            os.sched_setaffinity(0, {core})
        try:
            return await asyncio.create_subprocess_exec(
                str(self._binary),
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | ({"GOMAXPROCS": "1"} if core is not None else {}),
            )
        finally:
            os.sched_setaffinity(0, before)


def _field(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else list(value)  # type: ignore[call-overload]
