"""The measuring command, run for real against the running system."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from benchmarks.inputs import SENTENCES, cut_clips, read_clips, read_sentences
from benchmarks.server import Counts, mean_batches
from benchmarks.service import app
from ensemble.audio import decode
from ensemble.clips import SAMPLE_RATE_HZ
from serving.ports import free_ports
from tests.conftest import Stack

COMMAND = [sys.executable, "-m", "benchmarks.service"]


def measure(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("protocol", "model", "classifiers"),
    [
        ("http", "emotion_text", {"text_classifier"}),
        pytest.param(
            "grpc",
            "emotion_multimodal",
            {"text_classifier", "audio_classifier"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_it_measures_a_running_triton(
    stack: Stack, tmp_path: Path, protocol: str, model: str, classifiers: set[str]
) -> None:
    url = stack.triton_grpc if protocol == "grpc" else stack.triton_http
    target = ["--url", url, "--protocol", protocol, "--model", model]
    result = measure(*target, "--concurrency", "2", "--seconds", "0.5", "--output", str(tmp_path))
    assert result.returncode == 0, result.stderr
    (written,) = tmp_path.glob("*.json")
    content = json.loads(written.read_text())
    assert "starter weights" in content["facts"]["text"]
    assert f"over {protocol}" in content["facts"]["Triton"]
    (measured,) = content["measurements"]
    assert (measured["model"], measured["concurrency"]) == (model, 2)
    latency = measured["latency"]
    assert latency["requests"] > 0
    assert latency["per_second"] > 0
    assert 0 < latency["p50_ms"] <= latency["p95_ms"] <= latency["p99_ms"]
    assert set(measured["batches"]) == classifiers
    assert all(rows >= 1 for rows in measured["batches"].values())
    (row,) = [line for line in result.stdout.splitlines() if line.startswith(f"| {model}")]
    assert f"{latency['p99_ms']:.1f}" in row
    assert result.stdout.startswith(written.with_suffix(".md").read_text().splitlines()[0])


@pytest.mark.slow
def test_without_an_address_it_starts_a_triton_of_its_own(tmp_path: Path) -> None:
    options = ["--model", "emotion_text", "--concurrency", "1", "--seconds", "0.3"]
    result = measure(*options, "--output", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "Starting Triton" in result.stderr
    assert "starter weights" in result.stdout
    assert len(list(tmp_path.glob("*.md"))) == 1


def test_ctrl_c_stops_what_it_started(stack: Stack, tmp_path: Path) -> None:
    options = ["--url", stack.triton_grpc, "--seconds", "60", "--output", str(tmp_path)]
    process = subprocess.Popen([*COMMAND, *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    while "in flight" not in process.stderr.readline():
        assert process.poll() is None
    children: list[psutil.Process] = []
    while not children:
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    process.stderr.close()
    psutil.wait_procs(children, timeout=5)
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "emotion_smell"], "emotion_smell"),
        (["--concurrency", "0"], "whole numbers from 1"),
        (["--concurrency", "many"], "whole numbers from 1"),
        (["--clips", "EMPTY"], "no recording"),
    ],
)
def test_a_wrong_option_is_explained(options: list[str], said: str, tmp_path: Path) -> None:
    given = [str(tmp_path) if option == "EMPTY" else option for option in options]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2
    assert said in result.output


def test_a_triton_that_is_away_is_one_message() -> None:
    (closed,) = free_ports(1)
    result = measure("--url", f"127.0.0.1:{closed}")
    assert result.returncode == 1
    assert "benchmarks.service: " in result.stderr
    assert "Traceback" not in result.stderr


def test_clips_are_of_the_lengths_said_and_the_same_every_time() -> None:
    clips = cut_clips()
    assert [clip.encoded for clip in clips] == [clip.encoded for clip in cut_clips()]
    lengths_s = sorted(len(decode(clip.encoded)) / SAMPLE_RATE_HZ for clip in clips)
    assert (lengths_s[0], lengths_s[-1]) == (1.0, 12.0)
    assert lengths_s == pytest.approx(sorted(clip.seconds for clip in clips), abs=0.001)


def test_recordings_of_a_folder_are_taken_and_other_files_left(tmp_path: Path) -> None:
    clip = cut_clips()[0]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.wav").write_bytes(clip.encoded)
    (tmp_path / "notes.txt").write_text("no recording")
    (found,) = read_clips(tmp_path)
    assert found.encoded == clip.encoded


def test_sentences_have_3_to_60_words() -> None:
    lengths = [len(sentence.split()) for sentence in read_sentences()]
    assert min(lengths) == 3
    assert max(lengths) <= 60
    assert len(lengths) == len(set(SENTENCES.read_text().splitlines()))


def test_batches_are_rows_by_executions_of_the_time_between() -> None:
    before = {"a": Counts(10, 10), "b": Counts(5, 5)}
    after = {"a": Counts(40, 20), "b": Counts(5, 5)}
    assert mean_batches(before, after) == {"a": 3.0}
