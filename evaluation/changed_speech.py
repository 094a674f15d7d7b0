"""What happens to recordings on their way: noise, a bad line, compression, the wrong level.

Each change takes samples [n] at 16 kHz and a random generator, and returns samples [n].
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ensemble.audio import decode
from ensemble.clips import SAMPLE_RATE_HZ

Samples = npt.NDArray[np.float32]
Change = Callable[[Samples, np.random.Generator], Samples]

_TELEPHONE_HZ = 8_000
_MP3_32_KBIT = 0.842  # what libsndfile calls a compression level: (160 - 32) / (160 - 8)


def _noisy(decibels: float, samples: Samples, random: np.random.Generator) -> Samples:
    """Add white noise at a signal-to-noise ratio in dB, both measured over the whole clip."""
    loudness = np.sqrt(np.mean(samples**2)) * 10 ** (-decibels / 20)
    noise = random.standard_normal(len(samples), dtype=np.float32)
    return np.asarray(samples + loudness * noise, dtype=np.float32)


def _clipped(share: float, samples: Samples, _random: np.random.Generator) -> Samples:
    """Cut off all that is louder than the loudest `share` of the samples."""
    limit = np.quantile(np.abs(samples), 1 - share)
    return np.clip(samples, -limit, limit)


def _by_telephone(samples: Samples, _random: np.random.Generator) -> Samples:
    """Send it through 8 kHz."""
    narrow = soxr.resample(samples, SAMPLE_RATE_HZ, _TELEPHONE_HZ)
    wide: Samples = soxr.resample(narrow, _TELEPHONE_HZ, SAMPLE_RATE_HZ)
    return wide


def _by_mp3(samples: Samples, _random: np.random.Generator) -> Samples:
    """Send it through MP3 of 32 kbit/s."""
    file = io.BytesIO()
    soundfile.write(
        file,
        samples,
        SAMPLE_RATE_HZ,
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=_MP3_32_KBIT,
    )
    return decode(file.getvalue())


def _after_silence(seconds: float, samples: Samples, _random: np.random.Generator) -> Samples:
    return np.concatenate([np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32), samples])


def _at_volume(gain: float, samples: Samples, _random: np.random.Generator) -> Samples:
    return samples * np.float32(gain)


CHANGES: dict[str, Change] = {
    "white noise, 20 dB SNR": partial(_noisy, 20.0),
    "white noise, 10 dB SNR": partial(_noisy, 10.0),
    "white noise, 0 dB SNR": partial(_noisy, 0.0),
    "the loudest 5 % clipped": partial(_clipped, 0.05),
    "through 8 kHz": _by_telephone,
    "MP3, 32 kbit/s": _by_mp3,
    "after 2 s of silence": partial(_after_silence, 2.0),
    "100 times quieter": partial(_at_volume, 0.01),
}
"""By the name that reports give them."""


def change(file: Path, name: str, to: Path) -> None:
    """Write the recording `file`, changed, as a WAV of float samples.

    Noise is drawn with a seed of the file's name.
    """
    random = np.random.default_rng(list(file.name.encode()))
    samples = CHANGES[name](decode(file.read_bytes()), random)
    soundfile.write(to, samples, SAMPLE_RATE_HZ, format="WAV", subtype="FLOAT")
