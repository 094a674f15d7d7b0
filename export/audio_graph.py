"""The audio classifier as Triton runs it: ragged samples in, seven probabilities out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from export.frames import Convolutions, Front
from export.packed_encoder import pack_encoder
from export.packing import Shared
from export.ragged import for_each, pad_rows

INPUT_NAMES = ["samples", "length", "samples_stride"]


def front(config: Any) -> Front:
    """Return the sizes of a model's convolutions."""
    return Front(tuple(config.conv_kernel), tuple(config.conv_stride))


class AudioGraph(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """A Wav2Vec2, HuBERT or WavLM classifier, exact for each clip of a batch.

    The clips lie packed one after another: no layer works on padding, but for attention's
    scores. Takes `model` over: some of its layers are replaced. Keep another copy to compare
    with.
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
        self.shared = Shared()
        self.convolutions = Convolutions(self.base.feature_extractor, front(model.config))
        self.shortest = self.convolutions.front.min_samples
        pack_encoder(self.base, self.shared)
        self.register_buffer("projection", torch.from_numpy(projection))
        self.register_buffer("coverage", torch.from_numpy(coverage))

    def forward(
        self, samples: torch.Tensor, length: torch.Tensor, stride: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probabilities [B, 7] and coverage [B, 7] of samples [T], length, stride [B, 1]."""
        counts = torch.minimum(length, stride).to(torch.int64).clamp(min=1).squeeze(1)
        width = self.convolutions.width(counts)
        rows, valid = pad_rows(samples, length, stride, pad=0.0, shortest=width)
        if self.do_normalize:
            rows = normalize(rows, valid)
        frames, self.shared.packing = self.convolutions(rows, counts)
        hidden = self.base.feature_projection(frames.unsqueeze(0))
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden  # [1, N, H]
        layers = self.base.encoder(hidden, output_hidden_states=True).hidden_states
        logits = self.model.classifier(self.model.projector(self._pooled(layers)))
        probabilities = torch.softmax(logits, dim=-1) @ self.projection
        return probabilities, for_each(self.coverage, length)

    def _pooled(self, layers: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return the mean over each clip's frames [B, H] of the last layer, or of all, weighted.

        The mean is taken first: it and the projector after it are linear, so the order is
        free, and this one never holds all layers at full length.
        """
        packing = self.shared.packing
        share = packing.membership() / packing.counts.unsqueeze(1)  # [B, N]
        if not self.model.config.use_weighted_layer_sum:
            return torch.matmul(share, layers[-1].flatten(0, 1))
        means = torch.stack([torch.matmul(share, layer.flatten(0, 1)) for layer in layers], dim=1)
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
