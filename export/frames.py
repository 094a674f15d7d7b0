"""The convolutions of Wav2Vec2's kind over the clips of a batch, packed one after another.

A convolution over time is a matrix product with the windows of its input. Clips lie in one
stream, each in a slot of whole output frames, so that every layer's windows of one clip start
at the beginning of its slot; windows that reach from one slot into the next are never read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from export.packing import Packing
from export.pieces import Begin, End


def conv_frames(samples: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Return how many frames a convolution makes of so many samples, at least 1."""
    # Rounding towards zero differs from rounding down only below 0, which becomes 1 anyway.
    return (torch.div(samples - kernel, stride, rounding_mode="trunc") + 1).clamp(min=1)


@dataclass(frozen=True)
class Front:
    """The sizes of the convolutions, first to last."""

    kernels: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def min_samples(self) -> int:
        """The shortest clip that makes one frame."""
        return _reach(self.kernels, self.strides)

    @property
    def spare_frames(self) -> int:
        """How many frames a clip's slot is longer than the clip, so that its windows fit."""
        hop = math.prod(self.strides)
        return math.ceil((self.min_samples - hop) / hop)

    @property
    def first_frames_per_frame(self) -> int:
        """How many frames of the first convolution become one of the last."""
        return math.prod(self.strides[1:])

    @property
    def first_frames_of_one(self) -> int:
        """How many frames of the first convolution a lone frame of the last is made of."""
        return _reach(self.kernels[1:], self.strides[1:])

    def frames(self, samples: torch.Tensor) -> torch.Tensor:
        """Return how many frames come out of so many samples, at least 1."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            samples = conv_frames(samples, kernel, stride)
        return samples


def _reach(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return how much input the convolutions need for one frame."""
    length = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        length = (length - 1) * stride + kernel
    return length


class Convolutions(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The feature extractor of a model, whose layers it takes over."""

    def __init__(self, extractor: Any, front: Front) -> None:
        super().__init__()
        self.front = front
        first, *others = extractor.conv_layers
        self.channels = extractor.conv_layers[-1].conv.out_channels
        self.first = _First(first, front)
        self.others = torch.nn.ModuleList([Windowed(layer) for layer in others])

    def forward(self, rows: torch.Tensor, samples: torch.Tensor) -> tuple[torch.Tensor, Packing]:
        """Run over rows [B, S], of which the first `samples` [B] count; the rest is zero.

        Returns:
            The frames [N, C] of all clips, packed, and their packing.
        """
        frames = self.front.frames(samples)
        slots = frames + self.front.spare_frames
        per_frame = self.front.first_frames_per_frame
        first_frames = conv_frames(samples, self.front.kernels[0], self.front.strides[0])
        hidden = self.first(rows, first_frames, Packing(slots * per_frame))
        for layer in self.others:
            hidden = layer(hidden)
        packing, slot_start = Packing(frames), torch.cumsum(slots, dim=0) - slots
        positions = torch.arange(frames.max()).unsqueeze(0)
        index = packing.pack(slot_start.unsqueeze(1) + positions)
        return End.apply(hidden, self.channels)[index], packing

    def width(self, samples: torch.Tensor) -> torch.Tensor:
        """Return how wide [] rows must be for clips of `samples` [B]: the longest slot, padded."""
        slot = (self.front.frames(samples) + self.front.spare_frames).max()
        # One more frame: the norm's windows may lie beyond the slot.
        windows = (slot + 1) * self.front.first_frames_per_frame
        return (windows - 1) * self.front.strides[0] + self.front.kernels[0]


class _First(torch.nn.Module):  # type: ignore[misc]
    """The convolution over samples, which has one input channel."""

    def __init__(self, layer: Any, front: Front) -> None:
        super().__init__()
        self.kernel, self.stride = layer.conv.kernel_size[0], layer.conv.stride[0]
        self.steps = front.first_frames_per_frame, front.first_frames_of_one
        grouped = isinstance(getattr(layer, "layer_norm", None), torch.nn.GroupNorm)
        self.norm: Any = _GroupNormed(layer) if grouped else Windowed(layer)
        self.grouped = grouped

    def forward(self, rows: torch.Tensor, frames: torch.Tensor, slots: Packing) -> torch.Tensor:
        """Return [F, C] for all slots; `frames` [B] of each row are its clip's own."""
        # Picked, not convolved with unit taps: cuDNN searches anew for a convolution of each width.
        windows = rows[:, windows_of(rows.shape[1], self.kernel, self.stride)]  # [B, F0, K]
        positions = torch.arange(slots.counts.max()).unsqueeze(0)
        row_start = torch.arange(slots.counts.shape[0]).unsqueeze(1) * windows.shape[1]
        index = slots.pack(row_start + positions)  # of each slot's windows in [B * F0]
        if self.grouped:
            packed, weights = self.norm.prepared(windows, frames, index)
            out: torch.Tensor = self.norm.of_windows(Begin.apply(packed, *self.steps), weights)
        else:
            packed = windows.flatten(0, 1)[index]
            out = self.norm.of_windows(Begin.apply(packed, *self.steps))
        return out


class _GroupNormed(torch.nn.Module):  # type: ignore[misc]
    """The first convolution and its group norm (one group a channel) as one product.

    The input has one channel, so mean and variance of every output channel follow from the
    mean [K] and the covariance [K, K] of the input windows. Both are taken over the clip's
    own frames only, in two passes and in float64, so that quiet channels keep their digits.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.norm = layer.layer_norm
        self.activation = layer.activation
        self.weight = layer.conv.weight  # [C, 1, K]; a bias would cancel in the norm

    def prepared(
        self, windows: torch.Tensor, frames: torch.Tensor, index: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return windows [F, B * K] and weights [B * K, C] for windows [B, F0, K].

        `index` [F] picks from the flattened B * F0.
        """
        rows, width = windows.shape[0], windows.shape[1]
        centred, covariance = self._statistics(windows, frames)
        weight = self.weight.squeeze(1)  # [C, K]
        wide = weight.double()
        variance = (torch.matmul(wide, covariance) * wide).sum(dim=-1, keepdim=True)  # [B, C, 1]
        gain = self.norm.weight.unsqueeze(1) / torch.sqrt(variance + self.norm.eps).float()
        # Each clip has weights of its own: a clip's windows meet only its block of them.
        mine = torch.div(index, width, rounding_mode="trunc").unsqueeze(1) == torch.arange(rows)
        packed = centred.flatten(0, 1)[index].unsqueeze(1) * mine.unsqueeze(2).float()
        weights = (weight * gain).transpose(1, 2).flatten(0, 1)
        return packed.flatten(1), weights

    def of_windows(self, windows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return [F, C] of what was prepared."""
        normed: torch.Tensor = self.activation(torch.matmul(windows, weights) + self.norm.bias)
        return normed

    def _statistics(
        self, windows: torch.Tensor, frames: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the windows less their clip's mean, and the covariances [B, K, K]."""
        count = frames.unsqueeze(1).unsqueeze(1)  # [B, 1, 1]
        own = (torch.arange(windows.shape[1]) < frames.unsqueeze(1)).double().unsqueeze(1)
        mean = torch.matmul(own, windows.double()) / count  # [B, 1, K]
        centred = windows.double() - mean
        covariance = torch.matmul(centred.transpose(1, 2) * own, centred) / count
        return windows - mean.float(), covariance


class Windowed(torch.nn.Module):  # type: ignore[misc]
    """A convolution [F, C] to [F', D] as a product, with the layer's norm and activation."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.convolve = WindowsProduct(layer.conv)
        self.norm = getattr(layer, "layer_norm", torch.nn.Identity())
        self.activation = layer.activation

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the frames whose windows lie wholly inside `hidden`."""
        out: torch.Tensor = self.activation(self.norm(self.convolve(hidden)))
        return out

    def of_windows(self, windows: torch.Tensor) -> torch.Tensor:
        """Return [F', D] of windows [F', K * C]."""
        out: torch.Tensor = self.activation(self.norm(self.convolve.product(windows)))
        return out


class WindowsProduct(torch.nn.Module):  # type: ignore[misc]
    """A convolution [F, C] to [F', D] as the product of its windows and weights."""

    def __init__(self, conv: Any) -> None:
        super().__init__()
        self.kernel, self.stride = conv.kernel_size[0], conv.stride[0]
        width = self.kernel * conv.in_channels
        self.product = torch.nn.Linear(width, conv.out_channels, bias=conv.bias is not None)
        self.product.weight = torch.nn.Parameter(conv.weight.transpose(1, 2).flatten(1))
        if conv.bias is not None:
            self.product.bias = conv.bias

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return [F', D] of all windows that lie wholly inside `hidden` [F, C]."""
        windows = hidden[windows_of(hidden.shape[0], self.kernel, self.stride)]  # [F', K, C]
        product: torch.Tensor = self.product(windows.flatten(1))
        return product


def windows_of(count: int, kernel: int, stride: int) -> torch.Tensor:
    """Return which of `count` frames or samples each window [F, K] that fits in is made of."""
    return torch.arange(0, count - kernel + 1, stride).unsqueeze(1) + torch.arange(kernel)
