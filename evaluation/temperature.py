"""The temperature that makes confidences mean what they say (Guo et al., 2017).

A vector p becomes p^(1/T), normalised: above 1 it grows less sure. The order of the emotions
stays, so no label changes, and an emotion that a model has no output for stays at 0. Where each
emotion has one label of the checkpoint, this is its logits divided by T.
"""

import numpy as np

from evaluation.metrics import Floats, Ints

_LOG_RANGE = (np.log(0.05), np.log(20.0))
_STEPS = 80  # each keeps two thirds of the range: far beyond what any data can tell


def cooled(probabilities: Floats, temperature: float) -> Floats:
    """Return p^(1/T) / Σ p^(1/T) of each row [n, K]; in logarithms, so that nothing overflows."""
    scaled = _logarithms(probabilities) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def fit(truth: Ints, probabilities: Floats) -> float:
    """Return the T that makes the truth likeliest, 0.05 to 20.

    The log loss is convex in 1/T, so it has one minimum, which thirds close in on.

    Args:
        truth: [n], columns.
        probabilities: [n, K] of what the model can express; the truth's are above 0.
    """

    def loss(log_t: float) -> float:
        likely = cooled(probabilities, float(np.exp(log_t)))[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(likely, np.finfo(np.float64).tiny)).mean())

    low, high = _LOG_RANGE
    for _ in range(_STEPS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def _logarithms(probabilities: Floats) -> Floats:
    with np.errstate(divide="ignore"):  # 0 is an emotion that the model does not have: it stays
        return np.asarray(np.log(probabilities), dtype=np.float64)
