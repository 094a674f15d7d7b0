"""NVIDIA's perf_analyzer, as the `tritonclient` wheel carries it."""

import csv
import os
import re
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from benchmarks.analyzer_files import AnalyzerError, analyzer_program

Protocol = Literal["grpc", "http"]
_WARMING = 2
"""Requests before the measurement, besides those that may be in flight at once."""
_LONGEST_WINDOW_S = 20.0
_LIMIT_S = 120.0
"""How long a run may take beyond ten of its windows; the warm-up has none."""
_EMPTY = "No valid requests recorded"
_PASS = re.compile(r"Pass \[\d+\] throughput: ([\d.]+)")
_REQUESTS = re.compile(r"Client: \n\s+Request count: (\d+)")


class _WindowTooShortError(AnalyzerError):
    pass


class _EndlessError(AnalyzerError):
    pass


@dataclass(frozen=True)
class Load:
    """One measurement of three windows: so many in flight all the time, or at a fixed rate."""

    model: str
    concurrency: int
    """Requests in flight; of no meaning with a rate."""
    window_s: float
    rate_per_s: float | None = None


@dataclass(frozen=True)
class Latency:
    """What clients saw."""

    requests: int
    per_second: float
    spread: float
    """By how much of the mean the throughput of the three windows differed."""
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class PerfAnalyzer:
    """perf_analyzer against the Triton at `url`."""

    def __init__(self, url: str, protocol: Protocol, libraries: Path) -> None:
        self._url = url
        self._protocol = protocol
        self._environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}

    def measure(self, load: Load, input_data: Path) -> Latency:
        """Run one measurement after a few requests that nobody counts.

        A window in which nothing ended, because answers come a long batch at a time, is
        doubled.

        Raises:
            AnalyzerError: perf_analyzer failed.
        """
        common = self._common(load, input_data)
        if load.rate_per_s is None:
            # Seen once: all were answered, and it went on to wait for ever. They are warm then.
            with suppress(_EndlessError):
                self._run([*common, "--request-count", str(load.concurrency + _WARMING)], _LIMIT_S)
        window_s = load.window_s
        while True:
            try:
                return self._windows(common, window_s)
            except _WindowTooShortError:
                if window_s > _LONGEST_WINDOW_S:
                    raise
                window_s *= 2

    def _windows(self, common: list[str], window_s: float) -> Latency:
        with tempfile.TemporaryDirectory(prefix="neurosense-bench-") as folder:
            report = Path(folder) / "report.csv"
            # A wide tolerance makes it three windows always; how much they differ is reported.
            windows = ["--measurement-interval", str(int(window_s * 1000))]
            windows += ["--stability-percentage", "100000", "-v", "--verbose-csv"]
            limit_s = 10 * window_s + _LIMIT_S
            output = self._run([*common, *windows, "-f", str(report)], limit_s)
            if not report.exists():
                raise AnalyzerError(f"perf_analyzer measured nothing:\n{output[-2000:]}")
            return _latency(report, output)

    def _common(self, load: Load, input_data: Path) -> list[str]:
        return [
            *("-m", load.model, "-u", self._url, "-i", self._protocol),
            *(_kept_up(load)),
            *("--max-threads", "4", "--async"),
            *("--input-data", str(input_data)),
        ]

    def _run(self, options: list[str], limit_s: float) -> str:
        with subprocess.Popen(
            [analyzer_program(), *options],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to handle
        ) as process:
            try:
                output, _ = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                raise _EndlessError(f"perf_analyzer did not end within {limit_s:.0f} s") from None
            finally:
                if process.poll() is None:
                    process.kill()
        if _EMPTY in output:
            raise _WindowTooShortError(f"in a window nothing was answered:\n{output[-2000:]}")
        if process.returncode:
            raise AnalyzerError(f"perf_analyzer failed:\n{output[-2000:]}")
        return output


def _kept_up(load: Load) -> tuple[str, str]:
    if load.rate_per_s is None:
        return "--concurrency-range", str(load.concurrency)
    return "--request-rate-range", f"{load.rate_per_s:.3f}"


def _latency(report: Path, output: str) -> Latency:
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    requests = _REQUESTS.search(output)
    if len(rows) != 1 or requests is None:
        raise AnalyzerError(f"perf_analyzer's report is not as expected:\n{output[-2000:]}")
    (row,) = rows
    windows = [float(throughput) for throughput in _PASS.findall(output)]
    return Latency(
        requests=int(requests[1]),
        per_second=float(row["Inferences/Second"]),
        spread=(max(windows) - min(windows)) / fmean(windows),
        mean_ms=float(row["Avg latency"]) / 1000,
        p50_ms=float(row["p50 latency"]) / 1000,
        p95_ms=float(row["p95 latency"]) / 1000,
        p99_ms=float(row["p99 latency"]) / 1000,
    )
