"""POST /analyze/timeline: a long recording, with its transcript or without, over time."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, WithJsonSchema

from api import auth, errors, transcripts, trial
from api.errors import ApiError, InputError
from api.fields import MULTIPART, Form, FormField, FormLimits
from api.forms import ContentType, not_a_form, read_form
from api.leaving import unless_left
from api.requests import body_of, weight_of
from api.routes import PROBLEMS
from api.schemas import Problem
from api.service import Service, ServiceDep
from api.settings import Settings
from api.spare_room import SpareFile
from api.timeline_answers import Summary, Timeline, TimelineSegment
from api.timeline_run import Event, run
from api.timeline_segments import Sent
from api.tracing import span

PATH = "/analyze/timeline"
_SSE, _NDJSON = "text/event-stream", "application/x-ndjson"
_Upload = Annotated[str, WithJsonSchema({"type": "string", "format": "binary"})]


class TimelineBody(BaseModel):
    """A recording, and what is said in it as `transcript` or `segments`, if that is known."""

    audio: _Upload = Field(description="an encoded file: WAV, FLAC, OGG, MP3, M4A, WebM …")
    transcript: _Upload | None = Field(None, description="a WebVTT or SRT file")
    segments: str | None = Field(
        None, description="JSON: a list of {start, end, text, speaker?}, times in seconds"
    )
    align: Literal["on", "off", ""] = Field(
        "on", description="whether the transcript's times are corrected by what is heard"
    )
    text_weight: float | Literal[""] | None = Field(
        None, ge=0, le=1, description="weight of the text, 0 to 1; NEUROSENSE_TEXT_WEIGHT"
    )


async def _upload(service: ServiceDep) -> AsyncIterator[IO[bytes]]:
    """A file without a name for the upload; from here on it is one of the recordings in work."""
    with service.admission.recording(), SpareFile(service.log.spool) as file:
        yield file


router = APIRouter(
    tags=["analyze"],
    responses=auth.PROBLEMS | PROBLEMS,
    dependencies=[auth.requires("analyze"), trial.choosing],
)
_STREAMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {_SSE: {}, _NDJSON: {}}, "description": "Whole, or as the results come"}
}


@router.post(
    PATH,
    openapi_extra=body_of(TimelineBody, MULTIPART),
    response_model=Timeline,
    responses=_STREAMS,
)
async def analyze_timeline(
    request: Request, service: ServiceDep, upload: Annotated[IO[bytes], Depends(_upload)]
) -> Timeline | StreamingResponse:
    """Tell the emotions of a long recording over time.

    `Accept: text/event-stream` or `application/x-ndjson` gets each result as it comes, with the
    progress; an error that is found on the way is then an event, `error`.
    """
    started_s = time.perf_counter()
    with span("read body"):
        sent = await _read(request, service.settings, upload, started_s)
    accepted = request.headers.get("accept", "")
    for kind in (_SSE, _NDJSON):
        if kind in accepted:
            return StreamingResponse(_lines(service, sent, kind), media_type=kind)
    return await unless_left(request, _whole(service, sent))


async def _whole(service: Service, sent: Sent) -> Timeline:
    segments = []
    async with aclosing(run(service, sent)) as events:
        async for event in events:
            if isinstance(event, TimelineSegment):
                segments.append(event)
    assert isinstance(event, Summary)  # noqa: S101  the last one
    return Timeline(**vars(event), segments=segments)


async def _lines(service: Service, sent: Sent, kind: str) -> AsyncIterator[str]:
    try:
        async with aclosing(run(service, sent)) as events:
            async for event in events:
                yield _line(kind, event)
    except Exception as error:  # noqa: BLE001  the answer has begun: only an event can tell it
        told = error if isinstance(error, ApiError) else errors.logged(error)
        yield _line(kind, Problem(detail=told.detail, code=told.code))


def _line(kind: str, event: Event | Problem) -> str:
    name = {"TimelineSegment": "segment", "Problem": "error"}.get(
        type(event).__name__, type(event).__name__.lower()
    )
    data = json.dumps({"event": name, **event.model_dump(mode="json")}, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n" if kind == _SSE else f"{data}\n"


async def _read(request: Request, settings: Settings, upload: IO[bytes], started_s: float) -> Sent:
    if ContentType.parse(request.headers.get("content-type")).media != MULTIPART:
        raise not_a_form("")
    most = settings.max_text_bytes
    sizes = {"audio": settings.max_timeline_bytes, "transcript": most, "segments": most}
    form = await read_form(request, FormLimits(sizes, 1024, files={"audio": upload}))
    if "audio" not in form or not upload.tell():
        raise InputError("audio_missing", "the file field `audio` is missing, or it is empty")
    align = _value(form, "align").decode("ascii", "replace")
    if align not in ("on", "off", ""):
        raise InputError("align_invalid", "align must be on or off")
    cues, repairs = await asyncio.to_thread(_transcript, form)
    weight = weight_of(_value(form, "text_weight"), settings.text_weight)
    return Sent(upload, cues, repairs, align != "off", weight, started_s)


def _transcript(form: Form) -> tuple[list[transcripts.Cue] | None, list[str]]:
    transcript, segments = _value(form, "transcript"), _value(form, "segments")
    if transcript and segments:
        raise InputError("two_transcripts", "send `transcript` or `segments`, not both")
    if transcript:
        return transcripts.from_file(transcript)
    return transcripts.from_json(segments) if segments else (None, [])


def _value(form: Form, name: str) -> bytes:
    return form.get(name, FormField(b"")).value
