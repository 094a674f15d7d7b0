"""The audio classifier as Triton runs it: ragged samples in, seven probabilities out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from export.frames import FrameMask, MaskedGroupNormConv, conv_frames
from export.ragged import pad_rows
from export.wavlm_attention import MaskedWavLMAttention

INPUT_NAMES = ["samples", "length", "samples_stride"]


def min_samples(config: Any) -> int:
    """Return the shortest clip that the convolutions make one frame of."""
    samples = 1
    for kernel, stride in zip(
        reversed(config.conv_kernel), reversed(config.conv_stride), strict=True
    ):
        samples = (samples - 1) * stride + kernel
    return samples


class AudioGraph(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """A Wav2Vec2, HuBERT or WavLM classifier, exact for each clip of a padded batch.

    Takes `model` over: some of its layers are replaced. Keep another copy to compare with.
    """

    def __init__(
        self,
        model: Any,
        projection: npt.NDArray[np.float32],
        coverage: npt.NDArray[np.float32],
        do_normalize: bool,
    ) -> None:
        super().__init__()
        self.model = model
        self.base = getattr(model, model.base_model_prefix)
        self.do_normalize = do_normalize
        self.shortest = min_samples(model.config)
        self.mask = FrameMask()
        _mask_layers(self.base, self.mask)
        self.register_buffer("projection", torch.from_numpy(projection))
        self.register_buffer("coverage", torch.from_numpy(coverage))

    def forward(
        self, samples: torch.Tensor, length: torch.Tensor, stride: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probabilities [B, 7] and coverage [B, 7] of samples [T], length, stride [B, 1]."""
        rows, valid = pad_rows(samples, length, stride, pad=0.0, shortest=self.shortest)
        if self.do_normalize:
            rows = normalize(rows, valid)
        features = self._features(rows, valid).transpose(1, 2)  # [B, F, C]
        hidden = self.base.feature_projection(features)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        layers = self.base.encoder(hidden, output_hidden_states=True).hidden_states
        logits = self.model.classifier(self.model.projector(self._pooled(layers)))
        probabilities = torch.softmax(logits, dim=-1) @ self.projection
        return probabilities, self.coverage.expand(length.shape[0], -1)

    def _features(self, rows: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Run the convolutions, [B, C, F], and set the mask that the layers share."""
        config, extractor = self.model.config, self.base.feature_extractor
        frames = valid.sum(dim=1, keepdim=True)
        hidden = rows.unsqueeze(1)
        kernels = zip(config.conv_kernel, config.conv_stride, strict=True)
        for layer, (kernel, stride) in zip(extractor.conv_layers, kernels, strict=True):
            frames = conv_frames(frames, kernel, stride)
            if isinstance(layer, MaskedGroupNormConv):
                self.mask.first_frames = frames
            hidden = layer(hidden)
        self.mask.set_valid(torch.arange(hidden.shape[-1]).unsqueeze(0) < frames)
        return hidden

    def _pooled(self, layers: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return the mean over real frames [B, H] of the last layer, or of all, weighted.

        The mean is taken first: it and the projector after it are linear, so the order is
        free, and this one never holds all layers at full length.
        """
        share = self.mask.valid.to(torch.float32)
        share = (share / share.sum(dim=1, keepdim=True)).unsqueeze(1)  # [B, 1, F]
        if not self.model.config.use_weighted_layer_sum:
            return torch.matmul(share, layers[-1]).squeeze(1)
        means = torch.cat([torch.matmul(share, layer) for layer in layers], dim=1)
        weights = torch.softmax(self.model.layer_weights, dim=-1)
        return (means * weights.unsqueeze(-1)).sum(dim=1)


def normalize(rows: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Zero mean, unit variance over each row's own samples, as Wav2Vec2FeatureExtractor does.

    Summed in float64: a clip has up to half a million samples. Padding stays zero.
    """
    count = valid.sum(dim=1, keepdim=True)
    mean = rows.double().sum(dim=1, keepdim=True) / count
    centred = (rows.double() - mean).masked_fill(~valid, 0.0)
    variance = (centred * centred).sum(dim=1, keepdim=True) / count
    normalized = (rows - mean.float()) / torch.sqrt(variance.float() + 1e-7)
    return normalized.masked_fill(~valid, 0.0)


def _mask_layers(base: Any, mask: FrameMask) -> None:
    """Make every layer that looks beyond one frame heed the mask."""
    convolutions, encoder = base.feature_extractor.conv_layers, base.encoder
    if base.config.feat_extract_norm == "group":
        convolutions[0] = MaskedGroupNormConv(convolutions[0], mask)
    encoder.pos_conv_embed.conv.register_forward_pre_hook(mask.silence_padding)
    if base.config.model_type == "wavlm":
        for layer in encoder.layers:
            layer.attention = MaskedWavLMAttention(layer.attention, mask)
    else:
        encoder._update_full_mask = lambda *_: mask.attention_bias
