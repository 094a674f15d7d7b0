"""What a recording's segments come to together."""

import pytest

from api.schemas import MultimodalAnswer
from api.timeline_answers import TimelineSegment, mean_of, strongest_shifts


def segment(number: int, speaker: str | None, joy: float | None) -> TimelineSegment:
    """Return a segment with so much joy, the rest anger; None was not answered."""
    result = None
    if joy is not None:
        top = "JOY" if joy > 0.5 else "ANGER"
        scores = {"JOY": joy, "ANGER": 1 - joy}
        result = MultimodalAnswer.model_construct(top_emotion=top, all_scores=scores)
    return TimelineSegment.model_construct(
        number=number, start=float(number), end=number + 1.0, speaker=speaker, result=result
    )


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
