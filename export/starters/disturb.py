"""What happens to speech on its way to us, drawn at random: room, channel and noise.

Everything here is 16 kHz mono float32, a batch of clips [batch, samples]. Filters are applied to
the spectrum of the whole clip, which wraps the last of an echo round to its start.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from export.starters.speech import RATE, normalize

_ECHO = 6000  # samples of a room's answer that are kept


def disturb(batch: Any, rng: np.random.Generator) -> Any:
    """Normalised clips heard through a random room and channel, in random noise."""
    count, samples = batch.shape
    through = torch.fft.rfft(batch) * response(count, samples, rng)
    sound = normalize(torch.fft.irfft(through, samples))
    loud = _chance(0.6, count, rng)
    decibels = torch.where(loud, _uniform(0, 30, count, rng), _uniform(30, 60, count, rng))
    sign = torch.where(_chance(0.5, count, rng), 1.0, -1.0)
    return normalize(sign * (sound + 10 ** (-decibels / 20) * noise(count, samples, rng)))


def faster(samples: Any, rng: np.random.Generator) -> Any:
    """One clip [n] played 0.82 to 1.22 times as fast: voice, pitch and tempo all change."""
    speed = math.exp(rng.uniform(math.log(0.82), math.log(1.22)))
    length = int(len(samples) / speed)
    played = torch.nn.functional.interpolate(
        samples[None, None], length, mode="linear", align_corners=True
    )
    return played[0, 0]


def noise(count: int, samples: int, rng: np.random.Generator) -> Any:
    """Noise of unit power, from white to falling by 6 dB an octave."""
    hertz = torch.fft.rfftfreq(samples, 1 / RATE).clamp(min=50)
    spectrum = torch.fft.rfft(torch.randn(count, samples))
    return normalize(
        torch.fft.irfft(spectrum * (hertz / 1000) ** -_uniform(0, 1, count, rng), samples)
    )


def response(count: int, samples: int, rng: np.random.Generator) -> Any:
    """Frequency responses [batch, bins]: a tilt; at times a narrow band, at times an echo."""
    hertz = torch.fft.rfftfreq(samples, 1 / RATE)
    tilt = 1 - _uniform(-0.4, 0.4, count, rng) * torch.exp(-2j * math.pi * hertz / RATE)
    top, bottom = _uniform(3200, 7000, count, rng), _uniform(0, 300, count, rng)
    band = ((hertz > bottom) & (hertz < top)) | ~_chance(0.3, count, rng)
    seconds = torch.arange(_ECHO) / RATE
    fading = torch.randn(count, _ECHO) * 10 ** (-3 * seconds / _uniform(0.1, 0.5, count, rng))
    power = 10 ** (_uniform(-20, 3, count, rng) / 20)
    echo = power * fading / fading.norm(dim=1, keepdim=True) * _chance(0.4, count, rng)
    echo[:, 0] += 1
    return tilt * band * torch.fft.rfft(echo, samples)


def _uniform(low: float, high: float, count: int, rng: np.random.Generator) -> Any:
    """[count, 1]."""
    return torch.from_numpy(rng.uniform(low, high, (count, 1)).astype(np.float32))


def _chance(share: float, count: int, rng: np.random.Generator) -> Any:
    """[count, 1], true for about ``share`` of them."""
    return torch.from_numpy(rng.random((count, 1)) < share)
