"""``python -m bench``: run the figures, print each beside its goal, write them to ``docs/performance.md``.

``--grants N`` for fewer than 1,000; ``--rounds N`` for more than one burst of approvals (P6); ``--only P5`` for one;
``--no-write`` leaves the document as it is.
"""

import argparse
import asyncio
import importlib
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bench import grants, writes
from bench.figures import Figure, table
from bench.scene import Scene

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "performance.md"
REMARKS = Path(__file__).with_name("remarks.md")
ON_A_BED = ("P5", "P6", "P7", "P10")


async def _on_a_bed(only: set[str], count: int, rounds: int) -> list[Figure]:
    figures: list[Figure] = []

    def report(*found: Figure) -> None:
        figures.extend(found)
        for one in found:
            print(f"{one.number:4} {one.what}: {one.measured}   [goal {one.goal}]", flush=True)

    async with Scene.open() as scene:
        if "P10" in only:
            report(*await writes.whole_life(scene))
        if "P5" in only:
            report(await grants.one_approval(scene))
        if "P7" in only:
            report(await grants.one_end(scene))
        if "P6" in only:
            report(*await grants.many_approvals(scene, count, rounds))
        if "P7" in only:
            report(await grants.many_ends(scene, count))
    return figures


def _decisions() -> Iterable[Figure]:
    """P3 is a pure function, measured in ``decide.py``."""
    for figure in importlib.import_module("bench.decide").figures():
        print(f"{figure.number:4} {figure.what}: {figure.measured}   [goal {figure.goal}]", flush=True)
        yield figure


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores ({model or platform.machine()}), Python {platform.python_version()}"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607

    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain", "-uno") else "")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--grants", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=("P3", *ON_A_BED))
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    only = set(options.only or ("P3", *ON_A_BED))
    before = f"{os.getloadavg()[0]:.1f}"
    figures = list(_decisions()) if "P3" in only else []
    if only & set(ON_A_BED):
        figures += asyncio.run(_on_a_bed(only, options.grants, options.rounds))
    print("\n" + table(figures))
    if not options.no_write:
        head = (
            "# Performance\n\n"
            "Written by `make bench`: API server, etcd, controller, webhook and the load itself share the machine.\n\n"
            f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {_machine()}, load average {before} before.\n\n"
        )
        DOCUMENT.write_text(head + table(figures) + REMARKS.read_text())


if __name__ == "__main__":
    main()
