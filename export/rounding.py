"""Weights rounded so that a layer's answers, not the weights, change least.

GPTQ, https://arxiv.org/abs/2210.17323: input channels are rounded one after another, and the
weights of those still to come make up for what each leaves out, as far as their inputs go together.
"""

import torch

# Of the mean variance. Of 0.01 to 1 the best on recordings that are unlike the calibration's.
_DAMPING = 0.03


def rounded(
    weight: torch.Tensor, scale: torch.Tensor, covariance: torch.Tensor, greatest: int
) -> torch.Tensor:
    """Return weights [K, N] as int8 of at most `greatest`, to be multiplied by `scale` [N].

    Args:
        weight: what to round; each input channel K has a row.
        scale: of each output channel.
        covariance: [K, K] of the inputs.
        greatest: the largest integer, and its negative the least.
    """
    order = covariance.diagonal().argsort(descending=True)  # who moves answers most goes first
    shares = _shares(covariance[order][:, order])
    left = weight[order].clone()
    integers = torch.empty_like(left)
    for row, share in enumerate(shares):
        integers[row] = torch.round(left[row] / scale).clamp(-greatest, greatest)
        error = (left[row] - integers[row] * scale) / share[row]
        left[row:].addr_(share[row:], error, alpha=-1)
    return integers[order.argsort()].to(torch.int8)


def _shares(covariance: torch.Tensor) -> torch.Tensor:
    """Return [K, K]: row k tells how much each later channel takes up of k's error, over [k, k].

    The upper Cholesky factor of the inverse; in float64, because inputs are nearly dependent.
    """
    damped = covariance.double()
    damped.diagonal().add_((_DAMPING * damped.diagonal().mean()).clamp(min=1e-12))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True).float()
