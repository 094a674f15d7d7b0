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

_OF_CLASS = {"precision": precisions, "recall": recalls, "f1": f1s}
_LEAST_SPEAKERS = 5  # of a group: two or three drawn again and again would look too certain


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
        "calibration": calibration(truth, probabilities),
        "abstaining": abstaining(truth, probabilities),
    }


def units_of(items: Sequence[Item], least_speakers: int = 2) -> Ints:
    """Return what a bootstrap draws [n]: speakers where every item has one, else rows.

    Rows too where there are fewer speakers than `least_speakers`.
    """
    speakers = [item.speaker for item in items]
    if None in speakers or len(set(speakers)) < least_speakers:
        return np.arange(len(items))
    units: Ints = np.unique(np.array(speakers), return_inverse=True)[1]
    return units


def _by_class(counts: Floats, drawn: Floats) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for place, emotion in enumerate(EMOTIONS):
        if rows := int(counts[place].sum()):
            found[emotion] = {"rows": rows, "guessed": int(counts[:, place].sum())}
            for name, measure in _OF_CLASS.items():
                found[emotion][name] = float(measure(counts)[place])
                found[emotion][f"{name}_interval"] = interval(measure(drawn)[:, place])
    return found


def _by(items: list[Item], truth: Ints, guess: Ints, name: str) -> dict[str, dict[str, Any]]:
    """Return the measures of each speaker or group, where items have one."""
    values = [getattr(item, name) for item in items]
    found: dict[str, dict[str, Any]] = {}
    for value in sorted({value for value in values if value is not None}):
        of_it = np.array([other == value for other in values])
        chosen = [item for item, inside in zip(items, of_it, strict=True) if inside]
        units = units_of(chosen, _LEAST_SPEAKERS)
        by_unit = confusion_by_unit(truth[of_it], guess[of_it], units)
        drawn = draws(by_unit)
        found[value] = {
            "rows": len(chosen),
            "speakers": len({item.speaker for item in chosen if item.speaker}),
            "drawn_by": "speaker" if len(by_unit) < len(chosen) else "row",
            **{n: float(measure(by_unit.sum(axis=0))) for n, measure in MEASURES.items()},
            "intervals": {n: interval(measure(drawn)) for n, measure in MEASURES.items()},
        }
    return found
