"""Which frames of a padded batch are real, and the audio layers that must know it.

Three kinds of layers look beyond one frame: the group norm of the first convolution (over
all time), the positional convolution and attention. Each gets its mask here; everything
else in a Wav2Vec2-like model works frame by frame.
"""

from typing import Any

import torch
from torch.nn import functional


def conv_frames(samples: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Return how many frames a convolution makes of so many samples, at least 1."""
    # Rounding towards zero differs from rounding down only below 0, which becomes 1 anyway.
    return (torch.div(samples - kernel, stride, rounding_mode="trunc") + 1).clamp(min=1)


class FrameMask:
    """The mask of the batch that is running, shared by the layers that need it."""

    def __init__(self) -> None:
        self.first_frames = torch.zeros(0)  # [B, 1], real frames after the first convolution
        self.valid = torch.zeros(0)  # [B, F], true for real frames after the last one
        self.attention_bias = torch.zeros(0)  # [B, 1, 1, F], 0 for real frames, else the lowest

    def set_valid(self, valid: torch.Tensor) -> None:
        """Set the mask [B, F] of the frames that the encoder gets."""
        self.valid = valid
        bias = torch.zeros_like(valid, dtype=torch.float32)
        bias = bias.masked_fill(~valid, torch.finfo(torch.float32).min)
        self.attention_bias = bias.unsqueeze(1).unsqueeze(1)

    def silence_padding(self, _module: Any, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        """Pre-hook of a convolution over [B, C, F]: padding is zero, as beyond a lone clip's end.

        Zeroed here and not earlier, because a batch norm in between would shift it again.
        """
        return (args[0].masked_fill(~self.valid.unsqueeze(1), 0.0),)


class MaskedGroupNormConv(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The first convolution and its group norm (one group a channel) as one product.

    The input has one channel, so mean and variance of every output channel follow from the
    mean [K] and the covariance [K, K] of the input windows. Both are taken over the clip's
    own frames only, in two passes and in float64, so that quiet channels keep their digits.
    """

    def __init__(self, layer: Any, mask: FrameMask) -> None:
        super().__init__()
        self.mask = mask
        self.norm = layer.layer_norm
        self.activation = layer.activation
        self.weight = layer.conv.weight  # [C, 1, K]; a bias would cancel in the norm
        self.stride = layer.conv.stride[0]
        self.register_buffer("taps", torch.eye(self.weight.shape[-1]).unsqueeze(1))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return [B, C, F] of samples [B, 1, S]."""
        windows = functional.conv1d(samples, self.taps, stride=self.stride)  # [B, K, F]
        centred, covariance = self._statistics(windows)
        weight = self.weight.squeeze(1)  # [C, K]
        wide = weight.double()
        variance = (torch.matmul(wide, covariance) * wide).sum(dim=-1, keepdim=True)  # [B, C, 1]
        gain = self.norm.weight.unsqueeze(1) / torch.sqrt(variance + self.norm.eps).float()
        return self.activation(torch.matmul(weight * gain, centred) + self.norm.bias.unsqueeze(1))

    def _statistics(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the windows less their mean [B, K, F], and their covariance [B, K, K]."""
        frames = self.mask.first_frames.unsqueeze(1)  # [B, 1, 1]
        padding = torch.arange(windows.shape[-1]) >= frames  # [B, 1, F]
        mean = windows.double().masked_fill(padding, 0.0).sum(dim=-1, keepdim=True) / frames
        centred = (windows.double() - mean).masked_fill(padding, 0.0)
        covariance = torch.matmul(centred, centred.transpose(1, 2)) / frames
        return windows - mean.float(), covariance
