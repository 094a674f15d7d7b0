"""A long recording of a person reading, the clips that it is made of, and sending either."""

import asyncio
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from benchmarks.http_client import Sample, Send, run
from benchmarks.http_requests import Request, encode
from benchmarks.inputs import Clip, cut_clips, read_sentences
from ensemble.clips import SAMPLE_RATE_HZ

_CLIP_SECONDS = (4.0, 6.0)
_PAUSE_S = 1.0
_AT_ONCE = 4
"""A quarter of the default of NEUROSENSE_MAX_CONCURRENT_REQUESTS: what a timeline may have."""

_TIMEOUT_S = 1800.0


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


def send_together(url: str, recording: Spoken) -> tuple[float, float]:
    """Return how many seconds the timeline takes until its first segment, and in all.

    Raises:
        RuntimeError: not every segment was answered.
    """
    started_s = time.perf_counter()
    first_s, told = 0.0, []
    with (
        recording.path.open("rb") as file,
        httpx.stream(
            "POST",
            f"{url}/analyze/timeline",
            files={"audio": file, "segments": (None, json.dumps(recording.segments))},
            headers={"Accept": "application/x-ndjson"},
            timeout=_TIMEOUT_S,
        ) as answer,
    ):
        for line in answer.iter_lines():
            told.append(json.loads(line))
            if not first_s and told[-1].get("event") == "segment":
                first_s = time.perf_counter() - started_s
    took_s = time.perf_counter() - started_s
    answered = [one for one in told if one.get("event") == "segment" and one["result"]]
    if len(answered) != len(recording.segments):
        raise RuntimeError(f"{len(answered)} segments were answered; at last {told[-1:]}")
    return first_s, took_s


def send_singly(url: str, requests: Sequence[Request]) -> float:
    """Return how many seconds the clips take.

    Raises:
        RuntimeError: one was not answered.
    """
    waiting = iter(requests)

    async def load(send: Send, _begin: float) -> list[Sample]:
        async def client() -> list[Sample]:
            return [await send(request, time.perf_counter()) for request in waiting]

        clients = await asyncio.gather(*(client() for _ in range(_AT_ONCE)))
        return [sample for samples in clients for sample in samples]

    begin_s, samples = run(url, load)
    for error in filter(None, (one.error for one in samples)):
        raise RuntimeError(f"a clip was not answered: {error}")
    return max(one.done for one in samples) - begin_s
