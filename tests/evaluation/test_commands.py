"""`neurosense evaluate` against the real Triton, and on the files that it serves."""

import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluation.answers import stored
from evaluation.errors import EvaluationError
from evaluation.layouts import read
from export.real_inputs import RECORDINGS
from serving.cli import app
from tests.conftest import NEUROSENSE, Stack

SENTENCES = {
    "I love this!": "joy",
    "I am furious with you": "anger",
    "The meeting is on Monday.": "neutral",
    "I miss her so much.": "sadness",
    "What a disgusting smell": "disgust",
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Sentences, recordings, both, and a recording that is none."""
    (tmp_path / "broken.wav").write_text("no recording\n")
    texts, labels = list(SENTENCES), list(SENTENCES.values())
    clips = [os.path.relpath(file, tmp_path) for file in RECORDINGS[:5]]
    rows = [(text, "", label) for text, label in SENTENCES.items()]
    rows += [("", clip, label) for clip, label in zip(clips, labels, strict=True)]
    rows += list(zip(texts, clips, labels, strict=True))
    rows += [("I love this!", "broken.wav", "joy")]
    file = tmp_path / "rows.csv"
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([("text", "audio", "label"), *rows])
    return file


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [NEUROSENSE, "evaluate", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_served_and_from_files_it_is_the_same(stack: Stack, manifest: Path, tmp_path: Path) -> None:
    served, files = tmp_path / "served", tmp_path / "files"
    done = run(manifest, "--url", stack.triton_grpc, "--out", served)
    assert done.returncode == 0, done.stderr
    assert "rows all: 16 rows" in done.stdout
    assert "it has no disgust: at most accuracy 0.800 and UAR 0.800" in done.stdout
    repository = stack.state_dir / "model_repository"
    done = run(manifest, "--onnx", "--repository", repository, "--out", files, "--against", served)
    assert done.returncode == 0, done.stderr
    report = json.loads((files / "report.json").read_text())
    assert report["parts"]["all"]["not_answered"] == {"audio_undecodable": 1}
    assert report["compared_with"]["results"]["text"]["mcnemar"]["p"] == 1.0
    served_report = json.loads((served / "report.json").read_text())
    assert served_report["parts"]["all"]["served_fusion_differs_by"] < 1e-6
    for item in read(manifest).items:
        one, other = (stored(folder).of(item) for folder in (served, files))
        assert one is not None
        assert other is not None
        assert one.error == other.error
        for branch in ("text", "audio"):
            if (given := getattr(one, branch)) is not None:
                np.testing.assert_allclose(getattr(other, branch), given, atol=1e-3)


def test_without_a_server_it_says_what_to_do(manifest: Path, tmp_path: Path) -> None:
    done = run(manifest, "--url", "127.0.0.1:9", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "neurosense serve" in done.stderr
    assert "--onnx" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_model_it_says_what_to_do(manifest: Path, tmp_path: Path) -> None:
    options = ["--onnx", "--repository", str(tmp_path), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["evaluate", str(manifest), *options])
    assert isinstance(done.exception, EvaluationError)
    assert "holds no text model: publish one" in str(done.exception)


@pytest.mark.parametrize(
    ("command", "example"), [("evaluate", "--layout meld"), ("calibrate", "--branch text")]
)
def test_help_teaches_by_example(command: str, example: str) -> None:
    assert example in CliRunner().invoke(app, [command, "--help"]).stdout
