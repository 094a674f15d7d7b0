"""A transcript's offset is found where there is one, and none is made up."""

import numpy as np
import pytest

from api.alignment import apply, estimate
from api.correlation import MOST_S, Values
from api.speech import FRAME_S, Loudness, SpeechDetector, segments
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


def heard(rng: Random, cues: list[Cue], duration_s: float, wrong: float) -> Values:
    """Return the frames in which they are spoken, a share of which is `wrong`."""
    activity = np.zeros(int(duration_s / FRAME_S), np.uint8)
    for cue in cues:
        activity[int(cue.start_s / FRAME_S) : int(cue.end_s / FRAME_S)] = 1
    activity[rng.random(len(activity)) < wrong] ^= 1
    return activity.astype(np.float64)


def sent(cues: list[Cue], offset_s: float, drift_ppm: float = 0.0) -> list[Cue]:
    """Return cues that a correction by so much would put right."""
    faster = 1 + drift_ppm / 1e6
    return [Cue((c.start_s - offset_s) / faster, (c.end_s - offset_s) / faster) for c in cues]


def largest_error_s(found: list[Cue], right: list[Cue]) -> float:
    return max(abs(one.start_s - other.start_s) for one, other in zip(found, right, strict=True))


@pytest.mark.parametrize("duration_s", [60, 300, 3600])
def test_an_offset_is_found(duration_s: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(6 if duration_s < 3600 else 2):
        cues, offset_s = talk(rng, duration_s), rng.uniform(-4.9, 4.9)
        found = estimate(sent(cues, offset_s), heard(rng, cues, duration_s, wrong=0.05))
        assert found.offset_s == pytest.approx(offset_s, abs=0.15)
        assert found.drift_ppm is None
        assert found.confidence is not None
        assert found.confidence > 0.7


@pytest.mark.parametrize(
    ("minutes", "offset_s", "drift_ppm"), [(60, 2.0, 1000), (60, -3.0, -500), (10, 4.5, 3000)]
)
def test_a_drift_is_found(minutes: int, offset_s: float, drift_ppm: float) -> None:
    rng = np.random.default_rng(4)
    cues = talk(rng, minutes * 60)
    late = sent(cues, offset_s, drift_ppm)
    found = estimate(late, heard(rng, cues, minutes * 60, wrong=0.05))
    assert found.drift_ppm == pytest.approx(drift_ppm, abs=0.2e6 / (minutes * 60))
    assert largest_error_s(apply(late, found), cues) < 0.2


def test_a_drift_that_is_hardly_there_is_left() -> None:
    rng = np.random.default_rng(4)
    cues = talk(rng, 600)
    late = sent(cues, 2.0, 100)
    found = estimate(late, heard(rng, cues, 600, wrong=0.05))
    assert found.drift_ppm is None
    assert largest_error_s(apply(late, found), cues) < 0.2


@pytest.mark.parametrize(
    "duration_s",
    [15, 60, *(pytest.param(one, marks=pytest.mark.slow) for one in (30, 120, 200, 600))],
)
def test_a_transcript_of_something_else_is_left(duration_s: float) -> None:
    rng = np.random.default_rng(2)
    corrected = 0
    for _ in range(100):
        activity = heard(rng, talk(rng, duration_s), duration_s, wrong=0.05)
        corrected += estimate(talk(rng, duration_s), activity).status == "corrected"
    assert corrected <= 1


def test_nor_is_it_stretched_until_it_fits() -> None:
    rng = np.random.default_rng(2)
    for duration_s in (120, 200, 400, 1200):
        activity = heard(rng, talk(rng, duration_s), duration_s, wrong=0.05)
        found = estimate(talk(rng, duration_s), activity)
        assert (found.status, found.drift_ppm) == ("kept", None)


@pytest.mark.parametrize("frames", [0, 1, 100, 10_000])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_is_always_the_same_tells_nothing(frames: int, value: float) -> None:
    found = estimate([Cue(1, 2), Cue(5, 1e6)], np.full(frames, value))
    assert (found.status, found.offset_s, found.confidence) == ("kept", 0, 0)


def test_more_than_five_seconds_is_not_looked_for() -> None:
    rng = np.random.default_rng(3)
    cues = talk(rng, 300)
    found = estimate(sent(cues, -20), heard(rng, cues, 300, wrong=0))
    assert abs(found.offset_s) <= MOST_S
    assert found.status == "kept"


def test_applied() -> None:
    more = {"status": "corrected", "offset_s": 0.5, "drift_ppm": 1000.0}
    found = estimate([Cue(1, 2)], np.zeros(100)).model_copy(update=more)
    [cue] = apply([Cue(100, 200, "a", "A")], found)
    assert (cue.start_s, cue.end_s) == pytest.approx((100.6, 200.7))
    assert (cue.text, cue.speaker) == ("a", "A")
    assert cue.sent_s == (100, 200)


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01, 0.03])
@pytest.mark.parametrize("pauses_s", [(0.6, 2.0), (0.3, 1.0)])
def test_an_offset_is_found_in_noise(noise: float, pauses_s: tuple[float, float]) -> None:
    samples, said = long_recording(24, seed=3, pauses_s=pauses_s)
    samples = samples + noise * np.random.default_rng(3).standard_normal(len(samples))
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    detector, loudness = SpeechDetector(), Loudness()
    detector.hear(pcm)
    loudness.hear(pcm)
    voice = (detector.activity() + loudness.shares()) / 2
    cues = [Cue(one.start_s, one.end_s) for one in said]
    for late_s in (2.0, 4.5, -3.3):
        found = estimate(sent(cues, -late_s), voice)
        assert found.offset_s == pytest.approx(-late_s, abs=0.06)
        assert found.drift_ppm is None


def test_speech_is_found_in_pieces_of_any_size() -> None:
    samples, said = long_recording(4)
    pcm = (samples * 32767).astype("<i2").tobytes()
    found, loud = [], []
    for size in (len(pcm), 1000):
        detector, loudness = SpeechDetector(), Loudness()
        for start in range(0, len(pcm), size):
            detector.hear(pcm[start : start + size])
            loudness.hear(pcm[start : start + size])
        found.append(detector.activity().tolist())
        loud.append(loudness.shares().tolist())
    assert found[0] == found[1]
    assert loud[0] == loud[1]
    assert len(loud[0]) == len(found[0])
    cues = segments(np.array(found[0], np.uint8), len(samples) / 16_000)
    assert all(cues[n].end_s <= cues[n + 1].start_s for n in range(len(cues) - 1))
    spoken = sum(one.end_s - one.start_s for one in said)
    assert sum(cue.end_s - cue.start_s for cue in cues) == pytest.approx(spoken, rel=0.15)
