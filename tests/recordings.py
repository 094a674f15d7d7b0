"""Recordings for tests: a person reading, and sounds made when they are needed."""

import io

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from export.real_inputs import RECORDINGS

Samples = npt.NDArray[np.float32]


def voice(seconds: float, rate_hz: int = 16_000, seed: int = 0) -> Samples:
    """Return a voiced sound [n] with a wandering pitch, syllables and a little breath."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch_hz = 140 + 40 * np.sin(2 * np.pi * 0.7 * time_s + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    sound = sum(np.sin(k * phase) / k for k in range(1, 12))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * rng.uniform(3, 5) * time_s)
    breath = 0.02 * rng.standard_normal(len(time_s))
    made: Samples = (0.2 * sound * syllables + breath).astype(np.float32)
    return made


def encoded(samples: Samples, rate_hz: int, file_format: str, subtype: str | None = None) -> bytes:
    """Return the file that libsndfile writes of samples [n] or [n, channels]."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=file_format, subtype=subtype)
    return file.getvalue()


def wav(seconds: float = 2.0, seed: int = 0) -> bytes:
    """Return a 16 kHz, 16-bit WAV of a voice."""
    return encoded(voice(seconds, seed=seed), 16_000, "WAV", "PCM_16")


def av_encoded(samples: Samples, rate_hz: int, container: str, codec: str) -> bytes:
    """Return the file that FFmpeg writes of mono samples [n] ("mp4" with "aac" is an M4A)."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            (samples * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = rate_hz
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return file.getvalue()


def speech(index: int = 0, rate_hz: int = 16_000) -> Samples:
    """Return one of the recordings, resampled to `rate_hz`, [n]."""
    samples, native_rate_hz = soundfile.read(RECORDINGS[index], dtype="float32")
    resampled: Samples = soxr.resample(samples, native_rate_hz, rate_hz)
    return np.clip(resampled, -1, 1)
