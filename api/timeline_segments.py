"""A long recording's segments at the models, some at a time, and what they come to."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.alignment import Alignment
from api.errors import ApiError
from api.models import Asked
from api.recording_row import recording_row
from api.request_id import current_request_id
from api.rows import Part
from api.schemas import Problem, SubResult
from api.service import Service
from api.sound import Sound
from api.timeline_answers import Summary, TimelineSegment, by_speaker, strongest_shifts, together
from api.transcripts import Cue

logger = logging.getLogger("neurosense.api")

_AHEAD = 4
"""So many times what may run is begun: they wait for each other to be told in order."""


@dataclass(frozen=True)
class Sent:
    """What to analyse; `cues` is None without a transcript."""

    audio: IO[bytes]
    cues: Sequence[Cue] | None
    repairs: Sequence[str]
    align: bool
    text_weight: float
    started_s: float


class Progress(BaseModel):
    """How far it is."""

    stage: Literal["decoding", "analysing"]
    done: float = Field(description="seconds that are decoded, or segments that are analysed")
    total: int | None = Field(description="segments in all; unknown while decoding")


class Recording:
    """Its segments at the models, so many at once as one request may."""

    def __init__(self, service: Service, sent: Sent, sound: Sound, identity: UUID) -> None:
        self._service = service
        self._sent = sent
        self._sound = sound
        self._id = identity
        self._done: list[TimelineSegment] = []
        self._error: ApiError | None = None
        self._kept: dict[int, TimelineSegment] = {}
        self._at_once = asyncio.Semaphore(service.admission.items_at_once)
        self._is_stored = False
        self._request_id = current_request_id()

    async def segments(
        self, cues: Sequence[Cue]
    ) -> AsyncGenerator[TimelineSegment | Progress, None]:
        """Yield each segment when it and those before it are there, and the progress."""
        under_way: list[asyncio.Task[TimelineSegment]] = []
        waiting = enumerate(cues)
        try:
            while len(self._done) < len(cues):
                # More than may run: a slow one holds up the order, not the models.
                while len(under_way) < _AHEAD * self._service.admission.items_at_once:
                    if (one := next(waiting, None)) is None:
                        break
                    under_way.append(asyncio.create_task(self._segment(*one)))
                self._done.append(await under_way[0])
                del under_way[0]
                yield self._done[-1]
                yield Progress(stage="analysing", done=len(self._done), total=len(cues))
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def summary(self, aligned: Alignment, repairs: list[str]) -> Summary:
        """Return what the segments come to; its row is durable then."""
        if self._error is not None and not any(one.result for one in self._done):
            raise self._error
        summary = Summary(
            id=self._id,
            duration_s=self._sound.duration_s,
            overall=together(self._done),
            speakers=by_speaker(self._done),
            shifts=strongest_shifts(self._done),
            alignment=aligned,
            repairs=repairs,
            failed=sum(one.error is not None for one in self._done),
            latency_ms=self._elapsed_ms(),
        )
        times = {"end_s": summary.duration_s, "latency_ms": summary.latency_ms}
        await self._store(self._done, summary.overall, **times)
        return summary

    async def store_what_is_there(self) -> None:
        """Write the row of a recording whose client left before the summary."""
        if self._is_stored or not self._kept:
            return
        segments = [self._kept[number] for number in sorted(self._kept)]
        times = {"end_s": max(one.end for one in segments), "latency_ms": self._elapsed_ms()}
        try:
            await self._store(segments, together(segments), **times, complete=False)
        except ApiError as error:
            logger.error("the row of a recording that was left is not stored: %s", error.code)

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._sent.started_s) * 1000

    async def _segment(self, number: int, cue: Cue) -> TimelineSegment:
        async with self._at_once:
            return await self._answered(number, cue)

    async def _answered(self, number: int, cue: Cue) -> TimelineSegment:
        clip = await asyncio.to_thread(self._sound.wav, cue.start_s, cue.end_s)
        text = None if cue.text is None else cue.text.encode("utf-8", "replace")
        asked = Asked(text, clip, self._sent.text_weight)
        found = TimelineSegment(
            number=number, start=cue.start_s, end=cue.end_s, text=cue.text, speaker=cue.speaker,
            result=None, error=None,
        )  # fmt: skip
        part = Part(str(self._id), cue.start_s, cue.end_s, cue.speaker)
        try:
            timeout_s = self._service.settings.request_timeout_s
            heard = await self._service.find(asked, "timeline", timeout_s)
            answered = found.model_copy(update={"result": heard.answer})
            # Before it is stored: a row that is on its way is written, even if the client leaves.
            self._kept[number] = answered
            await self._service.keep(heard, part)
        except ApiError as error:
            self._kept.pop(number, None)
            self._error = error
            problem = Problem(detail=error.detail, code=error.code)
            return found.model_copy(update={"error": problem})
        return answered

    async def _store(
        self, segments: Sequence[TimelineSegment], overall: SubResult, **more: Any
    ) -> None:
        self._is_stored = True
        results = [one.result for one in segments if one.result]
        models = {name: model for one in results for name, model in one.models.items()}
        row = recording_row(
            self._id, overall, models, text_weight=self._sent.text_weight,
            request_id=self._request_id, tracks={one.track for one in results}, **more,
        )  # fmt: skip
        await self._service.log.write(row)
