"""The report's tables of the whole service and of how cost grows."""

from collections.abc import Mapping, Sequence

from benchmarks.results import ApiLoad, Grown, Ratio
from benchmarks.tables import markdown


def api(loads: Sequence[ApiLoad]) -> str:
    """Return a line for each kind of request to the public API."""
    columns = (
        *("request", "in flight", "requests", "errors", "per second", "audio s per s"),
        *("p50 ms", "p95 ms", "p99 ms"),
    )
    return markdown(columns, [_api_cells(one) for one in loads])


def _api_cells(one: ApiLoad) -> tuple[str, ...]:
    result, audio = one.result, one.result.audio_seconds_per_second
    percentiles = (result.p50_ms, result.p95_ms, result.p99_ms)
    return (
        one.modality,
        str(one.in_flight),
        str(result.requests),
        str(result.errors),
        f"{result.per_second:.1f}",
        f"{audio:.1f}" if audio else "",
        *(f"{value:.1f}" for value in percentiles),
    )


def ratios(found: Sequence[Ratio]) -> str:
    """Return a line for each pair that was measured in turn."""
    columns = ("ratio", "of", "median", "varied by", "rounds")
    return markdown(columns, [_ratio_cells(one) for one in found], words=2)


def _ratio_cells(one: Ratio) -> tuple[str, ...]:
    rounds = ", ".join(f"{value:.1f} / {base:.1f}" for value, base in one.rounds)
    return one.name, one.unit, f"{one.median():.2f}", f"{one.spread():.0%}", rounds


def memory(by_process_mb: Mapping[str, float]) -> str:
    """Return a line for each process, and the sum."""
    rows = [(name, f"{mb:.0f}") for name, mb in by_process_mb.items()]
    total = f"{sum(by_process_mb.values()):.0f}"
    return markdown(("process", "MB (PSS)"), [*rows, ("all", total)])


def growth(found: Sequence[Grown]) -> str:
    """Return a line for each value of what is varied."""
    columns = ("varied", "value", "requests per second", "audio s per s", "memory MB", "of which")
    return markdown(columns, [_growth_cells(one) for one in found])


def _growth_cells(one: Grown) -> tuple[str, ...]:
    audio = one.audio_seconds_per_second
    parts = ", ".join(f"{name} {memory:.0f}" for name, memory in one.memory_mb.items())
    return (
        one.varied,
        f"{one.value:g}",
        f"{one.per_second:.2f}",
        "" if audio is None else f"{audio:.2f}",
        f"{sum(one.memory_mb.values()):.0f}",
        parts,
    )
