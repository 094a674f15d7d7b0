"""BERT's and RoBERTa's kind of classifier over packed rows.

Their heads read the first token only. So the last layer needs keys and values of all tokens,
but everything else of the first ones alone: a tenth to a sixth of the work less.
"""

from typing import Any

import torch

from export import embedded
from export.packing import PackedAttention, Packing, Shared, attend, joined

_KINDS = {"bert", "camembert", "roberta", "xlm-roberta"}


def is_packable(config: Any) -> bool:
    """Return whether `PackedBert` computes what a model of this config does."""
    positions = getattr(config, "position_embedding_type", "absolute")
    return config.model_type in _KINDS and positions == "absolute"


class PackedBert(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Takes `model` over: its attention layers are replaced. Keep another copy to compare with."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.shared = Shared()
        self.base = getattr(model, model.base_model_prefix)
        self.classifier = model.classifier
        *layers, last = self.base.encoder.layer
        self.layers = torch.nn.ModuleList(
            [*(_Layer(layer, self.shared) for layer in layers), _LastLayer(last, self.shared)]
        )

    def forward(self, rows: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Return logits [B, labels] of ids and mask [B, L]."""
        self.shared.packing = Packing(valid.sum(dim=1))
        hidden = self._embedded(rows, valid)
        for layer in self.layers:
            hidden = layer(hidden)
        first = hidden.unsqueeze(1)  # [B, 1, H], what the head takes its [:, 0] of
        pooled = first if self.base.pooler is None else self.base.pooler(first)
        logits: torch.Tensor = self.classifier(pooled)
        return logits

    def _embedded(self, rows: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Return [N, H]: words, the first token type, positions, added up in the model's order."""
        embeddings, packing = self.base.embeddings, self.shared.packing
        padding = embeddings.position_embeddings.padding_idx
        # RoBERTa's kind counts from its padding on, and passes over padding in a text.
        counted = (valid if padding is None else rows != padding).to(torch.int64)
        positions = counted.cumsum(dim=1)
        positions = positions - 1 if padding is None else positions * counted + padding
        ids, positions = (each.reshape(-1)[packing.into] for each in (rows, positions))
        tables = [
            embeddings.word_embeddings.weight,
            embeddings.position_embeddings.weight,
            embeddings.token_type_embeddings.weight,
        ]
        norm = embeddings.LayerNorm
        hidden: torch.Tensor = embedded.Mark.apply(
            ids, positions, *tables, norm.weight, norm.bias, norm.eps
        )
        return hidden


class _Layer(torch.nn.Module):  # type: ignore[misc]
    """One encoder layer, [N, H] to [N, H]."""

    def __init__(self, layer: Any, shared: Shared) -> None:
        super().__init__()
        old = layer.attention.self
        self.attention = PackedAttention(
            old.query, old.key, old.value, old.num_attention_heads, shared
        )
        self.layer = layer
        del layer.attention.self

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Attend, then feed forward."""
        return _feed_forward(self.layer, self.attention(hidden), hidden)

    def values_and_output(self) -> tuple[Any, Any]:
        """Return the layer that makes values, the last of its features, and the one behind."""
        return self.attention.inputs, self.layer.attention.output.dense


class _LastLayer(torch.nn.Module):  # type: ignore[misc]
    """The last encoder layer for each row's first token, [N, H] to [B, H]."""

    def __init__(self, layer: Any, shared: Shared) -> None:
        super().__init__()
        old = layer.attention.self
        self.query = old.query
        self.memory = joined(old.key, old.value)
        self.width = old.key.out_features
        self.heads = old.num_attention_heads
        self.shared = shared
        self.layer = layer
        del layer.attention.self

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Attend from the first tokens to all, then feed forward."""
        packing = self.shared.packing
        first = hidden[packing.start]
        key, value = packing.unpack_parts(self.memory(hidden), self.width, 2)
        query = self.query(first).unsqueeze(1)
        attended = attend(query, key, value, packing.counts, self.heads).squeeze(1)
        return _feed_forward(self.layer, attended, first)

    def values_and_output(self) -> tuple[Any, Any]:
        """Return the layer that makes values, the last of its features, and the one behind."""
        return self.memory, self.layer.attention.output.dense


def _feed_forward(layer: Any, attended: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    hidden = layer.attention.output(attended, residual)
    output: torch.Tensor = layer.output(layer.intermediate(hidden), hidden)
    return output
