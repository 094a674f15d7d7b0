"""The recording holds its clips where its segments say, and the report says what holds."""

import io
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.inputs import cut_clips
from benchmarks.long_recording import Found
from benchmarks.spoken import spoken


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
        600, 3600, together_s=[10, 50, 20], first_s=[3], singly_s=[18, 1, 40], peak_mb=401
    )
    assert found.ratio == 0.9
    lines = found.report().splitlines()
    assert "60 min, 600 segments" in lines[0]
    assert ["yes" in line for line in lines[2:]] == [False, False, False, True, False]
