"""Measurements as a table for people and as JSON for programs."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.analyzer import Latency

_COLUMNS = (
    "model",
    "in flight",
    "requests",
    "per second",
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
    return (
        measurement.model,
        str(measurement.concurrency),
        str(latency.requests),
        f"{latency.per_second:.1f}",
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


def machine() -> dict[str, str]:
    """Return what the figures depend on besides the code."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory()}",
        "GPU": _gpu(),
        "versions": ", ".join(
            [f"Python {platform.python_version()}"]
            + [f"{name} {version(name)}" for name in ("onnxruntime", "tritonclient")]
        ),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{total / 2**30:.0f} GiB memory"


def _gpu() -> str:
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return ", ".join(listed.stdout.split("\n")[:-1])


def write(folder: Path, measurements: Sequence[Measurement], facts: dict[str, Any]) -> Path:
    """Write NAME.json and NAME.md and return the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / datetime.now(UTC).strftime("service-%Y%m%d-%H%M%S.md")
    lines = [f"- {line}" for line in notes(facts)]
    path.write_text("\n".join([table(measurements), "", *lines, ""]))
    content = {"facts": facts, "measurements": [asdict(m) for m in measurements]}
    path.with_suffix(".json").write_text(json.dumps(content, indent=2) + "\n")
    return path
