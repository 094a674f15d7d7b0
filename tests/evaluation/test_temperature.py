"""The fitted temperature is the likeliest one, and the graph applies exactly it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from evaluation.calibration import ece, log_loss
from evaluation.metrics import Floats, Ints
from evaluation.temperature import cooled, fit
from export import manifest as manifests
from export.calibrated import calibrate_starter, publish_calibrated
from export.manifest import Branch
from export.parity import run
from export.starter import STARTERS, publish_starter
from export.temperature import apply
from tests.conftest import NEUROSENSE, stack_environment

CALIBRATION = {"temperature": 1.7, "data": "made up"}
BRANCHES = ("text", "audio")


def made_up(sharpness: float, rows: int = 4000) -> tuple[Ints, Floats, Floats]:
    """Return truth, logits and probabilities that are `sharpness` times too sure."""
    random = np.random.default_rng(4)
    logits = 2 * random.standard_normal((rows, 7))
    truth = np.array([random.choice(7, p=p) for p in softmax(logits, axis=1)])
    return truth, sharpness * logits, softmax(sharpness * logits, axis=1)


def test_it_is_the_logits_divided() -> None:
    _, logits, probabilities = made_up(2)
    np.testing.assert_allclose(cooled(probabilities, 1.3), softmax(logits / 1.3, axis=1))
    assert (cooled(probabilities, 9).argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_what_a_model_does_not_have_stays_at_zero() -> None:
    given = cooled(np.array([[0.9, 0.1, 0.0], [1.0, 0.0, 0.0]]), 2.0)
    np.testing.assert_allclose(given, [[0.75, 0.25, 0.0], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_the_fit_is_the_likeliest_and_calibrates(sharpness: float) -> None:
    truth, logits, probabilities = made_up(sharpness)
    found = fit(truth, probabilities)
    reference = minimize_scalar(
        lambda t: log_loss(truth, softmax(logits / t, axis=1)), bounds=(0.05, 20), method="bounded"
    )
    assert found == pytest.approx(reference.x, rel=1e-3)
    assert found == pytest.approx(sharpness, rel=0.1)
    assert ece(truth, cooled(probabilities, found)) < 0.03


def inputs(branch: Branch) -> list[npt.NDArray[Any]]:
    random = np.random.default_rng(3)
    if branch == "text":
        return [random.integers(2, 90, n) for n in (1, 9, 33)]
    return [random.standard_normal(n).astype(np.float32) for n in (400, 16_000, 7_777)]


def answers(model: Path, rows: list[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["probabilities", "coverage"]
    return run(session, rows, [len(row) for row in rows])


@pytest.mark.parametrize(
    ("branch", "graph"),
    [
        (branch, graph)
        for branch in BRANCHES
        for graph in ("graph.onnx", "graph.int8.onnx", "graph.fp16.onnx")
        if (STARTERS / branch / graph).exists()
    ],
)
def test_the_graph_applies_it(branch: Branch, graph: str, tmp_path: Path) -> None:
    shutil.copy(STARTERS / branch / "model.safetensors", tmp_path)
    shutil.copy(STARTERS / branch / graph, tmp_path / "model.onnx")
    rows = inputs(branch)
    plain = answers(tmp_path / "model.onnx", rows)
    shipped = manifests.read(STARTERS / branch).temperature
    for temperature in (0.5, 2.5):  # the second replaces the first
        apply(tmp_path / "model.onnx", temperature * shipped, tmp_path / "model.onnx")
        given = answers(tmp_path / "model.onnx", rows)
        np.testing.assert_allclose(given, cooled(plain.astype(np.float64), temperature), atol=1e-6)
    apply(tmp_path / "model.onnx", shipped, tmp_path / "model.onnx")
    np.testing.assert_allclose(answers(tmp_path / "model.onnx", rows), plain, atol=1e-7)


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_version_is_published_again_and_served_next(branch: Branch, tmp_path: Path) -> None:
    first = publish_starter(branch, tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("1/*") if file.is_file()}
    made = publish_calibrated(tmp_path, branch, 1, CALIBRATION)
    assert (first.version, made.version, made.temperature) == (1, 2, 1.7)
    assert publish_starter(branch, tmp_path) == made
    assert {file: file.read_bytes() for file in before} == before
    names = [{file.name for file in tmp_path.rglob(f"{n}/*")} for n in (1, 2)]
    assert names[0] == names[1]


def test_the_command_calibrates_on_dev_and_judges_on_test(tmp_path: Path) -> None:
    rows = [("I love this!", "joy"), ("I hate you!", "joy"), ("Oh no", "fear"), ("Fine", "neutral")]
    lines = [
        json.dumps({"text": f"{text} {number}", "label": label, "split": split})
        for number in range(5)
        for text, label in rows
        for split in ("dev", "test")
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    publish_starter("text", tmp_path / "models")
    where = str(tmp_path / "rows.jsonl"), "--repository", str(tmp_path / "models")
    environment = stack_environment(tmp_path / "state")

    def printed(*more: str) -> str:
        command = [str(NEUROSENSE), "calibrate", *where, "--branch", "text", *more]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment
        ).stdout

    assert "fitted on 20 rows of dev. On 20 of test" in printed("--dry-run")
    assert not (tmp_path / "models/text_classifier/2").exists()
    assert "published as text version 2" in printed()
    kept = manifests.read(tmp_path / "models/text_classifier/2").calibration
    assert kept is not None
    assert kept["temperature"] > 1.2  # it was sure, and often wrong
    assert kept["log_loss_after"] < kept["log_loss_before"]
    assert f"version 2: temperature {kept['temperature']:.3f} (now " in printed("--dry-run")
    assert "published as text version 3" in printed()  # the same fit again, not one on top
    again = manifests.read(tmp_path / "models/text_classifier/3").calibration
    assert again is not None
    for name in ("temperature", "ece_before", "ece_after", "log_loss_before", "log_loss_after"):
        assert again[name] == pytest.approx(kept[name], abs=1e-3), name


def test_a_starter_is_calibrated_in_place(tmp_path: Path) -> None:
    shutil.copytree(STARTERS / "audio", tmp_path / "audio")
    made = calibrate_starter(tmp_path / "audio", CALIBRATION)
    shipped = manifests.read(STARTERS / "audio")
    assert made.revision != shipped.revision
    published = publish_starter("audio", tmp_path / "models", tmp_path)  # its hashes fit
    assert published.temperature == 1.7
    rows = inputs("audio")
    folder = tmp_path / "models/audio_classifier/1"
    plain = answers(STARTERS / "audio/graph.onnx", rows).astype(np.float64)
    expected = cooled(plain, 1.7 / shipped.temperature)
    np.testing.assert_allclose(answers(folder / "model.onnx", rows), expected, atol=1e-6)
