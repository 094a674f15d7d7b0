"""Scores of a classifier from its confusion counts.

All take counts [..., K, K], truth in rows and guess in columns, and return [...], so that a
thousand bootstrap draws are scored at once. Means run over the classes that occur in the truth.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ensemble.labels import EMOTIONS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Measure = Callable[[Floats], Floats]


def confusion_by_unit(truth: Ints, guess: Ints, units: Ints) -> Floats:
    """Return counts [U, 7, 7] of each unit (a row, or a speaker: `units` [n], from 0)."""
    classes = len(EMOTIONS)
    counts = np.zeros((units.max() + 1, classes, classes))
    np.add.at(counts, (units, truth, guess), 1.0)
    return counts


def accuracy(counts: Floats) -> Floats:
    """Return the share of rows that are right: the recall weighted by class size, too."""
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def recalls(counts: Floats) -> Floats:
    """Return each class's recall [..., K]; NaN where the class does not occur."""
    return _ratio(_hits(counts), counts.sum(axis=-1), empty=np.nan)


def precisions(counts: Floats) -> Floats:
    """Return each class's precision [..., K]; 0 where it is never guessed."""
    return _ratio(_hits(counts), counts.sum(axis=-2))


def f1s(counts: Floats) -> Floats:
    """Return each class's F1 [..., K]; NaN where the class does not occur."""
    total = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.where(counts.sum(axis=-1) > 0, _ratio(2 * _hits(counts), total), np.nan)


def unweighted_recall(counts: Floats) -> Floats:
    """Return the mean recall: every class counts the same (UAR, balanced accuracy)."""
    return np.asarray(np.nanmean(recalls(counts), axis=-1), dtype=np.float64)


def macro_f1(counts: Floats) -> Floats:
    """Return the mean F1: every class counts the same."""
    return np.asarray(np.nanmean(f1s(counts), axis=-1), dtype=np.float64)


def weighted_f1(counts: Floats) -> Floats:
    """Return the mean F1, every class counting by its rows."""
    rows = counts.sum(axis=-1)
    return _ratio((np.nan_to_num(f1s(counts)) * rows).sum(axis=-1), rows.sum(axis=-1))


MEASURES: dict[str, Measure] = {
    "accuracy": accuracy,
    "unweighted_recall": unweighted_recall,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
}
"""What is reported, with an interval each. Weighted recall is accuracy, by definition."""


def _hits(counts: Floats) -> Floats:
    return np.asarray(np.diagonal(counts, axis1=-2, axis2=-1), dtype=np.float64)


def _ratio(above: Floats, below: Floats, empty: float = 0.0) -> Floats:
    """Return above / below, `empty` where there is nothing below."""
    result = np.full(np.broadcast(above, below).shape, empty)
    return np.divide(above, below, out=result, where=below > 0)
