"""NVIDIA's perf_analyzer, as the `tritonclient` wheel carries it."""

import csv
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

Protocol = Literal["grpc", "http"]
_PASS = re.compile(r"Pass \[\d+\] throughput: ([\d.]+)")
_REQUESTS = re.compile(r"Client: \n\s+Request count: (\d+)")
# The program asks for them by these names; the wheel of the server has them under others.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


class AnalyzerError(Exception):
    """perf_analyzer could not be found or failed; the message says how."""


@dataclass(frozen=True)
class Load:
    """One measurement: so many requests in flight all the time, for three windows."""

    model: str
    concurrency: int
    window_s: float


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
        """Run one measurement after a few requests that nobody counts."""
        common = self._common(load, input_data)
        with tempfile.TemporaryDirectory(prefix="neurosense-bench-") as folder:
            report = Path(folder) / "report.csv"
            self._run([*common, "--request-count", str(2 * load.concurrency)])
            # A wide tolerance makes it three windows always; how much they differ is reported.
            windows = ["--measurement-interval", str(int(load.window_s * 1000))]
            windows += ["--stability-percentage", "100000", "-v", "--verbose-csv"]
            output = self._run([*common, *windows, "-f", str(report)])
            if not report.exists():
                raise AnalyzerError(f"perf_analyzer measured nothing:\n{output[-2000:]}")
            return _latency(report, output)

    def _common(self, load: Load, input_data: Path) -> list[str]:
        return [
            *("-m", load.model, "-u", self._url, "-i", self._protocol),
            *("--concurrency-range", str(load.concurrency), "--max-threads", "4", "--async"),
            *("--input-data", str(input_data)),
        ]

    def _run(self, options: list[str]) -> str:
        process = subprocess.Popen(
            [_program(), *options],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            output, _ = process.communicate()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            raise AnalyzerError(f"perf_analyzer failed:\n{output[-2000:]}")
        return output


@contextmanager
def analyzer_libraries() -> Iterator[Path]:
    """Give the libraries that perf_analyzer wants, under the names that it wants."""
    with tempfile.TemporaryDirectory(prefix="neurosense-bench-libraries-") as folder:
        for name, pattern in _LIBRARIES.items():
            found = sorted(_wheel_libraries().glob(pattern))
            if not found:
                raise AnalyzerError(f"{pattern} is not in {_wheel_libraries()}")
            (Path(folder) / name).symlink_to(found[0])
        yield Path(folder)


def _wheel_libraries() -> Path:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise AnalyzerError("nvidia-pytriton, whose libraries perf_analyzer needs, is missing")
    return Path(spec.origin).parent.parent / "nvidia_pytriton.libs"


def _program() -> Path:
    program = Path(sys.prefix) / "bin" / "perf_analyzer"
    if not program.exists():
        raise AnalyzerError(f"{program} is missing: install tritonclient's Linux wheel")
    return program


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
