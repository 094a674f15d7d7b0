"""A promise that was not kept is exit code 1, after the results are written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks import overload
from benchmarks.log_cost import LogCost

COSTS = [LogCost(clients, [98.0], [100.0], [12.0], [10.0]) for clients in (8, 32)]


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
        "measure_log_cost": lambda *_: COSTS,
    }.items():
        monkeypatch.setattr(overload, name, value)
    done = CliRunner().invoke(overload._app, ["--output", str(tmp_path)])
    assert done.exit_code == code, done.output
    [folder] = tmp_path.iterdir()
    assert ("| no |" in " ".join((folder / "overload.md").read_text().split())) == bool(code)
    assert (folder / "overload.json").exists()
