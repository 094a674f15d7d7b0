"""The audio starter's last step: logistic regression on the mean of the last layer's output."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from export.starters import lessons, network, speech
from export.starters.disturb import noise

_SECONDS = (0.3, 6.0)  # of a silence
_DECIBELS = (-120.0, -30.0)  # of its noise, of full scale: what a muted microphone may still send


def teach(model: Any, clips: list[speech.Clip], args: Any) -> None:
    """Fit the last step on labelled clips and on silence, and place it in the model."""
    model.eval()
    rng = np.random.default_rng(args.seed)
    rows = [clip_rows(model, clip, args.takes, rng) for clip in clips]
    truth = torch.tensor([clip.label for clip in clips]).repeat_interleave(len(rows[0]))
    silent = silent_rows(model, args.silences, args.seed)
    place(model, *fit(*with_silence(torch.cat(rows), truth, silent), args.penalty))


def clip_rows(model: Any, clip: speech.Clip, takes: int, rng: np.random.Generator) -> Any:
    """Rows [1 + takes, WIDTH] of a clip: as it is, and disturbed."""
    return torch.stack([pooled(model, one) for one in lessons.heard(model, clip, takes, rng)])


def silent_rows(model: Any, count: int, seed: int) -> Any:
    """Rows [count, WIDTH] of recordings in which nobody speaks: one in eight zeros, else noise.

    Normalising makes all but the quietest noise as loud as speech.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        samples = int(rng.uniform(*_SECONDS) * speech.RATE)
        level = 10 ** (rng.uniform(*_DECIBELS) / 20) if number % 8 else 0.0
        given = speech.normalize(level * noise(1, samples, rng))
        with torch.no_grad():
            rows.append(pooled(model, network.hear(model, given)[0]))
    return torch.stack(rows) if rows else torch.empty(0, model.config.hidden_size)


def with_silence(rows: Any, truth: Any, silent: Any) -> tuple[Any, Any]:
    """Rows and their classes, with silent rows as neutral ones behind them."""
    neutral = torch.full((len(silent),), speech.CLASSES.index("neu"))
    return torch.cat([rows, silent]), torch.cat([truth, neutral])


def pooled(model: Any, heard: Any) -> Any:
    """Mean of the last layer's output [WIDTH] over one take [frames, channels]."""
    with torch.no_grad():
        return network.states(model, heard[None].float())[-1, 0].mean(dim=0)


def fit(rows: Any, truth: Any, penalty: float) -> tuple[Any, Any]:
    """Weights [classes, width] and bias [classes] for rows [n, width] of classes [n].

    Every class counts the same, however many rows it has. ``penalty`` is half the weight of the
    squared norm of the weights of standardised rows, beside the mean cross-entropy.
    """
    mean, deviation = rows.mean(dim=0), rows.std(dim=0)
    standard = (rows - mean) / deviation
    share = 1 / (len(speech.CLASSES) * torch.bincount(truth, minlength=len(speech.CLASSES)))
    layer = torch.nn.Linear(rows.shape[1], len(speech.CLASSES))
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimizer.zero_grad()
        made = torch.nn.functional.cross_entropy(layer(standard), truth, share, reduction="sum")
        made = made + penalty * layer.weight.pow(2).sum()
        made.backward()
        return made

    optimizer.step(loss)
    weight = layer.weight.detach() / deviation
    return weight, layer.bias.detach() - weight @ mean


def place(model: Any, weight: Any, bias: Any) -> None:
    """Make them the model's projector; its classifier hands the logits on as they are."""
    with torch.no_grad():
        model.projector.weight.copy_(weight)
        model.projector.bias.copy_(bias)
        model.classifier.weight.copy_(torch.eye(len(speech.CLASSES)))
        model.classifier.bias.zero_()
