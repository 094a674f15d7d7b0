"""Scores of a classifier from its confusion counts, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Measure = Callable[[Ints, Ints, int], float]


def confusion(truth: Ints, guess: Ints, classes: int) -> Ints:
    """Counts [classes, classes]: rows are the truth, columns the guess."""
    flat = np.bincount(truth * classes + guess, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def recalls(truth: Ints, guess: Ints, classes: int) -> Floats:
    """Recall of every class [classes]; 0 for a class that has no item."""
    counts = confusion(truth, guess, classes)
    return np.asarray(np.diag(counts) / np.maximum(counts.sum(axis=1), 1), dtype=np.float64)


def f1_per_class(truth: Ints, guess: Ints, classes: int) -> Floats:
    """F1 of every class [classes]: 2·hits / (true items + guessed items)."""
    counts = confusion(truth, guess, classes)
    total = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(2 * np.diag(counts) / np.maximum(total, 1), dtype=np.float64)


def unweighted_recall(truth: Ints, guess: Ints, classes: int) -> float:
    """Unweighted average recall: every class counts the same, however many items it has."""
    return float(recalls(truth, guess, classes).mean())


def macro_f1(truth: Ints, guess: Ints, classes: int) -> float:
    """Mean of the per-class F1."""
    return float(f1_per_class(truth, guess, classes).mean())


def accuracy(truth: Ints, guess: Ints, classes: int) -> float:
    """Share of items guessed right."""
    return float(np.trace(confusion(truth, guess, classes)) / max(len(truth), 1))


def interval(
    measure: Measure, truth: Ints, guess: Ints, classes: int, groups: Ints | None = None
) -> tuple[float, float]:
    """95 % bootstrap interval of ``measure``, 2,000 draws, seeded.

    Items are drawn one by one, or a whole group (say, a speaker) at a time where ``groups`` says
    which group each item is in: clips of one speaker are not independent evidence.
    """
    rng = np.random.default_rng(0)
    units = np.arange(len(truth)) if groups is None else groups
    members = [np.flatnonzero(units == unit) for unit in np.unique(units)]
    drawn = []
    for _ in range(2000):
        picks = rng.integers(0, len(members), len(members))
        rows = np.concatenate([members[pick] for pick in picks])
        drawn.append(measure(truth[rows], guess[rows], classes))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
