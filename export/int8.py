"""Static int8: matrix products of unsigned 8-bit inputs with signed 7-bit weights.

All scales are constants or a row's own, so a neighbour in a batch cannot move an answer as it
would with scales taken from the batch. Four known remedies keep the answers:

- Channels that range widely are divided, and their weights multiplied, before rounding:
  SmoothQuant, https://arxiv.org/abs/2211.10438
- The few channels that weigh most are left out and multiplied in float32: LLM.int8(),
  https://arxiv.org/abs/2208.07339. Only where they must be (`Kept`).
- Weights are rounded so that the answers to real inputs change least: `export.rounding`. What a
  product is off by on average then, its bias takes back: Nagel et al. 2019,
  https://arxiv.org/abs/1906.04721
- Windows of a convolution, silent or loud, are each rounded on a scale of their own.

Weights have 7 bits, because AVX2's product of bytes adds two of them into 16 bits and
saturates (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html,
"reduce_range"). So the same integers come out on every machine.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from export import int8_filter
from export.frames import WindowsProduct, windows_of
from export.int8_operators import (
    WEIGHT_MAX,
    Product,
    Quantize,
    QuantizeRows,
    levels,
    mean_square,
    size,
)
from export.manifest import Branch
from export.rounding import rounded
from export.seen import Inputs, Seen, children, hooked

_LEAST_FEATURES = 32  # smaller products cost nothing, and matter: the head, the first windows
_WIDE_CHANNELS = 16


@dataclass(frozen=True)
class Kept:
    """What stays in float32: the more, the closer the answers and the slower.

    The widest channels do before a product that makes fewer features of many, as the second one
    of a feed-forward network: they weigh most there, and cost least. `wide`: before all others too.
    """

    wide: bool = False
    convolutions: bool = False


ATTEMPTS: dict[Branch, tuple[Kept, ...]] = {
    "text": (Kept(), Kept(wide=True)),
    "audio": (Kept(), Kept(wide=True), Kept(wide=True, convolutions=True)),
}
"""Fastest first: the first that passes the gate is published."""


def quantize(graph: Any, run: Callable[[Any], None], kept: Kept) -> None:
    """Replace the graph's large linear layers by int8 ones, in place.

    Args:
        graph: the module that will be exported.
        run: calls the graph on the inputs to calibrate with.
        kept: what is not.
    """
    with _watched(graph) as seen, int8_filter.watched(graph) as ranges:
        run(graph)
    if not kept.convolutions:
        int8_filter.replace(graph, ranges)
        _replace_windows(graph, seen)
    folded = set(_fold(graph, seen))
    for parent, name, layer in list(_products(graph)):
        if seen[layer].normalized:
            continue
        narrows = layer.in_features > layer.out_features
        wide = _WIDE_CHANNELS if kept.wide or narrows else 0
        alike = layer in folded or (narrows and not kept.wide)
        gain = None if alike else _gain(layer, seen[layer])
        setattr(parent, name, Int8Linear(layer, seen[layer], wide, gain))


def _gain(layer: Any, seen: Seen) -> torch.Tensor:
    """Return what to multiply each of a linear layer's input channels [K] by."""
    return seen.smoothing(layer.weight.detach().abs().amax(dim=0))


def _fold(graph: Any, seen: dict[Any, Seen]) -> Iterator[Any]:
    """Multiply attention's values in the layer that makes them, and yield those that take them.

    Attention adds values up, each channel for itself: what they are multiplied by, so are the sums.
    """
    for module in graph.modules():
        if not hasattr(module, "values_and_output"):
            continue
        values, output = module.values_and_output()
        gain = _gain(output, seen[output])
        with torch.no_grad():
            values.weight[-len(gain) :] *= gain.unsqueeze(1)
            values.bias[-len(gain) :] *= gain
            output.weight /= gain
        seen[output].multiply(gain)
        yield output


class Int8Linear(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Stands in for a linear layer, [..., K] to [..., N].

    Args:
        layer: whose weights to take.
        seen: its inputs.
        wide: how many channels stay in float32, those that range most widely.
        gain: [K], what the others are multiplied by, or None.
    """

    def __init__(
        self, layer: Any, seen: Seen, wide: int = _WIDE_CHANNELS, gain: torch.Tensor | None = None
    ) -> None:
        super().__init__()
        weight = layer.weight.detach().t()  # [K, N]
        scaling = torch.ones(len(weight)) if gain is None else gain
        widest = (seen.reach * scaling).topk(min(wide, len(weight))).indices.sort().values
        kept = torch.ones_like(scaling)
        kept[widest] = 0.0
        self.register_buffer("wide", widest)
        self.register_buffer("wide_weight", weight[widest].contiguous())
        # A wide channel may saturate: its integer weights are 0.
        self.register_buffer("gain", gain)
        scaled = weight * (kept / scaling).unsqueeze(1)
        self.product = _Rounded(scaled, layer.bias.detach(), seen.scaled(kept * scaling))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the integer product of the most channels, plus the wide ones' product."""
        product: torch.Tensor = self.product(inputs if self.gain is None else inputs * self.gain)
        if not len(self.wide):
            return product
        wide = inputs[..., self.wide]
        if product.dim() == 2:  # one operator for both
            return torch.addmm(product, wide, self.wide_weight)
        return product + torch.matmul(wide, self.wide_weight)


class Int8Windows(torch.nn.Module):  # type: ignore[misc]
    """Stands in for a `WindowsProduct`, frames [F, C] to [F', N].

    Args:
        layer: whose weights to take.
        seen: its windows, each brought to a mean square of 1.
    """

    def __init__(self, layer: WindowsProduct, seen: Seen) -> None:
        super().__init__()
        self.kernel, self.stride = layer.kernel, layer.stride
        self.bias = layer.product.bias
        weight = layer.product.weight.detach().t()
        no_bias = torch.zeros(weight.shape[1])
        self.product = _Rounded(weight, no_bias, seen.scaled(torch.ones(len(weight))))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the product of the windows, rounded on a scale of each one's own."""
        frames = windows_of(hidden.shape[0], self.kernel, self.stride)  # [F', K]
        sizes = size(mean_square(hidden)[frames].mean(dim=1))
        scales = sizes * self.product.scale
        product = self.product.of_integers(self._integers(hidden, frames, scales))
        # Divided: ONNX Runtime takes no GELU behind a multiplication for one operator.
        product = product / (1.0 / sizes).unsqueeze(1)
        return product if self.bias is None else product + self.bias

    def _integers(
        self, hidden: torch.Tensor, frames: torch.Tensor, scales: torch.Tensor
    ) -> torch.Tensor:
        """Return uint8 windows [F', K * C], without making any of float32.

        A frame is in several windows, which begin one after another and differ in scale: it is
        rounded once for each `stride` of the kernel, and windows are picked from all of these.
        """
        first, last = torch.tensor(0), torch.as_tensor(scales.shape[0] - 1)
        block = torch.arange(hidden.shape[0]) // self.stride  # the window that begins with it
        roundings = [
            QuantizeRows.apply(hidden, scales[(block - back).clamp(first, last)], self.product.zero)
            for back in range(math.ceil(self.kernel / self.stride))
        ]
        where = torch.arange(self.kernel) // self.stride * hidden.shape[0]
        return torch.cat(roundings)[frames + where].flatten(1)


class _Rounded(torch.nn.Module):  # type: ignore[misc]
    """An integer product with constant scales, [..., K] to [..., N]."""

    bias: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, inputs: Inputs) -> None:
        super().__init__()
        scale, zero = levels(inputs.low, inputs.high)
        weight_scale = weight.abs().amax(dim=0).clamp(min=1e-9) / WEIGHT_MAX
        integers = rounded(weight, weight_scale, inputs.covariance, WEIGHT_MAX)
        off = torch.matmul(inputs.mean, integers * weight_scale - weight)  # on average
        self.register_buffer("scale", scale)
        self.register_buffer("zero", zero)
        self.register_buffer("weight", integers.contiguous())
        self.register_buffer("weight_scale", weight_scale)
        self.register_buffer("bias", bias - off)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Round the inputs to integers and multiply those."""
        return self.of_integers(Quantize.apply(inputs, self.scale, self.zero))

    def of_integers(self, integers: torch.Tensor) -> torch.Tensor:
        """Multiply inputs that are rounded."""
        product: torch.Tensor = Product.apply(
            integers, self.weight, self.scale, self.weight_scale, self.zero, self.bias
        )
        return product


def _replace_windows(graph: Any, seen: dict[Any, Seen]) -> None:
    for parent, name, layer in list(children(graph)):
        if isinstance(layer, WindowsProduct) and layer.product in seen:
            setattr(parent, name, Int8Windows(layer, seen[layer.product]))


def _products(graph: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield the linear layers worth replacing: the module and the attribute they are at."""
    for parent, name, layer in children(graph):
        is_linear = isinstance(layer, torch.nn.Linear)
        if is_linear and min(layer.in_features, layer.out_features) >= _LEAST_FEATURES:
            yield parent, name, layer


@contextmanager
def _watched(graph: Any) -> Iterator[dict[Any, Seen]]:
    """Record the ranges of each layer's inputs while the graph runs."""
    seen = {
        layer: Seen(isinstance(parent, WindowsProduct)) for parent, _, layer in _products(graph)
    }
    hooks = [
        layer.register_forward_pre_hook(lambda module, args: seen[module].see(args[0]))
        for layer in seen
    ]
    with hooked(hooks):
        yield seen
