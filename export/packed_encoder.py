"""The encoder layers of Wav2Vec2's kind that look beyond one frame, over packed clips."""

from typing import Any

import torch

from export.packing import PackedAttention, Packing, Shared

# Eight an octave. In whole numbers, which no lower precision of the graph touches.
_LENGTHS = torch.tensor([(8 + eighth) << octave for octave in range(24) for eighth in range(8)])


def pack_encoder(base: Any, shared: Shared) -> None:
    """Make an encoder take the packed frames of all clips as one row [1, N, H]."""
    encoder = base.encoder
    encoder.pos_conv_embed = _PositionalConv(encoder.pos_conv_embed, shared)
    kind = _GatedAttention if base.config.model_type == "wavlm" else _Attention
    for layer in encoder.layers:
        layer.attention = kind(layer.attention, shared)


class _PositionalConv(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The positional convolution, with zeros between the clips as beyond a lone clip's ends.

    cuDNN searches for a tenth of a second when it meets a convolution of a new length, so there
    are few of them. The bias is added behind: without one, in a graph of its own, it took a quarter
    of the time that it took in this one with it (benchmarks/README.md).
    """

    def __init__(self, embed: Any, shared: Shared) -> None:
        super().__init__()
        self.batch_norm = getattr(embed, "batch_norm", None) or torch.nn.Identity()
        self.activation = embed.activation
        self.shared = shared
        self.gap = embed.conv.kernel_size[0] // 2
        self.filter: Any = Filter(embed.conv)
        self.bias = embed.conv.bias

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return [1, N, H] of [1, N, H]."""
        packing = self.shared.packing
        slots = Packing(packing.counts + self.gap)  # each clip behind its gap
        before = slots.start - packing.start  # of each clip in the stream
        frame = torch.arange(hidden.shape[1])
        clip = (frame.unsqueeze(1) >= packing.start).sum(dim=1) - 1
        place = frame + before[clip]  # the frame's window begins here and ends a kernel later
        length = rounded_up(slots.counts.sum() + self.gap)
        stream = torch.zeros(length, hidden.shape[2])
        stream[place + self.gap] = self.batch_norm(hidden.flatten(0, 1))
        activated: torch.Tensor = self.activation(self.filter(stream)[place] + self.bias)
        return activated.unsqueeze(0)


class Filter(torch.nn.Module):  # type: ignore[misc]
    """A convolution over time without its bias, [T, C] to [T', D]."""

    def __init__(self, conv: Any) -> None:
        super().__init__()
        self.conv = conv

    @property
    def weight(self) -> torch.Tensor:
        """[D, C/G, K, 1], of two dimensions as ONNX Runtime's blocked convolution on CPUs is."""
        weight: torch.Tensor = self.conv.weight.unsqueeze(-1)
        return weight

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all windows that lie wholly inside."""
        channels = stream.t().unsqueeze(0).unsqueeze(-1)  # [1, C, T, 1]
        convolved = torch.nn.functional.conv2d(channels, self.weight, groups=self.conv.groups)
        return convolved.flatten(2).flatten(0, 1).t()


def rounded_up(length: torch.Tensor) -> torch.Tensor:
    """Return the next of eight lengths an octave, an eighth longer at most, of each [...]."""
    return _LENGTHS[(length.unsqueeze(-1) > _LENGTHS).sum(dim=-1)]


class _Attention(torch.nn.Module):  # type: ignore[misc]
    """Stands in for `Wav2Vec2Attention` and `HubertAttention`."""

    def __init__(self, attention: Any, shared: Shared) -> None:
        super().__init__()
        self.attend = _self_attention(attention, shared)
        self.out_proj = attention.out_proj

    def forward(self, hidden: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None, None]:
        """Return the attended states [1, N, H]; no weights, no past."""
        return self.out_proj(self.attend(hidden.flatten(0, 1))).unsqueeze(0), None, None

    def values_and_output(self) -> tuple[Any, Any]:
        """Return the layer that makes values, the last of its features, and the one behind."""
        return self.attend.inputs, self.out_proj


class _GatedAttention(torch.nn.Module):  # type: ignore[misc]
    """Stands in for `WavLMAttention`, with its gated relative position bias."""

    def __init__(self, attention: Any, shared: Shared) -> None:
        super().__init__()
        self.attend = _self_attention(attention, shared)
        self.shared = shared
        self.inner = attention
        self.heads = attention.num_heads
        if hasattr(attention, "rel_attn_embed"):  # only the first layer has it
            self.farthest = attention.max_distance
            self.register_buffer("distance_bias", self._bias_by_distance())

    def forward(
        self, hidden: torch.Tensor, position_bias: torch.Tensor | None = None, **_: Any
    ) -> tuple[torch.Tensor, None, torch.Tensor]:
        """Return the attended states [1, N, H], no weights, and the bias for the next layer."""
        packing = self.shared.packing
        if position_bias is None:
            position_bias = self._position_bias(packing.counts.max())
        frames = hidden.flatten(0, 1)
        gate = packing.unpack(self._gate(frames)).transpose(1, 2)  # [B, heads, L]
        attended = self.attend(frames, gate.unsqueeze(3) * position_bias)
        return self.inner.out_proj(attended).unsqueeze(0), None, position_bias

    def values_and_output(self) -> tuple[Any, Any]:
        """Return the layer that makes values, the last of its features, and the one behind."""
        return self.attend.inputs, self.inner.out_proj

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

    def _gate(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return [N, heads] of the hidden states [N, H]."""
        projected = self.inner.gru_rel_pos_linear(hidden.unflatten(-1, (self.heads, -1)))
        halves = projected.unflatten(-1, (2, 4)).sum(-1)  # [N, heads, 2]
        gate_a, gate_b = torch.sigmoid(halves).chunk(2, dim=-1)
        constant = self.inner.gru_rel_pos_const.reshape(1, self.heads, 1)
        return (gate_a * (gate_b * constant - 1.0) + 2.0).squeeze(2)


def _self_attention(attention: Any, shared: Shared) -> PackedAttention:
    parts = attention.q_proj, attention.k_proj, attention.v_proj
    packed = PackedAttention(*parts, attention.num_heads, shared)
    del attention.q_proj, attention.k_proj, attention.v_proj
    return packed
