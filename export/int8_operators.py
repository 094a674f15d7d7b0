"""The operators of an int8 graph, for the exporter and, the same, in torch.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from typing import Any

import torch

LEVELS = 255  # of an input: 0 to 255
WEIGHT_MAX = 64  # 2 · 255 · 64 just fits into 16 bits
_EPSILON = 1e-12  # a row of zeros stays one; quieter rows than a whisper keep their digits


def levels(low: float, high: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scale and zero point [] so that `LEVELS` steps reach from `low` to `high`."""
    low, high = min(low, 0.0), max(high, 0.0)  # 0 must be one of the levels
    scale = max(high - low, 1e-6) / LEVELS
    return torch.tensor(scale), torch.tensor(round(-low / scale), dtype=torch.uint8)


class Quantize(torch.autograd.Function):  # type: ignore[misc]  # torch is untyped here
    """Float32 values, a scale and a zero point to uint8."""

    @staticmethod
    def forward(
        _context: Any, values: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor
    ) -> torch.Tensor:
        """Round to the nearest level."""
        return torch.clamp(torch.round(values / scale) + zero, 0, LEVELS).to(torch.uint8)

    @staticmethod
    def symbolic(g: Any, values: Any, scale: Any, zero: Any) -> Any:
        """Emit QuantizeLinear."""
        made = g.op("QuantizeLinear", values, scale, zero)
        return made.setType(values.type().with_dtype(torch.uint8))


class Product(torch.autograd.Function):  # type: ignore[misc]
    """An integer product, its scales and its bias in one operator."""

    @staticmethod
    def forward(_context: Any, *inputs: torch.Tensor) -> torch.Tensor:
        """Return [..., N] of uint8 [..., K], int8 [K, N], scale, scales [N], zero, bias [N]."""
        integers, weight, scale, weight_scale, zero, bias = inputs
        centred = integers.float() - zero.float()
        return torch.matmul(centred, weight.float()) * (scale * weight_scale) + bias

    @staticmethod
    def symbolic(g: Any, *inputs: Any) -> Any:
        """Emit MatMulIntegerToFloat."""
        integers, weight, scale, weight_scale, zero, bias = inputs
        none = g.op("prim::Constant")
        none.setType(torch._C.OptionalType.ofTensor())
        arguments = (integers, weight, scale, weight_scale, zero, none, bias)
        made = g.op("com.microsoft::MatMulIntegerToFloat", *arguments)
        shape = [*integers.type().varyingSizes()[:-1], bias.type().sizes()[0]]
        return made.setType(integers.type().with_dtype(torch.float32).with_sizes(shape))


class QuantizeRows(torch.autograd.Function):  # type: ignore[misc]
    """Rows of float32 values, a scale for each and a zero point for all to uint8."""

    @staticmethod
    def forward(
        _context: Any, rows: torch.Tensor, scales: torch.Tensor, zero: torch.Tensor
    ) -> torch.Tensor:
        """Round rows [F, K] to the nearest levels, of scales [F]."""
        return Quantize.forward(None, rows, scales.unsqueeze(1), zero)

    @staticmethod
    def symbolic(g: Any, rows: Any, scales: Any, zero: Any) -> Any:
        """Emit QuantizeLinear along the first axis, which wants as many zero points."""
        zeros = g.op("Expand", zero, g.op("Shape", scales))
        made = g.op("QuantizeLinear", rows, scales, zeros, axis_i=0)
        return made.setType(rows.type().with_dtype(torch.uint8))


def mean_square(rows: torch.Tensor) -> torch.Tensor:
    """Return that of each row [F, K]: [F]."""
    return (rows * rows).mean(dim=1)


def size(mean_squares: torch.Tensor) -> torch.Tensor:
    """Return what rows of these mean squares are divided by, so that they come to 1."""
    return torch.sqrt(mean_squares + _EPSILON)


class Dequantize(torch.autograd.Function):  # type: ignore[misc]
    """The float32 values that uint8 integers stand for."""

    @staticmethod
    def forward(
        _context: Any, integers: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor
    ) -> torch.Tensor:
        """Return them, in the same shape."""
        return (integers.float() - zero.float()) * scale

    @staticmethod
    def symbolic(g: Any, integers: Any, scale: Any, zero: Any) -> Any:
        """Emit DequantizeLinear."""
        made = g.op("DequantizeLinear", integers, scale, zero)
        return made.setType(integers.type().with_dtype(torch.float32))


class Convolution(torch.autograd.Function):  # type: ignore[misc]
    """A grouped convolution over time, of integers to integers."""

    @staticmethod
    def forward(_context: Any, *inputs: Any) -> torch.Tensor:
        """Return uint8 [1, T', 1, D] of uint8 [1, T, 1, C].

        Args:
            inputs: the integers, their scale and zero; int8 weights [D, C/G, K, 1], their scales
                [D]; the result's scale and zero; the number of groups G.
        """
        integers, scale, zero, weight, weight_scale, to_scale, to_zero, groups = inputs
        channels = integers.permute(0, 3, 1, 2).float() - zero.float()
        sums = torch.nn.functional.conv2d(channels, weight.float(), groups=groups)
        products = sums.permute(0, 2, 3, 1) * (scale * weight_scale)
        return Quantize.forward(None, products, to_scale, to_zero)

    @staticmethod
    def symbolic(g: Any, *inputs: Any) -> Any:
        """Emit QLinearConv with channels last."""
        integers, scale, zero, weight, weight_scale, to_scale, to_zero, groups = inputs
        channels = weight_scale.type().sizes()[0]
        weight_zero = g.op("Constant", value_t=torch.zeros(channels, dtype=torch.int8))
        arguments = integers, scale, zero, weight, weight_scale, weight_zero, to_scale, to_zero
        attributes = {"group_i": groups, "channels_last_i": 1}
        made = g.op("com.microsoft::QLinearConv", *arguments, **attributes)
        return made.setType(integers.type().with_sizes([1, None, 1, channels]))
