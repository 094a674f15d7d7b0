"""A transcript as a client sends it: WebVTT, SRT, or a JSON list of segments."""

import io
import re
from dataclasses import dataclass, field
from typing import Annotated

import webvtt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from webvtt.errors import MalformedCaptionError, MalformedFileError

from api.errors import InputError

MOST_SEGMENTS = 10_000

_SPEAKER_FIRST = re.compile(r"^(?P<speaker>[^\W\d][^:<>\n]{0,39}):\s+(?P<text>\S.*)$", re.DOTALL)
_Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True)
class Cue:
    """What was said from `start_s` to `end_s`, None where only the sound is known."""

    start_s: float
    end_s: float
    text: str | None = None
    speaker: str | None = None
    sent_s: tuple[float, float] | None = field(default=None, compare=False)
    """Its times as the client knows them, where the alignment has moved it."""


class SentSegment(BaseModel):
    """A segment of a transcript, its times in seconds."""

    model_config = ConfigDict(strict=True)

    start: _Seconds
    end: _Seconds
    text: str = ""
    speaker: Annotated[str, Field(max_length=200)] | None = None


_SEGMENTS = TypeAdapter(list[SentSegment])


def from_json(segments: bytes) -> tuple[list[Cue], list[str]]:
    """Return the cues of a JSON list and what was repaired; InputError `segments_invalid`."""
    try:
        sent = _SEGMENTS.validate_json(segments)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "segments"
        raise InputError("segments_invalid", f"{where}: {problem['msg']}") from None
    cues = [Cue(one.start, one.end, one.text.strip() or None, one.speaker) for one in sent]
    return _checked(cues), []


def from_file(transcript: bytes) -> tuple[list[Cue], list[str]]:
    """Return the cues of a WebVTT or SRT file and what was repaired.

    A speaker is a voice (`<v Ann>`) or a name before a colon. InputError `transcript_invalid`.
    """
    try:
        text = transcript.decode("utf-8-sig").replace("\0", "\ufffd")
    except UnicodeDecodeError:
        raise InputError("transcript_invalid", "the transcript is not UTF-8") from None
    kind = "vtt" if text.startswith("WEBVTT") else "srt"
    try:
        read = webvtt.from_buffer(io.StringIO(text.lstrip()), format=kind)
        captions = list(read.iter_slice())
    except (MalformedFileError, MalformedCaptionError):
        detail = "the transcript is neither a WebVTT nor an SRT file"
        raise InputError("transcript_invalid", detail) from None
    unread = text.count("-->") - len(captions)
    repairs = [f"{unread} cues without readable times were left out"] if unread > 0 else []
    return _checked([_cue(caption) for caption in captions]), repairs


def _cue(caption: webvtt.Caption) -> Cue:
    text, speaker = caption.text.strip(), caption.voice or None
    if speaker is None and (found := _SPEAKER_FIRST.match(text)):
        speaker, text = found["speaker"].strip(), found["text"]
    return Cue(
        _seconds(caption.start_time),
        _seconds(caption.end_time),
        " ".join(text.split()) or None,
        speaker and speaker[:200],
    )


def _seconds(time: webvtt.models.Timestamp) -> float:
    hours, minutes, seconds, milliseconds = time.to_tuple()
    return float(hours * 3600 + minutes * 60 + seconds + milliseconds / 1000)


def _checked(cues: list[Cue]) -> list[Cue]:
    if not cues:
        raise InputError("transcript_empty", "the transcript has no segments")
    if len(cues) > MOST_SEGMENTS:
        detail = f"the transcript has {len(cues)} segments, at most {MOST_SEGMENTS} are taken"
        raise InputError("transcript_too_long", detail)
    for number, cue in enumerate(cues):
        if cue.end_s <= cue.start_s:
            detail = f"segment {number} ends at {cue.end_s:g} s and starts at {cue.start_s:g} s"
            raise InputError("segment_times_invalid", detail)
    return cues
