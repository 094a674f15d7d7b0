"""BERT's and RoBERTa's kind of classifier over packed rows.

Their heads read the first token only. So the last layer needs keys and values of all tokens,
but everything else of the first ones alone: a tenth to a sixth of the work less.
"""

from typing import Any

import torch

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
        packing = self.shared.packing = Packing(valid.sum(dim=1))
        embedded = self.base.embeddings(input_ids=rows, token_type_ids=torch.zeros_like(rows))
        hidden = packing.pack(embedded)
        for layer in self.layers:
            hidden = layer(hidden)
        first = hidden.unsqueeze(1)  # [B, 1, H], what the head takes its [:, 0] of
        pooled = first if self.base.pooler is None else self.base.pooler(first)
        logits: torch.Tensor = self.classifier(pooled)
        return logits


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
        key, value = packing.unpack(self.memory(hidden)).split(self.width, dim=-1)
        query = self.query(first).unsqueeze(1)
        attended = attend(query, key, value, packing.counts, self.heads).squeeze(1)
        return _feed_forward(self.layer, attended, first)


def _feed_forward(layer: Any, attended: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    hidden = layer.attention.output(attended, residual)
    output: torch.Tensor = layer.output(layer.intermediate(hidden), hidden)
    return output
