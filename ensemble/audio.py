"""Encoded recordings to 16 kHz mono samples.

Decoding stops as soon as a limit is passed, so that a small file which unpacks to hours
costs no more than the longest clip allowed.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr

from ensemble.clips import MIN_SAMPLES, SAMPLE_RATE_HZ, Limits
from ensemble.containers import Recording, open_recording
from ensemble.errors import InputError

_MAX_RATE_HZ = 768_000
_Samples = npt.NDArray[np.float32]


def decode(encoded: bytes, limits: Limits | None = None) -> _Samples:
    """Return mono samples [n] at 16 kHz, about −1 to 1, of an encoded recording.

    Raises:
        InputError: audio_empty, audio_too_large, audio_undecodable, audio_too_long,
            audio_too_short, audio_too_many_channels or audio_not_finite.
    """
    limits = limits or Limits()
    if not encoded:
        raise InputError("audio_empty", "the recording has no bytes")
    if len(encoded) > limits.max_bytes:
        raise InputError(
            "audio_too_large",
            f"the recording has {len(encoded)} bytes, at most {limits.max_bytes} are taken",
        )
    with open_recording(encoded) as recording:
        mono = np.concatenate([np.zeros(0, np.float32), *_mono_blocks(recording, limits)])
    return _checked(_resampled(mono, recording.rate_hz))


def resampled_blocks(recording: Recording, limits: Limits) -> Iterator[_Samples]:
    """Yield mono samples [n] at 16 kHz of any length, block by block; errors as `decode`."""
    blocks = _mono_blocks(recording, limits)
    first = next(blocks, np.zeros(0, np.float32))  # only then it is known that the rate is one
    if recording.rate_hz == SAMPLE_RATE_HZ:
        yield first
        yield from blocks
        return
    stream = soxr.ResampleStream(recording.rate_hz, SAMPLE_RATE_HZ, 1, quality="HQ")
    for block in itertools.chain([first], blocks):
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _mono_blocks(recording: Recording, limits: Limits) -> Iterator[_Samples]:
    """Yield the mean of the channels [frames], decoding no further than allowed."""
    if not 0 < recording.rate_hz <= _MAX_RATE_HZ:
        raise InputError("audio_undecodable", f"{recording.rate_hz} Hz is no sample rate")
    if recording.channels > limits.max_channels:
        raise InputError(
            "audio_too_many_channels",
            f"the recording has {recording.channels} channels, "
            f"at most {limits.max_channels} are taken",
        )
    frames = 0
    for block in recording.blocks:
        yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        frames += len(block)
        if frames > limits.max_seconds * recording.rate_hz:
            raise InputError(
                "audio_too_long",
                f"the recording is longer than {limits.max_seconds:g} s, the most for one clip",
            )


def _resampled(mono: _Samples, rate_hz: int) -> _Samples:
    if rate_hz == SAMPLE_RATE_HZ:
        return mono
    resampled: _Samples = soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ, quality="HQ")
    return resampled


def _checked(samples: _Samples) -> _Samples:
    if not np.isfinite(samples).all():
        raise InputError("audio_not_finite", "the recording holds NaN or infinite samples")
    if len(samples) < MIN_SAMPLES:
        raise InputError(
            "audio_too_short",
            f"the recording has {len(samples) * 1000 / SAMPLE_RATE_HZ:.0f} ms of sound, "
            f"at least {MIN_SAMPLES * 1000 / SAMPLE_RATE_HZ:.0f} ms are needed",
        )
    return samples
