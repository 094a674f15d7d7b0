"""Earlier turns help where emotions last, and are left alone where they do not."""

import json
from pathlib import Path

import numpy as np
import pytest

from ensemble.labels import EMOTIONS
from evaluation.dialogues import Turns, chosen
from evaluation.items import Dataset, Item
from evaluation.metrics import Ints
from evaluation.run import JSON_NAME, PAGE_NAME, evaluate
from tests.evaluation.test_run import Made

LENGTH = 12  # turns of a dialogue


def said(stays: float, seed: int, dialogues: int = 60) -> Turns:
    """Return dialogues whose emotion stays from turn to turn with a chance of `stays`, else is
    drawn anew; the model has seen each turn alone, and means what it says."""
    random = np.random.default_rng(seed)
    truth: list[int] = []
    for turn in range(dialogues * LENGTH):
        same = turn % LENGTH > 0 and random.random() < stays
        truth.append(truth[-1] if same else int(random.integers(len(EMOTIONS))))
    evidence = random.standard_normal((len(truth), len(EMOTIONS)))
    evidence[np.arange(len(truth)), truth] += 1.5
    odds = np.exp(1.5 * evidence)
    items = [Item(EMOTIONS[t], text="x", dialogue=f"d{n // LENGTH}") for n, t in enumerate(truth)]
    return Turns(items, odds / odds.sum(axis=1, keepdims=True))


def test_lasting_emotions_are_recognised_better_with_context() -> None:
    found = chosen(said(0.8, seed=1), said(0.8, seed=2))
    assert found is not None
    assert found["decay"] > 0.2
    assert found["test"]["macro_f1"]["interval"][0] > 0.02
    assert found["test"]["mcnemar"]["p"] < 0.01
    assert found["turns_with_earlier_ones"] == 60 * (LENGTH - 1)


@pytest.mark.parametrize("seed", range(5))
def test_independent_turns_are_left_alone(seed: int) -> None:
    found = chosen(said(0.0, seed), said(0.0, seed + 100))
    assert found is not None
    assert found["decay"] == 0
    assert found["test"]["macro_f1"]["difference"] == 0


def test_a_prior_is_of_the_same_dialogue_and_of_the_past() -> None:
    vectors = np.array([[0.5, 0.5, 0], [0.8, 0.2, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]])
    dialogues = ("a", "b", "a", "b")
    turns = Turns([Item("joy", text="x", dialogue=name) for name in dialogues], vectors)
    made = turns.in_context(0.5)
    np.testing.assert_allclose(made[:3], vectors[:3])  # the first of each; then an even prior
    np.testing.assert_allclose(made[3], np.array([0.5 * 1.4, 0.5 * 1.1, 0]) / 1.25)
    np.testing.assert_array_equal(turns.in_context(0), vectors)


def test_a_report_has_dialogues_where_the_data_has(tmp_path: Path) -> None:
    labels: Ints = np.random.default_rng(0).integers(0, len(EMOTIONS), 80)
    (tmp_path / "a.wav").touch()
    items = [
        Item(EMOTIONS[label], str(n + 1), tmp_path / "a.wav", dialogue=f"d{n // 10}", split=split)
        for n, label in enumerate(labels)
        for split in ("dev", "test")
    ]
    made = evaluate(Dataset("talk", items, {}), Made(), tmp_path)
    assert set(made["dialogues"]) == {"text", "audio"}
    assert json.loads((tmp_path / JSON_NAME).read_text())["dialogues"] == made["dialogues"]
    assert "what the turns before tell" in (tmp_path / PAGE_NAME).read_text()
