"""The text classifier as Triton runs it: ragged token ids in, seven probabilities out."""

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from export.packed_bert import PackedBert, is_packable
from export.ragged import for_each, pad_rows

INPUT_NAMES = ["input_ids", "length", "input_ids_stride"]


class TextGraph(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Any AutoModelForSequenceClassification behind a ragged batch.

    BERT's and RoBERTa's kind run packed, without work on padding, and take `model` over;
    others run as they are, padded.
    """

    def __init__(
        self,
        model: Any,
        projection: npt.NDArray[np.float32],
        coverage: npt.NDArray[np.float32],
        pad_id: int,
    ) -> None:
        super().__init__()
        self.model = PackedBert(model) if is_packable(model.config) else _Padded(model)
        self.pad_id = pad_id
        self.register_buffer("projection", torch.from_numpy(projection))
        self.register_buffer("coverage", torch.from_numpy(coverage))

    def forward(
        self, input_ids: torch.Tensor, length: torch.Tensor, stride: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probabilities [B, 7] and coverage [B, 7] of ids [T], length and stride [B, 1]."""
        rows, valid = pad_rows(input_ids, length, stride, pad=self.pad_id, shortest=1)
        probabilities = torch.softmax(self.model(rows, valid), dim=-1) @ self.projection
        return probabilities, for_each(self.coverage, length)


class _Padded(torch.nn.Module):  # type: ignore[misc]
    """The model as it is, with the mask it takes."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.classifier = model
        self.takes_token_types = "token_type_ids" in inspect.signature(model.forward).parameters

    def forward(self, rows: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Return logits [B, labels] of ids and mask [B, L]."""
        inputs = {"input_ids": rows, "attention_mask": valid.to(torch.int64)}
        if self.takes_token_types:
            inputs["token_type_ids"] = torch.zeros_like(rows)
        logits: torch.Tensor = self.classifier(**inputs).logits
        return logits
