"""What measuring on a GPU asks for, where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.plan import FULL, QUICK, on_gpu
from serving.settings import PROJECT


def test_a_gpu_takes_the_largest_batches() -> None:
    rows = {point.rows for point in on_gpu(FULL).points["audio"]}
    assert {1, 32} <= rows
    assert on_gpu(QUICK).device == "cuda"
    assert FULL.device == "cpu"


def test_stages_that_a_gpu_does_not_have_are_named() -> None:
    result = CliRunner().invoke(app, ["--device", "cuda", "--only", "models,growth"])
    assert result.exit_code == 2
    assert "on a GPU there are models, service, peers" in result.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_without_a_gpu_nothing_is_made_first(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "benchmarks", "--device", "cuda", "--work", str(tmp_path / "work")]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "finds no GPU" in done.stderr
    assert not (tmp_path / "work").exists()


def test_a_folder_without_wheels_says_how_it_is_made(tmp_path: Path) -> None:
    script = tmp_path / "code" / "benchmarks" / "gpu_run.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes((PROJECT / "benchmarks" / "gpu_run.sh").read_bytes())
    run = subprocess.run(
        ["sh", str(script)], capture_output=True, text=True, check=False, env=os.environ
    )
    assert run.returncode == 1
    assert "make it with make bench-gpu-folder" in run.stderr
