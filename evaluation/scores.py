"""All scores of one set of probability vectors, as the report holds them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ensemble.labels import EMOTIONS
from evaluation.bootstrap import draws, interval
from evaluation.calibration import abstaining, calibration
from evaluation.items import Item, emotion_index
from evaluation.metrics import (
    MEASURES,
    Floats,
    Ints,
    confusion_by_unit,
    f1s,
    precisions,
    recalls,
)


def scores(items: list[Item], probabilities: Floats) -> dict[str, Any]:
    """Return every measure of `probabilities` [n, 7] for the items, with intervals."""
    truth = np.array(emotion_index(items))
    guess = probabilities.argmax(axis=1)
    units = units_of(items)
    by_unit = confusion_by_unit(truth, guess, units)
    drawn = draws(by_unit)
    counts = by_unit.sum(axis=0)
    return {
        "rows": len(items),
        "drawn_by": "speaker" if len(by_unit) < len(items) else "row",
        **{
            name: {"value": float(measure(counts)), "interval": interval(measure(drawn))}
            for name, measure in MEASURES.items()
        },
        "classes": _by_class(counts, drawn),
        "confusion": {"emotions": list(EMOTIONS), "counts": counts.astype(int).tolist()},
        "speakers": _by(items, truth, guess, "speaker"),
        "groups": _by(items, truth, guess, "group"),
        "calibration": calibration(truth, probabilities, units),
        "abstaining": abstaining(truth, probabilities),
    }


def units_of(items: Sequence[Item]) -> Ints:
    """Return what a bootstrap draws [n]: speakers where every item has one, and more than one."""
    speakers = [item.speaker for item in items]
    if None in speakers or len(set(speakers)) < 2:
        return np.arange(len(items))
    units: Ints = np.unique(np.array(speakers), return_inverse=True)[1]
    return units


def _by_class(counts: Floats, drawn: Floats) -> dict[str, dict[str, Any]]:
    rows, guessed = counts.sum(axis=1), counts.sum(axis=0)
    of_draws = recalls(drawn)
    found = EMOTIONS, rows, guessed, precisions(counts), recalls(counts), f1s(counts)
    return {
        emotion: {
            "rows": int(n),
            "guessed": int(m),
            "precision": float(precision),
            "recall": float(recall),
            "recall_interval": interval(of_draws[:, EMOTIONS.index(emotion)]),
            "f1": float(f1),
        }
        for emotion, n, m, precision, recall, f1 in zip(*found, strict=True)
        if n
    }


def _by(items: list[Item], truth: Ints, guess: Ints, name: str) -> dict[str, dict[str, Any]]:
    """Return the measures of each speaker or group, where items have one."""
    values = [getattr(item, name) for item in items]
    found: dict[str, dict[str, Any]] = {}
    for value in sorted({value for value in values if value is not None}):
        of_it = np.array([other == value for other in values])
        here = confusion_by_unit(truth[of_it], guess[of_it], np.zeros(of_it.sum(), np.int64))
        drawn = _draws_within(items, truth, guess, of_it) if name == "group" else None
        found[value] = {
            "rows": int(of_it.sum()),
            **{measure: float(MEASURES[measure](here[0])) for measure in MEASURES},
        }
        if drawn is not None:
            found[value]["intervals"] = {m: interval(MEASURES[m](drawn)) for m in MEASURES}
    return found


def _draws_within(items: list[Item], truth: Ints, guess: Ints, of_it: Any) -> Floats:
    chosen = [item for item, inside in zip(items, of_it, strict=True) if inside]
    return draws(confusion_by_unit(truth[of_it], guess[of_it], units_of(chosen)))
