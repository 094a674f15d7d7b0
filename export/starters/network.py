"""The audio starter's network: convolutions and a layer of its own, then two of the teacher's."""

from __future__ import annotations

from typing import Any

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForSequenceClassification

from export.starters import moonshine, speech

OWN, TAUGHT = 1, 2  # transformer layers that begin random, and as the teacher's first


def configuration() -> Wav2Vec2Config:
    """The published checkpoint's convolution geometry, and layers of the teacher's shape."""
    names = dict(enumerate(speech.CLASSES))
    return Wav2Vec2Config(
        conv_dim=[32, 48, 64, 96, 128, 160, 192],
        conv_kernel=[10, 3, 3, 3, 3, 2, 2],
        conv_stride=[5, 2, 2, 2, 2, 2, 2],
        conv_bias=False,
        feat_extract_norm="group",
        do_stable_layer_norm=True,  # a layer's norm comes first, as in the teacher
        hidden_size=moonshine.WIDTH,
        num_hidden_layers=OWN + TAUGHT,
        num_attention_heads=moonshine.HEADS,
        intermediate_size=moonshine.INNER,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=16,
        classifier_proj_size=len(speech.CLASSES),
        attention_dropout=0.0,
        hidden_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        vocab_size=32,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )


def build(teacher: Any) -> Any:
    """The model: random, but for the layers that the teacher gives.

    The teacher tells places apart by rotating queries and keys, which Wav2Vec2 cannot: that is
    left to the convolution over places and to the layers' training.
    """
    model = Wav2Vec2ForSequenceClassification(configuration())
    layers = model.wav2vec2.encoder.layers[OWN:]
    with torch.no_grad():
        for own, other in zip(layers, teacher.layers, strict=False):
            pairs = (
                (own.attention.q_proj, other.self_attn.q_proj),
                (own.attention.k_proj, other.self_attn.k_proj),
                (own.attention.v_proj, other.self_attn.v_proj),
                (own.attention.out_proj, other.self_attn.o_proj),
                (own.layer_norm, other.input_layernorm),
                (own.final_layer_norm, other.post_attention_layernorm),
                (own.feed_forward.intermediate_dense, other.mlp.fc1),
                (own.feed_forward.output_dense, other.mlp.fc2),
            )
            for mine, given in pairs:
                mine.weight.copy_(given.weight)
                mine.bias.copy_(torch.zeros(()) if given.bias is None else given.bias)
    return model


def hear(model: Any, batch: Any) -> Any:
    """Convolution output [batch, frames, channels] of normalised clips [batch, samples]."""
    return model.wav2vec2.feature_extractor(batch).transpose(1, 2)


def states(model: Any, heard: Any) -> Any:
    """Output of each layer [OWN + TAUGHT, batch, frames, WIDTH], of the last layer-normed.

    They stand for the teacher's convolutions and layers: its states [1 + TAUGHT, ...].
    """
    hidden, _ = model.wav2vec2.feature_projection(heard)
    encoded = model.wav2vec2.encoder(hidden, output_hidden_states=True)
    return torch.stack(encoded.hidden_states[OWN:])
