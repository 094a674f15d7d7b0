"""A long convolution over time in parts that share products, for CPUs.

Two neighbouring outputs of a filter take four products of half its taps with every other input.
Three are enough: w0·(x0 - x1), (w0 + w1)·x1 and w1·(x2 - x1): the first two add up to one output,
the last two to the other. The same is done to each part again: nine quarters in place of sixteen.
Winograd, Arithmetic Complexity of Computations, 1980; https://arxiv.org/abs/1509.09308.
"""

from typing import Any

import torch

_HALVINGS = 2


def is_worth_it(conv: Any) -> bool:
    """Return whether a convolution [C, T] has enough channels and taps."""
    in_group = conv.in_channels // conv.groups
    return bool(conv.kernel_size[0] % 2**_HALVINGS == 0 and in_group >= 32)


class FastFilter(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """A grouped convolution without its bias, [T, C] to the outputs [at least T', C]."""

    def __init__(self, conv: Any) -> None:
        super().__init__()
        self.taps = conv.kernel_size[0]
        self.channels = conv.out_channels
        parts = conv.weight.detach().unsqueeze(0)  # [1, C, C/G, K]
        for _ in range(_HALVINGS):
            even, odd = parts[..., 0::2], parts[..., 1::2]
            parts = torch.cat([even, even + odd, odd])
        self.register_buffer("weight", parts.flatten(0, 1).unsqueeze(-1).contiguous())
        self.groups = conv.groups * len(parts)

    def length(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return how many inputs [] so many outputs [] take, a few to spare."""
        whole = 2**_HALVINGS
        rounded = torch.div(outputs + whole - 1, whole, rounding_mode="trunc") * whole
        return rounded + self.taps + whole - 2

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        """Convolve as many inputs as `length` said."""
        parts = stream.unsqueeze(0)  # [1, T, C]
        for _ in range(_HALVINGS):
            even, odd = parts[:, 0::2], parts[:, 1::2]
            now, after = even[:, :-1], even[:, 1:]
            odd = odd[:, :-1]
            parts = torch.cat([now - odd, odd, after - odd])
        channels = parts.transpose(1, 2).flatten(0, 1).unsqueeze(0).unsqueeze(-1)
        products = torch.nn.functional.conv2d(channels, self.weight, groups=self.groups)
        parts = products.view(len(parts), self.channels, -1).transpose(1, 2)
        for _ in range(_HALVINGS):
            first, both, second = parts.split(len(parts) // 3)
            parts = torch.stack([first + both, both + second], dim=2).flatten(1, 2)
        return parts[0]
