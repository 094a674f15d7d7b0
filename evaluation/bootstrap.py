"""Bootstrap intervals and paired tests; seeded, so that a report can be made again.

What is drawn are units: speakers where they are known, because clips of one speaker are not
independent evidence, else rows (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
"""

from collections.abc import Callable
from math import comb

import numpy as np

from evaluation.metrics import Floats, Ints

DRAWS = 2000
_DRAWS_AT_ONCE = 100


def draws(stats: Floats, count: int = DRAWS, seed: int = 0) -> Floats:
    """Return sums [count, ...] of `stats` [U, ...] over U units drawn with replacement.

    Units with the same stats are drawn together: rows have no more kinds than a table has cells.
    """
    units = len(stats)
    kinds, alike = np.unique(stats.reshape(units, -1), axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    sums = []
    for start in range(0, count, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, count - start)
        times = random.multinomial(units, alike / units, size=size)
        sums.append(times.astype(np.float64) @ kinds)
    drawn: Floats = np.concatenate(sums).reshape(count, *stats.shape[1:])
    return drawn


def interval(drawn: Floats) -> list[float]:
    """Return the 95 % percentile interval of a measure's values [draws]."""
    return [float(limit) for limit in np.nanpercentile(drawn, [2.5, 97.5])]


def paired(
    first: Floats, second: Floats, measure: Callable[[Floats], Floats]
) -> dict[str, float | list[float]]:
    """Compare two classifiers on the same rows by drawing the same units for both.

    Args:
        first: counts [U, 7, 7] of one.
        second: counts [U, 7, 7] of the other.
        measure: of `evaluation.metrics`.

    Returns:
        `difference` (second less first), its `interval`, and the two-sided `p` that it is none.
    """
    both = draws(np.stack([first, second], axis=1))
    differences = measure(both[:, 1]) - measure(both[:, 0])
    totals = first.sum(axis=0), second.sum(axis=0)
    fewer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return {
        "difference": float(measure(totals[1]) - measure(totals[0])),
        "interval": interval(differences),
        "p": min(1.0, 2 * (fewer + 1) / (len(differences) + 1)),  # never 0: draws are few
    }


def mcnemar(truth: Ints, first: Ints, second: Ints) -> dict[str, float]:
    """Test whether two classifiers err equally often, exactly (McNemar, 1947; binomial).

    Rows count as independent here: with few speakers, trust the paired bootstrap more.
    """
    only_first = int(((first == truth) & (second != truth)).sum())
    only_second = int(((first != truth) & (second == truth)).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(comb(n, k) for k in range(fewer + 1))
    return {
        "only_first_right": only_first,
        "only_second_right": only_second,
        "p": min(1.0, 2 * tail / 2**n),
    }
