"""The text classifier as Triton runs it: ragged token ids in, seven probabilities out."""

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from export.ragged import pad_rows

INPUT_NAMES = ["input_ids", "length", "input_ids_stride"]


class TextGraph(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Any AutoModelForSequenceClassification, unchanged, behind a ragged batch."""

    def __init__(
        self,
        model: Any,
        projection: npt.NDArray[np.float32],
        coverage: npt.NDArray[np.float32],
        pad_id: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.pad_id = pad_id
        self.takes_token_types = "token_type_ids" in inspect.signature(model.forward).parameters
        self.register_buffer("projection", torch.from_numpy(projection))
        self.register_buffer("coverage", torch.from_numpy(coverage))

    def forward(
        self, input_ids: torch.Tensor, length: torch.Tensor, stride: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probabilities [B, 7] and coverage [B, 7] of ids [T], length and stride [B, 1]."""
        rows, valid = pad_rows(input_ids, length, stride, pad=self.pad_id, shortest=1)
        inputs = {"input_ids": rows, "attention_mask": valid.to(torch.int64)}
        if self.takes_token_types:
            inputs["token_type_ids"] = torch.zeros_like(rows)
        logits = self.model(**inputs).logits
        probabilities = torch.softmax(logits, dim=-1) @ self.projection
        return probabilities, self.coverage.expand(length.shape[0], -1)
