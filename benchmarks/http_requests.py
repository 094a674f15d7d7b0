"""The requests that an HTTP service is measured with, encoded beforehand."""

from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal, get_args

import httpx

from benchmarks.inputs import Clip, cut_clips, read_sentences

Modality = Literal["text", "audio", "multimodal"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)


@dataclass(frozen=True)
class Request:
    """An encoded POST and how much speech it carries."""

    path: str
    body: bytes
    content_type: str
    audio_seconds: float


def realistic_requests(modality: Modality) -> list[Request]:
    """Return the fixed mix: ordinary sentences, and clips of 1 to 12 s of a person reading."""
    sentences, clips = read_sentences(), cut_clips()
    counts = {"text": len(sentences), "audio": len(clips)}
    pairs = zip(cycle(sentences), cycle(clips), strict=False)
    chosen = islice(pairs, counts.get(modality, max(counts.values())))
    return [encode(modality, sentence, clip) for sentence, clip in chosen]


def encode(modality: Modality, sentence: str, clip: Clip) -> Request:
    """Return the request for one sentence, one clip, or both; always a multipart form."""
    path = f"/analyze/{modality}"
    parts: list[tuple[str, tuple[str | None, bytes]]] = []
    if modality != "audio":
        parts.append(("text", (None, sentence.encode())))  # no file name: an ordinary field
    if modality != "text":
        parts.append(("audio", ("clip.wav", clip.encoded)))
    request = httpx.Request("POST", f"http://any{path}", files=parts)
    seconds = 0.0 if modality == "text" else clip.seconds
    return Request(path, request.read(), request.headers["content-type"], seconds)
