"""Measurements as a table for people and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.analyzer import Latency

_COLUMNS = (
    "model",
    "in flight",
    "requests",
    "per second",
    "audio s per s",
    "varied by",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "rows per execution",
)


@dataclass(frozen=True)
class Measurement:
    """One line of the table."""

    model: str
    concurrency: int
    latency: Latency
    batches: dict[str, float]
    """Mean rows of an execution, by the classifier that formed it."""
    protocol: str = "grpc"
    rate_per_s: float | None = None
    """Requests were sent at this rate, not so many kept in flight."""
    audio_s_per_s: float | None = None
    """Seconds of speech for each second, None without speech."""
    gpu_busy: float | None = None
    """Mean of what nvidia-smi said meanwhile, None without a GPU."""


def table(measurements: Sequence[Measurement]) -> str:
    """Return a Markdown table with aligned columns."""
    rows = [_COLUMNS, *(_cells(measurement) for measurement in measurements)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    head, *body = [_line(row, widths) for row in rows]
    rule = "".join(f"{'-' * (width + 1)}:|" for width in widths[1:])
    return "\n".join([head, f"|{'-' * (widths[0] + 2)}|{rule}", *body])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name = row[0].ljust(widths[0])
    figures = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return f"| {' | '.join([name, *figures])} |"


def _cells(measurement: Measurement) -> tuple[str, ...]:
    latency = measurement.latency
    batches = ", ".join(
        f"{name.removesuffix('_classifier')} {rows:.2f}"
        for name, rows in measurement.batches.items()
    )
    rate, audio = measurement.rate_per_s, measurement.audio_s_per_s
    return (
        measurement.model + (", HTTP" if measurement.protocol == "http" else ""),
        str(measurement.concurrency) if rate is None else f"{rate:.2f} per second",
        str(latency.requests),
        f"{latency.per_second:.1f}",
        "" if audio is None else f"{audio:.1f}",
        f"{latency.spread:.0%}",
        f"{latency.p50_ms:.1f}",
        f"{latency.p95_ms:.1f}",
        f"{latency.p99_ms:.1f}",
        batches,
    )


def notes(facts: dict[str, Any]) -> list[str]:
    """Return what a reader of the table must know."""
    return [
        *(f"{name}: {value}" for name, value in facts.items()),
        "varied by: the fastest of three windows less the slowest, by their mean",
        "rows per execution: how many requests a classifier took at a time, on average",
    ]


def gpu_facts(measurements: Sequence[Measurement]) -> dict[str, str]:
    """Return how busy the GPU was under each load that was put on one."""
    return {
        f"GPU busy, {one.model} over {one.protocol}, "
        f"{one.concurrency or 'rate'} in flight": f"{one.gpu_busy:.0%}"
        for one in measurements
        if one.gpu_busy is not None
    }


def write(folder: Path, measurements: Sequence[Measurement], facts: dict[str, Any]) -> Path:
    """Write NAME.json and NAME.md and return the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / datetime.now(UTC).strftime("service-%Y%m%d-%H%M%S.md")
    lines = [f"- {line}" for line in notes(facts)]
    path.write_text("\n".join([table(measurements), "", *lines, ""]))
    content = {"facts": facts, "measurements": [asdict(m) for m in measurements]}
    path.with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n")
    return path
