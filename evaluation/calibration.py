"""Do confidences mean what they say? And what is gained by leaving out the least sure?

A confidence is the highest probability of a row. The expected calibration error (Guo et al.,
2017) is the mean distance of confidence and accuracy over 15 bins of equal width, by rows.
"""

import numpy as np

from evaluation.metrics import Floats, Ints

BINS = 15
_KEPT = tuple(round(share / 20, 2) for share in range(20, 0, -1))


def calibration(truth: Ints, probabilities: Floats) -> dict[str, object]:
    """Return ECE and what chance makes of it, Brier, log loss, the diagram's bins.

    ECE has no interval: rows drawn again stray further than the rows did, so that a bootstrap's
    lies above the value. What chance makes of it says how much of it can be believed.

    Args:
        truth: [n], places in the vectors.
        probabilities: [n, 7].
    """
    return {
        "ece": ece(truth, probabilities),
        "ece_by_chance": by_chance(probabilities),
        "brier": brier(truth, probabilities),
        "log_loss": log_loss(truth, probabilities),
        "mean_confidence": float(probabilities.max(axis=1).mean()),
        "bins": [
            {"rows": int(rows), "confidence": float(sure / rows), "accuracy": float(right / rows)}
            for rows, sure, right in _bin_sums(truth, probabilities)
            if rows
        ],
    }


def ece(truth: Ints, probabilities: Floats) -> float:
    """Return the expected calibration error."""
    _, sure, right = _bin_sums(truth, probabilities).T
    return float(np.abs(sure - right).sum() / len(truth))


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


def _bin_sums(truth: Ints, probabilities: Floats) -> Floats:
    """Return rows, summed confidence and right answers [BINS, 3] of each bin."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    values = np.stack([np.ones_like(confidence), confidence, right.astype(np.float64)], axis=1)
    return np.asarray(np.eye(BINS)[_bins(confidence)].T @ values, dtype=np.float64)


def _bins(confidence: Floats) -> Ints:
    """Return each confidence's bin, its upper edge inside, as scikit-learn has it."""
    bins: Ints = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return bins
