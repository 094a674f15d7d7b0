"""A promise that was not kept is exit code 1, after the results are written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from typer.testing import CliRunner

from benchmarks import overload
from benchmarks.log_cost import LogCost, median_of

COST = LogCost([98.0], [100.0], [12.0], [10.0], 2.0)


@pytest.mark.parametrize(("goodput_per_s", "code"), [(95.0, 0), (80.0, 1)])
def test_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goodput_per_s: float, code: int
) -> None:
    @contextlib.contextmanager
    def stack(*_: Any, **__: Any) -> Iterator[Any]:
        yield SimpleNamespace(api_url="", memory_mb=dict)

    seen = overload.Overload(100.0, 50.0, 500.0, goodput_per_s, 80.0, 10, 9.0, {}, [1.0, 1.0])
    for name, value in {
        "prepare": lambda *_: SimpleNamespace(state=Path),
        "best_stack": stack,
        "measure_overload": lambda *_: seen,
        "measure_log_cost": lambda *_: COST,
    }.items():
        monkeypatch.setattr(overload, name, value)
    done = CliRunner().invoke(overload._app, ["--output", str(tmp_path)])
    assert done.exit_code == code, done.output
    [folder] = tmp_path.iterdir()
    assert ("| no |" in " ".join((folder / "overload.md").read_text().split())) == bool(code)
    assert (folder / "overload.json").exists()


@pytest.mark.parametrize(
    ("seconds", "median_s"), [([0.004] * 4, 0.0035), ([0.004, 0.004, 0.02], 0.004), ([60.0], 1.0)]
)
def test_the_median_of_a_histogram(seconds: list[float], median_s: float) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("a_b_seconds", "x", buckets=(0.002, 0.005, 0.03, 1.0), registry=registry)
    for one in seconds:
        histogram.observe(one)
    found = median_of(generate_latest(registry).decode(), "a_b_seconds")
    assert found == pytest.approx(median_s, abs=6e-4)
