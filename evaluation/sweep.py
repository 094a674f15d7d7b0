"""The weight of the text from 0 to 1, for both fusion strategies."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ensemble.fusion import DEFAULT_TEXT_WEIGHT, Fusion
from ensemble.labels import EMOTIONS
from evaluation.bootstrap import mcnemar, paired
from evaluation.items import Item, emotion_index
from evaluation.metrics import MEASURES, Floats, Ints, confusion_by_unit
from evaluation.scores import scores, units_of

Strategy = Literal["weighted", "coverage"]
WEIGHTS = tuple(round(step / 20, 2) for step in range(21))
CHOSEN_BY = "macro_f1"


@dataclass(frozen=True)
class Pair:
    """Both branches' probabilities [n, 7] for items that have text and audio, and coverage [7]."""

    items: list[Item]
    text: Floats
    audio: Floats
    text_coverage: Floats
    audio_coverage: Floats

    def fused(self, strategy: str, weight: float) -> Floats:
        """Return what the service's fusion step makes of them [n, 7]."""
        rows = len(self.items)
        inputs: dict[str, npt.NDArray[Any]] = {
            "text_probabilities": self.text.astype(np.float32),
            "audio_probabilities": self.audio.astype(np.float32),
            "text_coverage": np.tile(self.text_coverage, (rows, 1)),
            "audio_coverage": np.tile(self.audio_coverage, (rows, 1)),
            "TEXT_WEIGHT": np.full((rows, 1), weight, np.float32),
        }
        return Fusion(strategy)(inputs).astype(np.float64)


def sweep(pair: Pair) -> dict[str, list[dict[str, float]]]:
    """Return the measures at every weight, for each strategy.

    `ceiling` is what a text model that is always right and sure would score (accuracy) with
    these answers of the audio model.
    """
    return {name: [_at(pair, name, weight) for weight in WEIGHTS] for name in get_args(Strategy)}


def _at(pair: Pair, strategy: str, weight: float) -> dict[str, float]:
    truth = np.array(emotion_index(pair.items))
    ideal = np.eye(len(EMOTIONS))[truth]
    perfect = Pair(pair.items, ideal, pair.audio, pair.text_coverage, pair.audio_coverage)
    counts = _counts(truth, pair.fused(strategy, weight))
    return {
        "weight": weight,
        **{name: float(measure(counts[0])) for name, measure in MEASURES.items()},
        "ceiling": float((perfect.fused(strategy, weight).argmax(axis=1) == truth).mean()),
    }


def _counts(truth: Ints, probabilities: Floats) -> Floats:
    return confusion_by_unit(truth, probabilities.argmax(axis=1), np.zeros_like(truth))


def best(curve: list[dict[str, float]]) -> float:
    """Return the weight with the best macro-F1; of equals the one nearest to the default."""
    return max(curve, key=lambda at: (at[CHOSEN_BY], -abs(at["weight"] - DEFAULT_TEXT_WEIGHT)))[
        "weight"
    ]


def chosen(dev: Pair, test: Pair) -> dict[str, Any]:
    """Return each strategy's best weight on dev, its scores on test, and a test against 0.55."""
    default = test.fused("weighted", DEFAULT_TEXT_WEIGHT)
    curves = sweep(dev)
    found = {}
    for strategy, curve in curves.items():
        weight = best(curve)
        fused = test.fused(strategy, weight)
        found[strategy] = {
            "weight": weight,
            "test": scores(test.items, fused),
            "against_default": against(test.items, default, fused),
        }
    return found


def against(items: list[Item], first: Floats, second: Floats) -> dict[str, Any]:
    """Return the paired tests of two sets of probabilities [n, 7] for the same items."""
    truth = np.array(emotion_index(items))
    guesses = first.argmax(axis=1), second.argmax(axis=1)
    units = units_of(items)
    counts = [confusion_by_unit(truth, guess, units) for guess in guesses]
    return {
        "rows": len(items),
        "mcnemar": mcnemar(truth, *guesses),
        **{name: paired(counts[0], counts[1], measure) for name, measure in MEASURES.items()},
    }
