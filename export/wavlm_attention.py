"""WavLM's attention with its gated relative position bias, written for a masked batch.

The library's own goes through `multi_head_attention_forward`, which takes a mask only as
indexed assignments; here it is one addition, shared with the other audio models.
"""

from typing import Any

import torch

from export.frames import FrameMask


class MaskedWavLMAttention(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Stands in for one `WavLMAttention`, with that layer's weights."""

    def __init__(self, attention: Any, mask: FrameMask) -> None:
        super().__init__()
        self.mask = mask
        self.inner = attention
        if hasattr(attention, "rel_attn_embed"):  # only the first layer has it
            self.farthest = attention.max_distance
            self.register_buffer("distance_bias", self._bias_by_distance())

    def _bias_by_distance(self) -> torch.Tensor:
        """Return [heads, 2D + 1]: the bias from D frames before to D after.

        Beyond the farthest distance D all share one bucket, so this is all there is.
        """
        distances = torch.arange(-self.farthest, self.farthest + 1)
        buckets = self.inner._relative_positions_bucket(distances)
        return self.inner.rel_attn_embed.weight.detach()[buckets].t().contiguous()

    def _position_bias(self, frames: torch.Tensor) -> torch.Tensor:
        """Return [1, heads, F, F]."""
        position = torch.arange(frames)
        distance = position.unsqueeze(0) - position.unsqueeze(1)
        index = distance.clamp(-self.farthest, self.farthest) + self.farthest
        return self.distance_bias[:, index].unsqueeze(0)

    def _gate(self, heads: torch.Tensor) -> torch.Tensor:
        """Return [B, heads, F, 1] of the hidden states [B, heads, F, D]."""
        projected = self.inner.gru_rel_pos_linear(heads)  # [B, heads, F, 8]
        halves = projected.unflatten(-1, (2, 4)).sum(-1)
        gate_a, gate_b = torch.sigmoid(halves).chunk(2, dim=-1)
        return gate_a * (gate_b * self.inner.gru_rel_pos_const - 1.0) + 2.0

    def _heads(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden.unflatten(-1, (self.inner.num_heads, -1)).transpose(1, 2)

    def forward(
        self, hidden_states: torch.Tensor, position_bias: torch.Tensor | None = None, **_: Any
    ) -> tuple[torch.Tensor, None, torch.Tensor]:
        """Return the attended states [B, F, H], no weights, and the bias for the next layer."""
        if position_bias is None:
            position_bias = self._position_bias(hidden_states.shape[1])
        inner = self.inner
        query = self._heads(inner.q_proj(hidden_states)) * inner.scaling
        key, value = (
            self._heads(inner.k_proj(hidden_states)),
            self._heads(inner.v_proj(hidden_states)),
        )
        scores = torch.matmul(query, key.transpose(2, 3))
        scores = scores + self._gate(self._heads(hidden_states)) * position_bias
        weights = torch.softmax(scores + self.mask.attention_bias, dim=-1)
        attended = torch.matmul(weights, value).transpose(1, 2).flatten(2)
        return inner.out_proj(attended), None, position_bias
