"""What a clip with a sentence costs one replica of Triton, as measured on two cores."""

import numpy as np

from benchmarks.queueing import Seconds

CLIP_S = (1.0, 12.0)
"""Clips are between these, any length as likely as another: what `make bench` sends."""

# Measured: make bench, 2 cores of an AMD EPYC (AVX2, no GPU), published architectures in int8.
_AUDIO_S = np.array([1, 2, 4, 8, 20.0])
_AUDIO_TAKES_S = np.array([0.0681, 0.1317, 0.2665, 0.5418, 1.4292])
_TEXT_TAKES_S = 0.0103  # 32 tokens
AUDIO_PER_S = 11.52
"""Seconds of speech that the whole service got through in a second, with 8 in flight."""
_REQUESTS_PER_S = 1.57
_MEASURED_CLIP_S = AUDIO_PER_S / _REQUESTS_PER_S


def service_s(clips: Seconds, audio_per_s: float = AUDIO_PER_S) -> Seconds:
    """Return how long a replica needs for each clip with a sentence, (n,) seconds of speech.

    The models' measured times, stretched to what the whole service was measured to carry.
    """
    models = _models_s(clips)
    stretched = (_MEASURED_CLIP_S / audio_per_s) / _models_s(np.array([_MEASURED_CLIP_S]))
    return np.asarray(models * stretched, dtype=np.float64)


def _models_s(clips: Seconds) -> Seconds:
    return np.asarray(np.interp(clips, _AUDIO_S, _AUDIO_TAKES_S) + _TEXT_TAKES_S)
