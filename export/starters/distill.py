"""Teaches the layers above the convolutions to make of disturbed speech what a teacher makes of it.

After DistilHuBERT (Chang, Yang and Lee, 2022), which predicts hidden states of several layers.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from export.starters import network
from export.starters.lessons import Take

log = logging.getLogger("train_audio")


class Distance:
    """Squared distance to the teacher's states, 1 for their mean, per state [1 + TAUGHT].

    Each of the dimensions counts by its standard deviation: by their variance a few would be all
    that matters, by none of it also those that carry nothing.
    """

    def __init__(self, wanted: Any) -> None:
        """Take the deviations from many stretches [1 + TAUGHT, stretches, frames, WIDTH]."""
        self.frames = self._weights(wanted.std(dim=(1, 2)))[:, None, None]
        self.means = self._weights(wanted.mean(dim=2).std(dim=1))[:, None]

    @staticmethod
    def _weights(deviation: Any) -> Any:
        return 1 / (deviation * deviation.mean(dim=-1, keepdim=True))

    def __call__(self, got: Any, wanted: Any) -> tuple[Any, Any]:
        """Return the distance of frames, and that of their means over each stretch."""
        off = got - wanted
        frames = (off.pow(2) * self.frames).mean(dim=(1, 2, 3))
        return frames, (off.mean(dim=2).pow(2) * self.means).mean(dim=(1, 2))


def distill(model: Any, takes: list[Take], args: Any, rng: np.random.Generator) -> None:
    """Train all but the convolutions on random stretches of ``args.frames`` frames."""
    inner = model.wav2vec2
    taught = [*inner.encoder.layers[network.OWN :].parameters()]
    held = {id(one) for one in taught}
    own = [
        one
        for part in (inner.feature_projection, inner.encoder)
        for one in part.parameters()
        if id(one) not in held
    ]
    optimizer = torch.optim.AdamW(
        [{"params": own}, {"params": taught}], weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [args.lr, 0.4 * args.lr], total_steps=args.distill, pct_start=0.1
    )
    distance = Distance(_stretches(takes, 400, args.frames, rng)[1])
    model.train()
    for step in range(args.distill):
        heard, wanted = _stretches(takes, args.batch, args.frames, rng)
        frames, means = distance(network.states(model, heard), wanted)
        loss = frames.mean() + 0.2 * means.mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*own, *taught], 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            figures = (frames.mean().item(), means.mean().item())
            log.info("distill %d/%d: frames %.3f, means %.3f", step + 1, args.distill, *figures)
    model.eval()


def _stretches(
    takes: list[Take], count: int, frames: int, rng: np.random.Generator
) -> tuple[Any, Any]:
    """Of ``count`` takes, drawn at random: heard [count, frames, channels], and their states."""
    heard, states = [], []
    for take in (takes[i] for i in rng.integers(0, len(takes), count)):
        start = int(rng.integers(0, len(take.heard) - frames + 1))
        heard.append(take.heard[start : start + frames].float())
        states.append(take.states[:, start : start + frames].float())
    return torch.stack(heard), torch.stack(states, dim=1)
