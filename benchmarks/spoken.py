"""A long recording of a person reading, and the clips that it is made of."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.http_requests import Request, encode
from benchmarks.inputs import Clip, cut_clips, read_sentences
from ensemble.audio import SAMPLE_RATE_HZ

_CLIP_SECONDS = (4.0, 6.0)
_PAUSE_S = 1.0


@dataclass(frozen=True)
class Spoken:
    """The recording, a FLAC file, and the clips that it is made of."""

    path: Path
    seconds: float
    segments: list[dict[str, Any]]
    requests: list[Request]


def spoken(count: int, folder: Path) -> Spoken:
    """Write a recording of `count` clips of a person reading, with a second between them."""
    clips = cut_clips(count=count, seconds=_CLIP_SECONDS)
    said = list(zip(cycle(read_sentences()), clips, strict=False))
    path = folder / "recording.flac"
    segments, at_s = [], 0.0
    pause = np.zeros(round(_PAUSE_S * SAMPLE_RATE_HZ), np.int16)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, "PCM_16") as file:
        for text, clip in said:
            samples, _ = soundfile.read(io.BytesIO(clip.encoded), dtype="int16")
            length_s = len(samples) / SAMPLE_RATE_HZ
            segments.append({"start": at_s, "end": at_s + length_s, "text": text})
            file.write(np.concatenate([samples, pause]))
            at_s += length_s + _PAUSE_S
    return Spoken(path, at_s, segments, _singly(said))


def _singly(said: Sequence[tuple[str, Clip]]) -> list[Request]:
    return [encode("multimodal", text, clip) for text, clip in said]
