"""What /analyze/timeline answers: the segments, and what follows from them together."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import BaseModel, Field

from api.alignment import Alignment
from api.schemas import MultimodalAnswer, Problem, SubResult

_STRONGEST = 5


class TimelineSegment(BaseModel):
    """A stretch of the recording, and what was found in it."""

    number: int = Field(description="from 0 on, by start")
    start: float = Field(description="in seconds, after alignment")
    end: float
    text: str | None
    speaker: str | None
    result: MultimodalAnswer | None = Field(description="as /analyze/multimodal; null: see error")
    error: Problem | None


class Speaker(SubResult):
    """What one speaker's segments come to."""

    seconds: float = Field(description="how long they speak in the segments that were answered")


class Shift(BaseModel):
    """A change from one segment of a speaker to the same one's next that was answered."""

    at: float = Field(description="where the second one begins, in seconds")
    speaker: str | None = Field(description="whose; null: of those without a name")
    before: int = Field(description="the first one's number")
    after: int
    change: float = Field(description="half the sum of the scores' differences: 0 none, 1 all")
    from_emotion: str
    to_emotion: str


class Summary(BaseModel):
    """A recording as a whole."""

    id: UUID = Field(description="the recording's row in the prediction log")
    duration_s: float
    overall: SubResult = Field(description="the segments' scores, weighted by their length")
    speakers: dict[str, Speaker] = Field(description="the same for each speaker that was named")
    shifts: list[Shift] = Field(description=f"the {_STRONGEST} strongest, the strongest first")
    alignment: Alignment
    repairs: list[str] = Field(description="what was changed in the transcript, in words")
    failed: int = Field(description="segments that have an error")
    latency_ms: float


class Timeline(Summary):
    """A recording over time."""

    segments: list[TimelineSegment]


def together(segments: Sequence[TimelineSegment]) -> SubResult:
    """Return the mean of the answered segments' scores, at least one, weighted by their length."""
    return mean_of([(one.end - one.start, one.result.all_scores) for one in segments if one.result])


def mean_of(found: Sequence[tuple[float, Mapping[str, float]]]) -> SubResult:
    """Return the mean of scores, at least one, weighted by the seconds that each is about.

    Equally, where none of them has any length.
    """
    total_s = sum(length_s for length_s, _ in found)
    scores: dict[str, float] = {}
    for length_s, all_scores in found:
        weight = length_s / total_s if total_s > 0 else 1 / len(found)
        for emotion, score in all_scores.items():
            scores[emotion] = scores.get(emotion, 0.0) + score * weight
    ranked = dict(sorted(scores.items(), key=lambda item: -item[1]))
    top = next(iter(ranked))
    return SubResult(top_emotion=top, confidence=ranked[top], all_scores=ranked)


def by_speaker(segments: Sequence[TimelineSegment]) -> dict[str, Speaker]:
    """Return the same for each speaker, in the order of their first words."""
    of: dict[str, list[TimelineSegment]] = {}
    for one in segments:
        if one.speaker is not None and one.result is not None:
            of.setdefault(one.speaker, []).append(one)
    return {
        name: Speaker(**together(own).model_dump(), seconds=_seconds(own))
        for name, own in of.items()
    }


def _seconds(segments: Sequence[TimelineSegment]) -> float:
    return round(sum(one.end - one.start for one in segments), 3)


def strongest_shifts(segments: Sequence[TimelineSegment]) -> list[Shift]:
    """Return where the scores of a speaker change most, from one answered segment to the next.

    Two people who feel differently are no shift. Segments without a name are one speaker's.
    """
    last_of: dict[str | None, tuple[int, MultimodalAnswer]] = {}
    shifts = []
    for one in segments:
        if one.result is None:
            continue
        if before := last_of.get(one.speaker):
            shifts.append(_shift(one, *before, one.result))
        last_of[one.speaker] = one.number, one.result
    return sorted(shifts, key=lambda shift: -shift.change)[:_STRONGEST]


def _shift(
    one: TimelineSegment, number: int, before: MultimodalAnswer, after: MultimodalAnswer
) -> Shift:
    return Shift(
        at=one.start,
        speaker=one.speaker,
        before=number,
        after=one.number,
        change=_distance(before.all_scores, after.all_scores),
        from_emotion=before.top_emotion,
        to_emotion=after.top_emotion,
    )


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    emotions = one.keys() | other.keys()
    return sum(abs(one.get(name, 0.0) - other.get(name, 0.0)) for name in emotions) / 2
