"""The audio starter's network, the heads that only training uses, and the losses of both phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForSequenceClassification

from export.starters import speech


@dataclass(frozen=True)
class Learner:
    """The model, and the two heads that only training uses.

    ``acoustic`` reads speech.TARGETS off the convolutions' output, ``feeling`` all eight RAVDESS
    feelings off the pooled state, so that clips outside the four classes teach too.
    """

    model: Any
    acoustic: Any
    feeling: Any

    def parameters(self) -> list[Any]:
        """Everything that learns."""
        parts = (self.model, self.acoustic, self.feeling)
        return [weight for part in parts for weight in part.parameters()]


def configuration() -> Wav2Vec2Config:
    """The published checkpoint's convolution geometry and norms, with far fewer channels."""
    names = dict(enumerate(speech.CLASSES))
    return Wav2Vec2Config(
        conv_dim=[32, 48, 64, 96, 128, 160, 192],
        conv_kernel=[10, 3, 3, 3, 3, 2, 2],
        conv_stride=[5, 2, 2, 2, 2, 2, 2],
        conv_bias=False,
        feat_extract_norm="group",
        do_stable_layer_norm=False,
        hidden_size=192,
        num_hidden_layers=3,
        num_attention_heads=6,
        intermediate_size=384,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=16,
        use_weighted_layer_sum=True,
        classifier_proj_size=192,
        attention_dropout=0.0,
        hidden_dropout=0.1,
        activation_dropout=0.0,
        feat_proj_dropout=0.1,
        final_dropout=0.0,
        layerdrop=0.0,
        mask_time_prob=0.1,
        mask_time_length=5,
        mask_feature_prob=0.1,
        mask_feature_length=10,
        vocab_size=32,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )


def build() -> Learner:
    """A learner with random weights."""
    config = configuration()
    model = Wav2Vec2ForSequenceClassification(config)
    acoustic = torch.nn.Linear(config.conv_dim[-1], speech.TARGETS)
    feeling = torch.nn.Linear(config.classifier_proj_size, len(speech.FEELINGS))
    return Learner(model, acoustic, feeling)


def hearing_loss(learner: Learner, heard: Any, batch: Any) -> Any:
    """Mean squared error of log-mel, voicing and pitch read off ``heard`` [batch, frames, c]."""
    error = (learner.acoustic(heard) - speech.acoustics(batch)).pow(2)
    return error[..., : speech.MELS].mean() + error[..., speech.MELS :].mean()


def convolve(learner: Learner, batch: Any) -> Any:
    """Layer-normed output of the convolutions alone [batch, frames, channels]."""
    inner = learner.model.wav2vec2
    return inner.feature_projection.layer_norm(inner.feature_extractor(batch).transpose(1, 2))


def pool(learner: Learner, batch: Any) -> tuple[Any, Any]:
    """Pooled state [batch, proj] and convolution output, as the model's own forward makes them."""
    model = learner.model
    out = model.wav2vec2(batch, output_hidden_states=True)
    weights = model.layer_weights.softmax(dim=-1)
    states = (torch.stack(out.hidden_states) * weights[:, None, None, None]).sum(dim=0)
    return model.projector(states).mean(dim=1), out.extract_features


def soft(labels: Any, classes: int, partner: Any, share: Any) -> Any:
    """Targets [batch, classes] of mixed clips, smoothed by 0.1; label -1 gives a row of zeros."""
    known = torch.nn.functional.one_hot(labels.clamp(min=0), classes) * (labels >= 0)[:, None]
    mixed = share * known + (1 - share) * known[partner]
    return 0.9 * mixed + 0.1 * mixed.sum(dim=1, keepdim=True) / classes


def cross_entropy(logits: Any, targets: Any) -> Any:
    """Cross-entropy with soft ``targets``, per unit of target mass."""
    return -(targets * logits.log_softmax(dim=-1)).sum() / targets.sum().clamp(min=1)


def feeling_loss(learner: Learner, clips: list[speech.Clip], batch: Any, args: Any) -> Any:
    """Loss of a step of the second phase: four classes, eight feelings, and still hearing."""
    rng = np.random.default_rng(int(torch.randint(1 << 30, ())))
    partner = torch.from_numpy(rng.permutation(len(batch)))
    mixing = rng.random((len(batch), 1)) < args.mixup
    share = np.where(mixing, rng.beta(0.4, 0.4, (len(batch), 1)), 1).astype(np.float32)
    share = torch.from_numpy(share)
    batch = speech.normalize(share * batch + (1 - share) * batch[partner])
    pooled, heard = pool(learner, batch)
    label = torch.tensor([clip.label for clip in clips])
    feeling = torch.tensor([clip.feeling for clip in clips])
    four = soft(label, len(speech.CLASSES), partner, share)
    eight = soft(feeling, len(speech.FEELINGS), partner, share)
    loss = cross_entropy(learner.model.classifier(pooled), four)
    loss = loss + 0.5 * cross_entropy(learner.feeling(pooled), eight)
    return loss + args.hearing * hearing_loss(learner, heard, batch)
