"""The results as a table for people and as a file for programs."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos.result import Result
from benchmarks.tables import markdown

_COLUMNS = (
    "fault",
    "sent",
    "answered",
    "refused",
    "broken",
    "lost",
    "duplicated",
    "no answer for",
    "worst wait",
    "recovered in",
)


def table(results: Sequence[Result]) -> str:
    """Return Markdown: a line for each fault, and below it the promises that were not kept."""
    rows = [_row(result) for result in results]
    broken = [f"- {one.fault}: {what}" for one in results for what in one.broken_promises()]
    return "\n".join([markdown(_COLUMNS, rows), *([""] if broken else []), *broken])


def write(results: Sequence[Result], folder: Path) -> None:
    """Write chaos.md and chaos.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.md").write_text(f"{table(results)}\n")
    content = json.dumps([result.as_json() for result in results], indent=2)
    (folder / "chaos.json").write_text(f"{content}\n")


def _row(result: Result) -> list[str]:
    recovered = "never" if result.recovered_s is None else f"{result.recovered_s:.1f} s"
    return [
        result.what,
        str(result.sent),
        f"{result.answered}" + (f" ({result.degraded} in part)" if result.degraded else ""),
        _by_status(result.refused),
        str(result.broken + result.late),
        str(result.lost),
        str(result.duplicated),
        f"{result.gap_s:.1f} s",
        f"{result.worst_wait_s:.1f} s",
        recovered,
    ]


def _by_status(refused: dict[str, int]) -> str:
    counts: Counter[str] = Counter()
    for status_and_code, count in refused.items():
        counts[status_and_code.split()[0]] += count
    return ", ".join(f"{count} × {status}" for status, count in sorted(counts.items())) or "0"
