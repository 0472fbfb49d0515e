"""``python -m bench``: run the figures, print each beside its goal, write them to ``docs/performance.md``.

``P4`` or ``P1 P2`` for these alone, which writes nothing; ``--grants N`` for fewer than 1,000 grants; ``--rounds N`` for
more than one burst of approvals (P6); ``--no-write`` leaves the document as it is.
"""

import argparse
import asyncio
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bench import admission, creates, decide, grants, holds, judging, writes
from bench.figures import Figure, say, table
from bench.scene import Scene

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "performance.md"
REMARKS = Path(__file__).with_name("remarks.md")
ON_A_BED = ("P5", "P6", "P7", "P10", "P13")
ALONE = ("P1", "P2", "P8")
"""Of the webhook alone, before an API server on paper."""
ALL = ("P3", *ALONE, "P4", *ON_A_BED)


async def _on_a_bed(only: set[str], count: int, rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    async with Scene.open() as scene:
        if "P10" in only:
            figures += say(*await writes.whole_life(scene))
        if "P13" in only:
            figures += say(*await holds.figures(scene))
        if "P5" in only:
            figures += say(await grants.one_approval(scene))
        if "P7" in only:
            figures += say(await grants.one_end(scene))
        if "P6" in only:
            figures += say(*await grants.many_approvals(scene, count, rounds))
        if "P7" in only:
            figures += say(await grants.many_ends(scene, count))
    return figures


def _decisions() -> Iterable[Figure]:
    """P3 is a pure function, measured in ``decide.py`` and, of admission, in ``judging.py``."""
    for found in (decide.figures(), judging.figures()):
        for figure in found:
            yield from say(figure)


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
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"one of {', '.join(ALL)}; all by default")
    parser.add_argument("--grants", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    unknown = [one for one in options.figures if one not in ALL]
    if unknown:
        parser.error(f"{unknown[0]} is none of {', '.join(ALL)}")
    only = set(options.figures or ALL)
    before = f"{os.getloadavg()[0]:.1f}"
    figures = list(_decisions()) if "P3" in only else []
    if only & set(ALONE):
        figures += asyncio.run(admission.figures(only))
    if "P4" in only:
        figures += asyncio.run(creates.figures())
    if only & set(ON_A_BED):
        figures += asyncio.run(_on_a_bed(only, options.grants, options.rounds))
    print("\n" + table(figures))
    if only == set(ALL) and not options.no_write:
        head = (
            "# Performance\n\n"
            "Written by `make bench`: API server, etcd, controller, webhook and the load itself share the machine.\n\n"
            f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {_machine()}, load average {before} before.\n\n"
        )
        DOCUMENT.write_text(head + table(figures) + REMARKS.read_text())


if __name__ == "__main__":
    main()
