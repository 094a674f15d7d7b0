"""A transcript's offset is found where there is one, and none is made up."""

import numpy as np
import pytest

from api.alignment import MOST_S, apply, estimate
from api.speech import FRAME_S, Activity, SpeechDetector, segments
from api.transcripts import Cue
from tests.api.long_recordings import long_recording

Random = np.random.Generator


def talk(rng: Random, duration_s: float) -> list[Cue]:
    """Return sentences of one to seven seconds with pauses of up to two."""
    cues: list[Cue] = []
    start_s = rng.uniform(0.3, 2)
    while (end_s := start_s + rng.uniform(1, 7)) < duration_s:
        cues.append(Cue(start_s, end_s))
        start_s = end_s + rng.uniform(0.3, 2)
    return cues


def heard(rng: Random, cues: list[Cue], duration_s: float, wrong: float) -> Activity:
    """Return the frames in which they are spoken, a share of which is `wrong`."""
    activity = np.zeros(int(duration_s / FRAME_S), np.uint8)
    for cue in cues:
        activity[int(cue.start_s / FRAME_S) : int(cue.end_s / FRAME_S)] = 1
    activity[rng.random(len(activity)) < wrong] ^= 1
    return activity


def moved(cues: list[Cue], by_s: float) -> list[Cue]:
    return [Cue(cue.start_s + by_s, cue.end_s + by_s) for cue in cues]


@pytest.mark.parametrize("duration_s", [60, 300, 3600])
def test_an_offset_is_found(duration_s: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(6):
        cues, offset_s = talk(rng, duration_s), rng.uniform(-4.9, 4.9)
        found = estimate(moved(cues, -offset_s), heard(rng, cues, duration_s, wrong=0.05))
        assert found.offset_s == pytest.approx(offset_s, abs=0.15)
        assert found.confidence is not None
        assert found.confidence > 0.7


@pytest.mark.parametrize(
    "duration_s", [15, 60, *(pytest.param(one, marks=pytest.mark.slow) for one in (30, 120, 600))]
)
def test_a_transcript_of_something_else_is_left(duration_s: float) -> None:
    rng = np.random.default_rng(2)
    corrected = 0
    for _ in range(100):
        activity = heard(rng, talk(rng, duration_s), duration_s, wrong=0.05)
        corrected += estimate(talk(rng, duration_s), activity).status == "corrected"
    assert corrected <= 1


@pytest.mark.parametrize("frames", [0, 1, 100, 1000])
@pytest.mark.parametrize("value", [0, 1])
def test_what_is_always_the_same_tells_nothing(frames: int, value: int) -> None:
    activity = np.full(frames, value, np.uint8)
    found = estimate([Cue(1, 2), Cue(5, 1e6)], activity)
    assert (found.status, found.offset_s, found.confidence) == ("kept", 0, 0)


def test_more_than_five_seconds_is_not_looked_for() -> None:
    rng = np.random.default_rng(3)
    cues = talk(rng, 300)
    found = estimate(moved(cues, 20), heard(rng, cues, 300, wrong=0))
    assert abs(found.offset_s) <= MOST_S
    assert found.status == "kept"


def test_applied() -> None:
    cues = [Cue(1, 2, "a", "A")]
    found = estimate(cues, np.zeros(100, np.uint8)).model_copy(update={"offset_s": 0.5})
    assert apply(cues, found) == [Cue(1.5, 2.5, "a", "A")]


def test_speech_is_found_in_pieces_of_any_size() -> None:
    samples, said = long_recording(4)
    pcm = (samples * 32767).astype("<i2").tobytes()
    found = []
    for size in (len(pcm), 1000):
        detector = SpeechDetector()
        for start in range(0, len(pcm), size):
            detector.hear(pcm[start : start + size])
        found.append(detector.activity().tolist())
    assert found[0] == found[1]
    cues = segments(np.array(found[0], np.uint8), len(samples) / 16_000)
    assert all(cues[n].end_s <= cues[n + 1].start_s for n in range(len(cues) - 1))
    spoken = sum(one.end_s - one.start_s for one in said)
    assert sum(cue.end_s - cue.start_s for cue in cues) == pytest.approx(spoken, rel=0.15)
