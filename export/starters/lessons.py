"""What the layers above the convolutions learn from: clips as heard, as the teacher takes them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from export.starters import moonshine, network, speech
from export.starters.disturb import disturb, faster

log = logging.getLogger("train_audio")


@dataclass(frozen=True)
class Take:
    """A clip once played.

    ``heard`` [frames, channels] is what the convolutions make of it, disturbed or not, ``states``
    [1 + TAUGHT, frames, WIDTH] what the teacher makes of it undisturbed. Both in half precision.
    """

    heard: Any
    states: Any


def record(
    model: Any, teacher: Any, clips: list[speech.Clip], takes: int, rng: np.random.Generator
) -> list[list[Take]]:
    """Of each clip, as it is and then ``takes`` times played faster or slower and disturbed."""
    model.eval()
    recorded = []
    for number, clip in enumerate(clips):
        pairs = _played(clip, takes, rng)
        recorded.append([_take(model, teacher, *pair) for pair in pairs])
        if number % 100 == 99:
            log.info("record %d/%d", number + 1, len(clips))
    return recorded


def heard(model: Any, clip: speech.Clip, takes: int, rng: np.random.Generator) -> list[Any]:
    """What the convolutions make of the same takes of one clip; no teacher is asked."""
    return [_hear(model, given).half() for given, _ in _played(clip, takes, rng)]


def _played(clip: speech.Clip, takes: int, rng: np.random.Generator) -> list[tuple[Any, Any]]:
    """Each take as it is heard and as it was before it was disturbed, both normalised."""
    played = [faster(clip.samples, rng) for _ in range(takes)]
    clean = [speech.normalize(one) for one in (clip.samples, *played)]
    given = [clean[0], *(disturb(one[None], rng)[0] for one in clean[1:])]
    return list(zip(given, clean, strict=True))


def _take(model: Any, teacher: Any, given: Any, clean: Any) -> Take:
    made = _hear(model, given)
    states = at_our_frames(moonshine.states(teacher, clean, network.TAUGHT), len(made))
    return Take(made.half(), states.half())


def _hear(model: Any, given: Any) -> Any:
    with torch.no_grad():
        return network.hear(model, given[None])[0]


def at_our_frames(states: Any, frames: int) -> Any:
    """The teacher's states, interpolated to where our frames are centred; the last one normed."""
    centres = torch.arange(frames) * speech.HOP + speech.WINDOW / 2
    places = ((centres - moonshine.WINDOW / 2) / moonshine.HOP).clamp(0, states.shape[1] - 1)
    left = places.floor().long().clamp(max=states.shape[1] - 2)
    between = torch.lerp(states[:, left], states[:, left + 1], (places - left)[:, None])
    between[-1] = torch.nn.functional.layer_norm(between[-1], between.shape[-1:])
    return between
