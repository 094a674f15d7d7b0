"""What one run of a classifier must compute and read, from its Hugging Face config alone.

Counted are the products of matrices and the convolutions, a multiply-add as 2 operations; norms,
activations and softmax are left out, and so is work that an implementation does on padding. The
weights are those that a run reads: of an embedding table only the rows of the tokens.
"""

from dataclasses import dataclass
from typing import Any

from export.manifest import Branch


@dataclass(frozen=True)
class Work:
    """A run's operations (FLOP) and the weights that it reads (numbers, not bytes)."""

    operations: float
    weights: float

    def __add__(self, other: "Work") -> "Work":
        return Work(self.operations + other.operations, self.weights + other.weights)


def work(branch: Branch, config: Any, length: int, rows: int = 1) -> Work:
    """Return the work of one run over `rows` inputs of `length` tokens or samples each.

    Raises:
        ValueError: a clip that gives not even one frame.
    """
    one = text(config, length) if branch == "text" else audio(config, length)
    return Work(one.operations * rows, one.weights)


def text(config: Any, tokens: int) -> Work:
    """Return the work of a RoBERTa-like classifier on one text."""
    hidden = config.hidden_size
    embeddings = Work(0, hidden * (2 * tokens + 1 + 2))  # words, positions, one type, a norm
    head = _linear(1, hidden, hidden) + _linear(1, hidden, config.num_labels)
    return embeddings + _encoder(config, tokens) + head


def audio(config: Any, samples: int) -> Work:
    """Return the work of a wav2vec2-like classifier on one clip."""
    frames, total, inputs = samples, Work(0, 0), 1
    for outputs, width, stride in zip(
        config.conv_dim, config.conv_kernel, config.conv_stride, strict=True
    ):
        frames = (frames - width) // stride + 1
        total += _linear(frames, inputs * width, outputs, bias=config.conv_bias)
        inputs = outputs
    if frames < 1:
        raise ValueError(f"a clip of {samples} samples is shorter than the model's first frame")
    hidden, projected = config.hidden_size, config.classifier_proj_size
    total += _linear(frames, inputs, hidden) + _positions(config, frames)
    total += _encoder(config, frames)
    return total + _linear(frames, hidden, projected) + _linear(1, projected, config.num_labels)


def _positions(config: Any, frames: int) -> Work:
    """Return the work of the convolution that tells wav2vec2 where in the clip a frame is."""
    inputs = config.hidden_size // config.num_conv_pos_embedding_groups
    return _linear(frames, inputs * config.num_conv_pos_embeddings, config.hidden_size)


def _encoder(config: Any, positions: int) -> Work:
    """Return the work of all transformer layers: four projections, attention, feed-forward."""
    hidden, inner = config.hidden_size, config.intermediate_size
    layer = _linear(positions, hidden, inner) + _linear(positions, inner, hidden)
    layer += Work(2 * 2 * positions**2 * hidden, 2 * 2 * hidden)  # scores, mixing; two norms
    for _ in range(4):
        layer += _linear(positions, hidden, hidden)
    layers = config.num_hidden_layers
    return Work(layer.operations * layers, layer.weights * layers)


def _linear(positions: int, inputs: int, outputs: int, bias: bool = True) -> Work:
    """Return the work of a linear layer, or of a convolution as the product that it is."""
    return Work(2 * positions * inputs * outputs, inputs * outputs + bias * outputs)
