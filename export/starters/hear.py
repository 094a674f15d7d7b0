"""Teaches the audio starter's convolutions to hear: log-mel energies, voicing and pitch."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from export.starters import network, speech
from export.starters.disturb import disturb, faster

log = logging.getLogger("train_audio")
_SECONDS = 1.25  # length of a stretch


def learn_to_hear(model: Any, clips: list[speech.Clip], args: Any) -> None:
    """Train the convolutions to tell of disturbed stretches what the clean ones sound like."""
    rng = np.random.default_rng(args.seed)
    norm = model.wav2vec2.feature_projection.layer_norm
    head = torch.nn.Linear(model.config.conv_dim[-1], speech.TARGETS)
    parts = (model.wav2vec2.feature_extractor, norm, head)
    weights = [weight for part in parts for weight in part.parameters()]
    optimizer = torch.optim.AdamW(weights, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.hear_lr, total_steps=args.hear, pct_start=0.1
    )
    for step in range(args.hear):
        chosen = rng.integers(0, len(clips), args.batch)
        clean = torch.stack([_stretch(clips[i].samples, rng) for i in chosen])
        read = head(norm(network.hear(model, disturb(clean, rng))))
        error = (read - speech.acoustics(clean)).pow(2).mean(dim=(0, 1))
        loss = error[: speech.MELS].mean() + error[speech.MELS :].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            log.info("hear %d/%d: loss %.3f", step + 1, args.hear, loss.item())


def _stretch(samples: Any, rng: np.random.Generator) -> Any:
    """A random normalised piece of a clip, played faster or slower."""
    played = faster(samples, rng)
    length = int(_SECONDS * speech.RATE)
    start = int(rng.integers(0, len(played) - length))
    return speech.normalize(played[start : start + length])
