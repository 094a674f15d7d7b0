"""What the load is made of, always the same."""

import json
from itertools import cycle, islice

import httpx

from benchmarks.http_requests import Request, encode
from benchmarks.inputs import Clip, equal_clips, read_sentences

_CLIP_S = 1.5
_RECORDING_S = 3.0
_SENTENCES = 30
_EVERY_KIND = (
    *("text", "text", "multimodal", "text", "batch"),
    *("text", "text", "multimodal", "text", "timeline"),
)


def mixed_requests() -> list[Request]:
    """Return two sentences, then a sentence with a clip of 1.5 s, over and over."""
    return _requests(("text", "text", "multimodal"))


def every_kind() -> list[Request]:
    """Return the like with batches and timelines between: answers with many rows."""
    return _requests(_EVERY_KIND)


def _requests(kinds: tuple[str, ...]) -> list[Request]:
    sentences, clips = read_sentences()[:_SENTENCES], equal_clips(_CLIP_S, 8)
    [recording] = equal_clips(_RECORDING_S, 1)
    chosen = zip(islice(cycle(kinds), _SENTENCES), sentences, cycle(clips), strict=False)
    return [_request(kind, sentence, clip, recording) for kind, sentence, clip in chosen]


def _request(kind: str, sentence: str, clip: Clip, recording: Clip) -> Request:
    if kind == "batch":
        return _batch(sentence, clip)
    if kind == "timeline":
        return _timeline(sentence, recording)
    return encode("multimodal" if kind == "multimodal" else "text", sentence, clip)


def _batch(sentence: str, clip: Clip) -> Request:
    """Return two texts and a recording, each to be answered for itself."""
    texts = [("text", (None, text.encode())) for text in (sentence, "I love this!")]
    return _form("/analyze/batch", [*texts, ("audio", ("clip.wav", clip.encoded))], clip.seconds)


def _timeline(sentence: str, recording: Clip) -> Request:
    """Return a recording with a transcript of two segments."""
    middle = recording.seconds / 2
    segments = [
        {"start": 0.0, "end": middle, "text": sentence},
        {"start": middle, "end": recording.seconds, "text": "I love this!"},
    ]
    fields = [
        ("segments", (None, json.dumps(segments).encode())),
        ("align", (None, b"off")),
        ("audio", ("recording.wav", recording.encoded)),
    ]
    return _form("/analyze/timeline", fields, recording.seconds)


def _form(path: str, fields: list[tuple[str, tuple[str | None, bytes]]], seconds: float) -> Request:
    request = httpx.Request("POST", f"http://any{path}", files=fields)
    return Request(path, request.read(), request.headers["content-type"], seconds)
