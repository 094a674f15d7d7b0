"""What a recording's segments come to together."""

from uuid import uuid4

import pytest

from api.schemas import MultimodalAnswer, SubResult
from api.timeline_answers import TimelineSegment, mean_of, strongest_shifts


def segment(number: int, speaker: str | None, joy: float | None) -> TimelineSegment:
    """Return a segment with so much joy, the rest anger; None was not answered."""
    times = {"start": float(number), "end": number + 1.0}
    result = None if joy is None else answer(joy)
    told = {"number": number, **times, "speaker": speaker, "result": result}
    return TimelineSegment.model_validate({**told, "text": None, "error": None})


def answer(joy: float) -> MultimodalAnswer:
    top = SubResult(
        top_emotion="JOY" if joy > 0.5 else "ANGER",
        confidence=max(joy, 1 - joy),
        all_scores={"JOY": joy, "ANGER": 1 - joy},
    )
    return MultimodalAnswer(
        **top.model_dump(), id=uuid4(), modality="audio_only", latency_ms=1.0, models={},
        degraded=None, warnings=[], fusion_weights={"text": 0.0, "audio": 1.0},
        sub_results={"audio": top},
    )  # fmt: skip


def test_shifts_are_one_speakers() -> None:
    said = [("Ann", 1.0), ("Ben", 0.0), (None, 0.9), ("Ann", None), ("Ann", 0.2), (None, 0.4)]
    segments = [segment(number, *one) for number, one in enumerate(said)]
    told = [
        (one.speaker, one.before, one.after, one.at, one.from_emotion, one.to_emotion)
        for one in strongest_shifts(segments)
    ]
    assert told == [("Ann", 0, 4, 4.0, "JOY", "ANGER"), (None, 2, 5, 5.0, "JOY", "ANGER")]
    assert [one.change for one in strongest_shifts(segments)] == pytest.approx([0.8, 0.5])


def test_the_mean_is_weighted_by_length() -> None:
    scores = [{"JOY": 1.0, "ANGER": 0.0}, {"JOY": 0.0, "ANGER": 1.0}]
    assert mean_of([(3.0, scores[0]), (1.0, scores[1])]).all_scores == {"JOY": 0.75, "ANGER": 0.25}
    assert mean_of([(0.0, scores[0]), (0.0, scores[1])]).all_scores == {"JOY": 0.5, "ANGER": 0.5}
