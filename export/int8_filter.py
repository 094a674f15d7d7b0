"""The positional convolution in integers, from uint8 to uint8.

As the products of `export.int8`: constant scales, weights of 7 bits, and channels that range
widely divided before they are rounded. Its answers are rounded as well, which costs less than it
seems: they are added to the hidden states and normalized with them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from export.int8_operators import WEIGHT_MAX, Convolution, Dequantize, Quantize, levels
from export.packed_encoder import Filter
from export.seen import Range, children, hooked


@dataclass(frozen=True)
class Ranges:
    """How far a filter's inputs and outputs ranged while the graph ran."""

    inputs: Range = field(default_factory=Range)
    outputs: Range = field(default_factory=Range)

    def see(self, _layer: Any, inputs: tuple[torch.Tensor], outputs: torch.Tensor) -> None:
        """Widen them; to be called after each run of the filter."""
        self.inputs.see(inputs[0])
        self.outputs.see(outputs)


class Int8Filter(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Stands in for a `Filter`, [T, C] to [T', D].

    Args:
        layer: whose weights to take.
        ranges: of its inputs and outputs.
    """

    def __init__(self, layer: Filter, ranges: Ranges) -> None:
        super().__init__()
        self.groups = layer.conv.groups
        grouped = layer.weight.detach().unflatten(0, (self.groups, -1))  # [G, D/G, C/G, K, 1]
        gain = ranges.inputs.smoothing(grouped.abs().amax(dim=(1, 3, 4)).flatten())  # [C]
        weight = (grouped / gain.reshape(self.groups, 1, -1, 1, 1)).flatten(0, 1)
        scale = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-9) / WEIGHT_MAX
        integers = torch.round(weight / scale.reshape(-1, 1, 1, 1)).to(torch.int8)
        self.register_buffer("gain", gain)
        self.register_buffer("weight", integers)
        self.register_buffer("weight_scale", scale)
        self._keep("input", *ranges.inputs.ends(gain))
        self._keep("output", *ranges.outputs.ends())

    def _keep(self, name: str, low: float, high: float) -> None:
        scale, zero = levels(low, high)
        self.register_buffer(f"{name}_scale", scale)
        self.register_buffer(f"{name}_zero", zero)

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all windows that lie wholly inside."""
        scaled = (stream * self.gain).unsqueeze(0).unsqueeze(2)  # [1, T, 1, C]
        integers = Quantize.apply(scaled, self.input_scale, self.input_zero)
        of_inputs = integers, self.input_scale, self.input_zero
        of_outputs = self.output_scale, self.output_zero
        convolved = Convolution.apply(
            *of_inputs, self.weight, self.weight_scale, *of_outputs, self.groups
        )
        outputs: torch.Tensor = Dequantize.apply(convolved, *of_outputs)
        return outputs.squeeze(2).squeeze(0)


def replace(graph: Any, ranges: Mapping[Filter, Ranges]) -> None:
    """Replace the graph's filters by int8 ones, in place."""
    for parent, name, layer in list(_filters(graph)):
        setattr(parent, name, Int8Filter(layer, ranges[layer]))


def _filters(graph: Any) -> Iterator[tuple[Any, str, Filter]]:
    """Yield the filters: the module and the attribute they are at."""
    for parent, name, layer in children(graph):
        if isinstance(layer, Filter):
            yield parent, name, layer


@contextmanager
def watched(graph: Any) -> Iterator[dict[Filter, Ranges]]:
    """Record the ranges of each filter while the graph runs."""
    seen = {layer: Ranges() for _, _, layer in _filters(graph)}
    hooks = [layer.register_forward_hook(ranges.see) for layer, ranges in seen.items()]
    with hooked(hooks):
        yield seen
