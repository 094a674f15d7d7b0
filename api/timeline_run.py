"""A long recording from its bytes to its timeline, told step by step."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from typing import Literal
from uuid import uuid4

from api import alignment, speech
from api import segments as cutting
from api.alignment import Alignment
from api.errors import InputError
from api.service import Service
from api.sound import Sound
from api.timeline_answers import Summary, TimelineSegment
from api.timeline_segments import Progress, Recording, Sent
from api.transcripts import Cue
from api.waveform import Waveform
from ensemble.recording import RecordingLimits

Event = Progress | Waveform | Alignment | TimelineSegment | Summary


async def run(service: Service, sent: Sent) -> AsyncGenerator[Event, None]:
    """Yield what happens, the summary last; the segments in their order.

    Raises:
        ApiError: the recording or its transcript cannot be used, or no segment was answered.
    """
    limits = RecordingLimits(max_seconds=service.settings.max_timeline_seconds)
    with closing(Sound(sent.audio, service.log.spool, limits)) as sound:
        while await sound.read():
            yield Progress(stage="decoding", done=sound.duration_s, total=None)
        yield sound.peaks.waveform()
        aligned = await asyncio.to_thread(_aligned, sent, sound)
        yield aligned
        cues, repairs = _cut(sent, sound, aligned)
        recording = Recording(service, sent, sound, uuid4())
        try:
            async with aclosing(recording.segments(cues)) as events:
                async for event in events:
                    yield event
            yield await recording.summary(aligned, [*sent.repairs, *repairs])
        finally:
            await recording.store_what_is_there()


def _aligned(sent: Sent, sound: Sound) -> Alignment:
    if sent.cues is not None and sent.align:
        return alignment.estimate(sent.cues, sound.heard())
    status: Literal["no_transcript", "off"] = "no_transcript" if sent.cues is None else "off"
    return Alignment(status=status, offset_s=0.0, confidence=None, correlation_before=None)


def _cut(sent: Sent, sound: Sound, aligned: Alignment) -> tuple[list[Cue], list[str]]:
    if sent.cues is not None:
        return cutting.ready(alignment.apply(sent.cues, aligned), sound.duration_s)
    found = speech.segments(sound.speech.activity(), sound.duration_s)
    if not found:
        raise InputError("no_speech", "no speech was found in the recording")
    return cutting.ready(found, sound.duration_s)
