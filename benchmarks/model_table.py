"""The models alone as a Markdown table."""

from collections.abc import Sequence

from benchmarks.points import OURS, Measured
from benchmarks.tables import markdown

COLUMNS = ("point", "variant", "ms", "quartiles", "over eager", "floor ms", "of floor", "off by")
NOTES = (
    "ms: median over the rounds for the whole batch; quartiles: of the rounds",
    "over eager: how many times as fast as PyTorch eager at the same point, in the same session",
    "floor ms: the least that this machine allows at that precision, by its measured peak of "
    "matrix products and memory bandwidth; of floor: which fraction of it is reached",
    "off by: largest difference of a probability to PyTorch eager's",
)


def table(measured: Sequence[Measured]) -> str:
    """Return a line for every variant at every point."""
    return markdown(COLUMNS, [row for one in measured for row in _rows(one)], words=2)


def notes(measured: Sequence[Measured]) -> list[str]:
    """Return what a reader of the table must know, and why a variant is missing from it."""
    reasons = {f"{name}: {why}" for one in measured for name, why in one.not_run.items()}
    alone = not any(name.startswith(OURS) for one in measured for name in one.timings)
    missing = ["ours: no graph was given (--ours)"] if alone else []
    return [*NOTES, *(f"not run everywhere: {reason}" for reason in [*sorted(reasons), *missing])]


def _rows(one: Measured) -> list[list[str]]:
    return [[str(one.point), name, *_figures(one, name)] for name in one.timings] + [
        [str(one.point), name, "not run", *[""] * (len(COLUMNS) - 3)] for name in one.not_run
    ]


def _figures(one: Measured, name: str) -> list[str]:
    timing, floor_s, reached = one.timings[name], one.floor_s(name), one.reached(name)
    ratio = one.over_eager(name)
    return [
        f"{timing.median_s * 1e3:.1f}",
        f"{timing.low_s * 1e3:.1f} to {timing.high_s * 1e3:.1f}",
        "" if ratio is None else f"{ratio:.2f}",
        "" if floor_s is None else f"{floor_s * 1e3:.1f}",
        "" if reached is None else f"{reached:.0%}",
        f"{one.differences[name]:.0e}",
    ]
