"""Do confidences mean what they say? And what is gained by leaving out the least sure?

A confidence is the highest probability of a row. The expected calibration error (Guo et al.,
2017) is the mean distance of confidence and accuracy over 15 bins of equal width, by rows.
"""

import numpy as np

from evaluation.bootstrap import draws, interval
from evaluation.metrics import Floats, Ints

BINS = 15
_DRAWS = 500  # every row is a kind of its own here, and costs
_KEPT = tuple(round(share / 20, 2) for share in range(20, 0, -1))


def calibration(truth: Ints, probabilities: Floats, units: Ints) -> dict[str, object]:
    """Return ECE with interval and what chance makes of it, Brier, log loss, the diagram's bins.

    Args:
        truth: [n], places in the vectors.
        probabilities: [n, 7].
        units: [n], what the interval draws.
    """
    stats = _bin_sums(truth, probabilities, units)
    total = stats.sum(axis=0)
    return {
        "ece": float(_ece(total)),
        "ece_interval": interval(_ece(draws(stats, _DRAWS))),
        "ece_by_chance": by_chance(probabilities),
        "brier": brier(truth, probabilities),
        "log_loss": log_loss(truth, probabilities),
        "mean_confidence": float(probabilities.max(axis=1).mean()),
        "bins": [
            {"rows": int(rows), "confidence": float(sure / rows), "accuracy": float(right / rows)}
            for rows, sure, right in total
            if rows
        ],
    }


def ece(truth: Ints, probabilities: Floats) -> float:
    """Return the expected calibration error."""
    return float(_ece(_bin_sums(truth, probabilities, np.zeros_like(truth)).sum(axis=0)))


def by_chance(probabilities: Floats, count: int = 500, seed: int = 0) -> dict[str, float]:
    """Return the ECE that these confidences would show if they meant exactly what they say.

    Few rows make a bin's accuracy stray from its confidence by luck alone, and ECE adds that up.
    Truths are drawn from the confidences (consistency resampling, Broecker and Smith, 2007);
    an ECE above the 95th percentile is more than chance.
    """
    confidence = probabilities.max(axis=1)
    in_bin = np.eye(BINS)[_bins(confidence)]
    right = np.random.default_rng(seed).random((count, len(confidence))) < confidence
    gaps = np.abs((right - confidence) @ in_bin).sum(axis=1) / len(confidence)
    return {"mean": float(gaps.mean()), "percentile_95": float(np.percentile(gaps, 95))}


def brier(truth: Ints, probabilities: Floats) -> float:
    """Return the mean squared distance of the vectors from the truth's, 0 to 2 (Brier, 1950)."""
    wanted = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())


def log_loss(truth: Ints, probabilities: Floats) -> float:
    """Return the mean negative log-likelihood in nats; a zero counts as the smallest float32."""
    given = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(given, np.finfo(np.float32).tiny)).mean())


def abstaining(truth: Ints, probabilities: Floats) -> list[dict[str, float]]:
    """Return the accuracy if only the surest share of the rows were answered.

    Each entry says which share is `kept`, the `confidence` that all of it reach, and its
    `accuracy`.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    # Among rows that are equally sure, which ones are left out is chance: each counts their mean.
    _, alike, rows = np.unique(confidence, return_inverse=True, return_counts=True)
    right = (np.bincount(alike, right) / rows)[alike]
    order = np.argsort(-confidence, kind="stable")
    curve = []
    for share in _KEPT:
        kept = order[: max(1, round(share * len(order)))]
        least, hits = float(confidence[kept[-1]]), float(right[kept].mean())
        curve.append({"kept": share, "confidence": least, "accuracy": hits})
    return curve


def _bin_sums(truth: Ints, probabilities: Floats, units: Ints) -> Floats:
    """Return rows, summed confidence and right answers [U, BINS, 3] of each unit and bin."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = _bins(confidence)
    sums = np.zeros((units.max() + 1, BINS, 3))
    values = np.stack([np.ones_like(confidence), confidence, right.astype(np.float64)], axis=1)
    np.add.at(sums, (units, bins), values)
    return sums


def _bins(confidence: Floats) -> Ints:
    """Return each confidence's bin, its upper edge inside, as scikit-learn has it."""
    bins: Ints = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return bins


def _ece(sums: Floats) -> Floats:
    """Return the error [...] of sums [..., BINS, 3]."""
    gaps = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    return np.asarray(gaps / sums[..., 0].sum(axis=-1), dtype=np.float64)
