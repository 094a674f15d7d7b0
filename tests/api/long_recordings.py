"""A recording of minutes for tests, made of the shipped ones, and what is said when in it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from export.real_inputs import RECORDINGS
from tests.recordings import Samples, encoded, speech

RATE_HZ = 16_000


@dataclass(frozen=True)
class Said:
    """A recording that is read aloud, its place in seconds."""

    start_s: float
    end_s: float
    text: str
    speaker: str


def long_recording(
    count: int, seed: int = 1, pauses_s: tuple[float, float] = (0.6, 2)
) -> tuple[Samples, list[Said]]:
    """Return `count` recordings with pauses of so many seconds between them, [n]."""
    rng = np.random.default_rng(seed)
    parts, said, end = [], [], 0
    for number in range(count):
        pause = np.zeros(round(rng.uniform(*pauses_s) * RATE_HZ), np.float32)
        sound = speech(number % len(RECORDINGS))
        start = end + len(pause)
        end = start + len(sound)
        parts += [pause, sound]
        times = start / RATE_HZ, end / RATE_HZ
        said.append(Said(*times, f"This is sentence {number}.", "AB"[number % 2]))
    return np.concatenate([*parts, np.zeros(RATE_HZ, np.float32)]), said


def flac(samples: Samples) -> bytes:
    return encoded(samples, RATE_HZ, "FLAC", "PCM_16")


def shifted(said: list[Said], by_s: float) -> list[Said]:
    return [replace(one, start_s=one.start_s + by_s, end_s=one.end_s + by_s) for one in said]


def as_json(said: list[Said]) -> list[dict[str, Any]]:
    return [
        {"start": one.start_s, "end": one.end_s, "text": one.text, "speaker": one.speaker}
        for one in said
    ]


def as_vtt(said: list[Said]) -> str:
    cues = (
        f"{_time(one.start_s)} --> {_time(one.end_s)}\n<v {one.speaker}>{one.text}\n"
        for one in said
    )
    return "\n".join(["WEBVTT\n", *cues])


def as_srt(said: list[Said]) -> str:
    cues = (
        f"{number}\n{_time(one.start_s, ',')} --> {_time(one.end_s, ',')}\n"
        f"{one.speaker}: {one.text}\n"
        for number, one in enumerate(said, 1)
    )
    return "\n".join(cues)


def _time(seconds: float, point: str = ".") -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds / 1000:06.3f}".replace(".", point)
