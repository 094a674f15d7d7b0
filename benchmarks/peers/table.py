"""The comparison as a Markdown table."""

from collections.abc import Sequence
from statistics import median

from benchmarks.peers.compared import CLASSIC, Compared

_COLUMNS = (
    "server",
    "per second",
    "varied by",
    "over classic",
    "audio s per s",
    "p50 ms",
    "p99 ms",
    "p99 ms at rate",
    "memory MB",
    "off by",
)


def table(compared: Sequence[Compared]) -> str:
    """Return a line for every server: medians over the rounds."""
    classic = next((one for one in compared if one.name == CLASSIC and one.rounds), None)
    base = classic.per_second() if classic else None
    lines = [_cells(one, base) if one.rounds else _unmeasured(one) for one in compared]
    rule = ["---", *("--:" for _ in _COLUMNS[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [_COLUMNS, rule, *lines])


def notes(compared: Sequence[Compared]) -> list[str]:
    """Return what a reader of the table must know."""
    rates = {figures.rate_per_s for one in compared for figures in one.rounds} - {None}
    failed = [f"{one.name} was left out: {one.failed}" for one in compared if one.failed]
    return [
        "medians over the rounds; varied by: the fastest round less the slowest, by their mean",
        *(f"the last p99 is at {rate:.2f} requests per second" for rate in rates),
        "memory: PSS of all its processes after the load, pages shared between them counted once",
        "off by: largest difference of a score to PyTorch's, asked one at a time",
        *failed,
    ]


def _cells(one: Compared, base: float | None) -> list[str]:
    p99, memory = one.p99_ms(), one.resident_mb()
    return [
        one.name,
        f"{one.per_second():.2f}",
        f"{one.spread():.0%}" if len(one.rounds) > 1 else "",
        f"{one.per_second() / base:.2f}" if base else "",
        f"{median(figures.closed.audio_seconds_per_second for figures in one.rounds):.2f}",
        f"{median(figures.closed.p50_ms for figures in one.rounds):.0f}",
        f"{median(figures.closed.p99_ms for figures in one.rounds):.0f}",
        f"{p99:.0f}" if p99 is not None else "",
        f"{memory:.0f}" if memory is not None else "",
        f"{max(figures.difference for figures in one.rounds):.1e}",
    ]


def _unmeasured(one: Compared) -> list[str]:
    return [one.name, "not measured", *("" for _ in _COLUMNS[2:])]
