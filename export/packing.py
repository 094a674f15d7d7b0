"""Rows of different lengths one after another, without padding between them.

Linear layers, norms and activations see each position on its own, so they run over the
packed rows and do no work on padding; what must know the rows' ends gets them from here.
"""

from typing import Any

import torch


class Packing:
    """Where the rows of the running batch lie; N is the sum of `counts`, L their maximum.

    `into` [N] picks the packed positions out of a flattened padded batch [B * L], `out_of`
    [B, L] the padded batch out of the packed positions, with a row's last position where
    it has ended. `start` [B] is each row's first packed position.
    """

    def __init__(self, counts: torch.Tensor) -> None:
        """Lay out rows of `counts` [B] positions each, at least one."""
        self.counts = counts
        self.start = torch.cumsum(counts, dim=0) - counts
        positions = torch.arange(counts.max()).unsqueeze(0)  # [1, L]
        last = counts.unsqueeze(1) - 1
        self.valid = positions <= last
        # Not `flatten`: it measures both dimensions first.
        self.into = self.valid.reshape(-1).nonzero().squeeze(1)
        self.out_of = self.start.unsqueeze(1) + torch.minimum(positions, last)

    def pack(self, padded: torch.Tensor) -> torch.Tensor:
        """Return [N, ...] of [B, L, ...]."""
        return padded.flatten(0, 1)[self.into]

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """Return [B, L, ...] of [N, ...]; beyond a row's end its last position is repeated."""
        return packed[self.out_of]

    def unpack_parts(self, packed: torch.Tensor, width: int, count: int) -> list[torch.Tensor]:
        """Return each of the `count` parts [B, L, width] that [N, count * width] has side by side.

        Picked out at once: unpacked and then split, all would be copied twice.
        """
        parts = packed.reshape(-1, width)
        return [parts[self.out_of * count + part] for part in range(count)]

    def membership(self) -> torch.Tensor:
        """Return [B, N], 1 where a packed position belongs to a row, else 0."""
        position = torch.arange(self.into.shape[0]).unsqueeze(0)
        after = position - self.start.unsqueeze(1)
        return torch.logical_and(after >= 0, after < self.counts.unsqueeze(1)).to(torch.float32)


class Shared:
    """Holds the packing of the batch that is running, for the layers that need it."""

    packing: Packing


class _MultiHeadAttention(torch.autograd.Function):  # type: ignore[misc]  # torch is untyped here
    """ONNX Runtime's fused attention, and the same in torch.

    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
    """

    @staticmethod
    def forward(
        _context: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        counts: torch.Tensor,
        bias: torch.Tensor | None,
        heads: int,
    ) -> torch.Tensor:
        split = [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value)]
        valid = torch.arange(key.shape[1]) < counts.unsqueeze(1)  # [B, L]
        mask = torch.zeros_like(valid, dtype=query.dtype).masked_fill(~valid, float("-inf"))
        mask = mask.unsqueeze(1).unsqueeze(1)
        attended = torch.nn.functional.scaled_dot_product_attention(
            *split, attn_mask=mask if bias is None else mask + bias
        )
        return attended.transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(
        g: Any, query: Any, key: Any, value: Any, counts: Any, bias: Any, heads: int
    ) -> Any:
        none = g.op("prim::Constant")
        none.setType(torch._C.OptionalType.ofTensor())
        inputs = (query, key, value, none, counts) + (() if bias is None else (bias,))
        made = g.op("com.microsoft::MultiHeadAttention", *inputs, num_heads_i=heads)
        return made.setType(query.type())


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    counts: torch.Tensor,
    heads: int,
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return attention of `heads` heads over each row's first `counts` [B] keys.

    Shapes: query and the answer [B, Q, H], key and value [B, L, H], bias [B, heads, Q, L].
    """
    attended: torch.Tensor = _MultiHeadAttention.apply(
        query, key, value, counts.to(torch.int32), bias, heads
    )
    return attended


def joined(*layers: Any) -> Any:
    """Return one linear layer that computes what several do on the same input."""
    weight = torch.cat([layer.weight for layer in layers])
    bias = torch.cat([layer.bias for layer in layers])
    together = torch.nn.Linear(weight.shape[1], weight.shape[0])
    together.weight, together.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    return together


class PackedAttention(torch.nn.Module):  # type: ignore[misc]
    """Self-attention over packed rows, with the weights of the layer that it stands in for."""

    def __init__(self, query: Any, key: Any, value: Any, heads: int, shared: Shared) -> None:
        super().__init__()
        self.inputs = joined(query, key, value)
        self.width = query.out_features
        self.heads = heads
        self.shared = shared

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Return [N, H] of [N, H]; bias is [B, heads, L, L]."""
        packing = self.shared.packing
        query, key, value = packing.unpack_parts(self.inputs(hidden), self.width, 3)
        return packing.pack(attend(query, key, value, packing.counts, self.heads, bias))
