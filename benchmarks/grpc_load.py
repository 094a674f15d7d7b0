"""Sends the same requests to an ensemble, all of them, and takes the time.

perf_analyzer counts what happens to end within a window; where two ways are compared by a few
dozen clips of very different lengths, both must do exactly the same work.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from tritonclient.grpc import InferenceServerClient, aio

from api.tensors import from_bytes, to_input
from benchmarks.inputs import Clip, cut_clips, read_sentences


@dataclass(frozen=True)
class Asked:
    """A sentence, a clip or both."""

    text: str | None
    clip: Clip | None

    @property
    def model(self) -> str:
        """The ensemble that answers it."""
        if self.clip is None:
            return "emotion_text"
        return "emotion_audio" if self.text is None else "emotion_multimodal"


def mixed(count: int) -> list[Asked]:
    """Return requests of both kinds of input: ordinary sentences, clips of 1 to 12 s."""
    pairs = zip(cycle(read_sentences()), cycle(cut_clips()), strict=False)
    return [Asked(text, clip) for text, clip in islice(pairs, count)]


def clips_only(clips: Sequence[Clip], count: int) -> list[Asked]:
    """Return requests with a clip each, the given ones over and over."""
    return [Asked(None, clip) for clip in islice(cycle(clips), count)]


def audio_seconds(requests: Sequence[Asked]) -> float:
    """Return how much speech the requests carry."""
    return sum(one.clip.seconds for one in requests if one.clip)


def waits_ms(url: str, requests: Sequence[Asked]) -> list[float]:
    """Return how long Triton's gRPC port at `url` took for each request, one at a time.

    Raises:
        InferenceServerException: one was refused.
    """
    waits = []
    with InferenceServerClient(url) as client:
        for one in requests:
            inputs = _inputs(one)
            begin = time.perf_counter()
            client.infer(one.model, inputs)
            waits.append((time.perf_counter() - begin) * 1000)
    return waits


def per_second(url: str, requests: Sequence[Asked], in_flight: int) -> float:
    """Return how many requests per second Triton's gRPC port at `url` answers.

    All are sent, in their order, `in_flight` at a time; a few go before that nobody counts.

    Raises:
        InferenceServerException: one was refused.
    """
    return asyncio.run(_per_second(url, requests, in_flight))


async def _per_second(url: str, requests: Sequence[Asked], in_flight: int) -> float:
    client = aio.InferenceServerClient(url)
    try:
        encoded = [(one.model, _inputs(one)) for one in requests]
        await _send(client, encoded[: min(in_flight, 8)], in_flight)
        begin = time.perf_counter()
        await _send(client, encoded, in_flight)
        return len(encoded) / (time.perf_counter() - begin)
    finally:
        await client.close()


async def _send(client: Any, encoded: Sequence[tuple[str, list[Any]]], in_flight: int) -> None:
    order = iter(encoded)

    async def one_client() -> None:
        for model, inputs in order:  # shared: whoever is free takes the next
            await client.infer(model, inputs)

    await asyncio.gather(*(one_client() for _ in range(in_flight)))


def _inputs(asked: Asked) -> list[Any]:
    text = None if asked.text is None else asked.text.encode()
    audio = None if asked.clip is None else asked.clip.encoded
    given = {"TEXT": text, "AUDIO": audio}
    return [to_input(name, from_bytes(one)) for name, one in given.items() if one is not None]
