"""A figure beside its goal, and the table of them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; ``met`` is None where only a reader can tell."""

    number: str
    what: str
    measured: str
    goal: str
    met: bool | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies, nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], unit: str = "ms", scale: float = 1000.0) -> str:
    """Median and tail, with the extremes."""
    middle, tail = statistics.median(values) * scale, percentile(values, 0.99) * scale
    least, most = min(values) * scale, max(values) * scale
    return f"p50 {middle:.3g} {unit}, p99 {tail:.3g} {unit} (min {least:.3g}, max {most:.3g}, n {len(values)})"


def of_runs(values: Sequence[float], unit: str, scale: float = 1.0) -> str:
    """Median of the runs, with the extremes."""
    middle, least, most = (of(values) * scale for of in (statistics.median, min, max))
    several = f" ({least:.3g} to {most:.3g}, {len(values)} runs)" if len(values) > 1 else ""
    return f"{middle:,.0f}{unit}{several}" if middle >= 1000 else f"{middle:.3g}{unit}{several}"


def say(*found: Figure) -> tuple[Figure, ...]:
    """Print each as it comes; gives them back."""
    for one in found:
        print(f"{one.number:4} {one.what}: {one.measured}" + f"   [goal {one.goal}]" * bool(one.goal), flush=True)
    return found


def table(figures: Iterable[Figure]) -> str:
    """In Markdown."""
    head = "| id | what | measured | goal | met |\n|---|---|---|---|---|\n"
    words = {True: "yes", False: "no", None: ""}
    return head + "".join(
        f"| {one.number} | {one.what} | {one.measured} | {one.goal} | {words[one.met]} |\n" for one in figures
    )
