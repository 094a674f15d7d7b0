"""What a layer's values were like while the graph ran on the inputs to calibrate with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from export.int8_operators import mean_square, size

_SMOOTHING = 0.65  # measured on the text starter: 0.5 to 0.9 were tried
_CLIPPED = 1e-4  # share of normalized values that may be cut off
_SORTED = 200_000  # values that this share is taken of


@dataclass(frozen=True)
class Inputs:
    """What a product's inputs are like: their ends, mean [K] and covariance [K, K]."""

    low: float
    high: float
    mean: torch.Tensor
    covariance: torch.Tensor


class Range:
    """The ends of each channel [K]."""

    def __init__(self) -> None:
        self.low: Any = 0.0
        self.high: Any = 0.0

    def see(self, values: torch.Tensor) -> None:
        """Widen the ends to hold `values` [..., K]."""
        rows = values.flatten(0, -2)
        self.low = torch.minimum(rows.amin(dim=0), torch.as_tensor(self.low))
        self.high = torch.maximum(rows.amax(dim=0), torch.as_tensor(self.high))

    @property
    def reach(self) -> torch.Tensor:
        """The largest absolute value [K]."""
        return torch.maximum(self.high, -self.low).clamp(min=1e-5)

    def smoothing(self, weights: torch.Tensor) -> torch.Tensor:
        """Return what to multiply each channel [K] by, so that they and their weights range alike.

        SmoothQuant, https://arxiv.org/abs/2211.10438.

        Args:
            weights: the largest absolute one of each channel [K].
        """
        gain: torch.Tensor = weights.clamp(min=1e-5) ** (1 - _SMOOTHING) / self.reach**_SMOOTHING
        return gain

    def ends(self, gain: torch.Tensor | float = 1.0) -> tuple[float, float]:
        """Return the ends of all channels, once each is multiplied by its gain [K]."""
        return float((self.low * gain).min()), float((self.high * gain).max())


class Seen(Range):
    """What a product's inputs were, `normalized` first or as they came."""

    def __init__(self, normalized: bool) -> None:
        super().__init__()
        self.normalized = normalized
        self.origin: Any = None  # near the mean, so that sums of squares keep their digits
        self.total: Any = 0.0
        self.squares: Any = 0.0
        self.rows = 0

    def see(self, values: torch.Tensor) -> None:
        """Widen the ends to hold `values` [..., K], and add to their sums."""
        rows = values.flatten(0, -2)
        if self.normalized:
            rows = rows / size(mean_square(rows)).unsqueeze(1)
            some = rows.flatten()[:: max(1, rows.numel() // _SORTED)].sort().values
            cut = int(_CLIPPED * len(some) / 2)
            rows = rows.clamp(some[cut], some[-1 - cut])
        super().see(rows)
        if self.origin is None:
            self.origin = rows.mean(dim=0)
            self.squares = torch.zeros(rows.shape[1], rows.shape[1])
        rows = rows - self.origin
        self.total += rows.sum(dim=0)
        self.squares.addmm_(rows.t(), rows)
        self.rows += rows.shape[0]

    def multiply(self, gain: torch.Tensor) -> None:
        """Take each channel for multiplied by its gain [K], which is positive."""
        self.low, self.high = self.low * gain, self.high * gain
        self.origin, self.total = self.origin * gain, self.total * gain
        self.squares = self.squares * torch.outer(gain, gain)

    def scaled(self, gain: torch.Tensor) -> Inputs:
        """Return what the inputs are like once each channel is multiplied by its gain [K]."""
        beyond = self.total / self.rows
        covariance = self.squares / self.rows - torch.outer(beyond, beyond)
        low, high = self.ends(gain)
        return Inputs(
            low=low,
            high=high,
            mean=(self.origin + beyond) * gain,
            covariance=covariance * torch.outer(gain, gain),
        )


def children(graph: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield each module of a graph with its parent and the attribute of that where it is."""
    for parent in graph.modules():
        for name, child in parent.named_children():
            yield parent, name, child


@contextmanager
def hooked(hooks: Sequence[Any]) -> Iterator[None]:
    """Run without gradients, and take the modules' hooks away afterwards."""
    try:
        with torch.no_grad():
            yield
    finally:
        for hook in hooks:
            hook.remove()
