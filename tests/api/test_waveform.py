"""The picture of a recording is that of its samples."""

import numpy as np
import pytest

from api.waveform import Peaks

RATE_HZ = 16_000


def heard(samples: np.ndarray, pieces: int) -> Peaks:  # type: ignore[type-arg]
    peaks = Peaks()
    for piece in np.array_split(samples.astype("<i2"), pieces):
        peaks.hear(piece.tobytes())
    return peaks


@pytest.mark.parametrize("pieces", [1, 7])
def test_each_tenth_of_a_second_has_its_loudest_sample(pieces: int) -> None:
    samples = np.zeros(RATE_HZ + 100)
    samples[0], samples[1600], samples[-1] = 16_384, -32_768, 3277
    waveform = heard(samples, pieces).waveform()
    assert waveform.step_s == 0.1
    assert waveform.peaks == [0.5, 1.0, *[0.0] * 8, 0.1]


def test_a_long_recording_has_a_picture_of_bounded_size() -> None:
    samples = np.zeros(RATE_HZ * 3 * 60 + 1)
    samples[RATE_HZ * 150 + 5] = 16_384
    waveform = heard(np.tile(samples, 2), 12).waveform()
    assert len(waveform.peaks) == 1801
    assert waveform.step_s == pytest.approx(0.2)
    assert np.flatnonzero(waveform.peaks).tolist() == [750, 750 + 900]


def test_nothing_has_no_picture() -> None:
    assert heard(np.zeros(0), 1).waveform().peaks == []
