"""The recording holds its clips where its segments say, and the report says what holds."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.inputs import cut_clips
from benchmarks.long_recording import Found, measure
from benchmarks.spoken import spoken
from benchmarks.stack import running_stack, served_models


def test_each_segment_is_its_clip(tmp_path: Path) -> None:
    recording = spoken(5, tmp_path)
    whole, rate_hz = soundfile.read(recording.path, dtype="int16")
    assert len(whole) / rate_hz == recording.seconds
    for segment, clip in zip(
        recording.segments, cut_clips(count=5, seconds=(4.0, 6.0)), strict=True
    ):
        start, end = (round(segment[name] * rate_hz) for name in ("start", "end"))
        samples, _ = soundfile.read(io.BytesIO(clip.encoded), dtype="int16")
        assert np.array_equal(whole[start:end], samples)
    assert len(recording.requests) == 5


def test_the_report_compares_medians() -> None:
    found = Found(
        600,
        3600,
        "text a 1 (int8); audio b 2 (fp32)",
        together_s=[10, 50, 20],
        first_s=[3],
        singly_s=[18, 1, 40],
        peak_mb=401,
    )
    assert found.ratio == 0.9
    models, _, *lines = found.report().splitlines()
    assert models == "text a 1 (int8); audio b 2 (fp32)"
    assert "60 min, 600 segments" in lines[0]
    assert ["yes" in line for line in lines[2:]] == [False, False, False, True, False]


@pytest.mark.slow
def test_a_recording_of_minutes_is_answered_whole_within_the_memory(tmp_path: Path) -> None:
    recording, state = spoken(60, tmp_path), tmp_path / "state"
    (state / "logs").mkdir(parents=True)
    with running_stack(state, {"NEUROSENSE_WEIGHTS": "starter"}) as stack:
        found = measure(stack, served_models(state), recording, rounds=1)  # raises if one is not
    assert found.segments == 60
    assert len(found.together_s) == 1
    assert 50 < found.peak_mb <= 400
    assert re.match(r"text neurosense/starter-text 1 \(\w+\); audio .+ \(\w+\)$", found.models)
