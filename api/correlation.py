"""How well the speech that was heard fits a transcript, wherever its times are moved."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from api.speech import FRAME_S
from api.transcripts import Cue

MOST_S = 5.0
MOST_PPM = 3000.0
"""Sound cards differ by 100 or so, and 29.97 pictures a second from 30 by 1000."""

_COARSE = 4
"""So many frames together are fine enough to compare drifts; the offset is found in single ones."""

_STEP_S = 0.2
"""What two neighbouring drifts differ by at the recording's end."""

Values = npt.NDArray[np.float64]


def moved(cue: Cue, offset_s: float, drift_ppm: float) -> Cue:
    """Return a cue at other times: stretched from the beginning on, then moved."""
    start_s, end_s = (
        time_s * (1 + drift_ppm / 1e6) + offset_s for time_s in (cue.start_s, cue.end_s)
    )
    return replace(cue, start_s=start_s, end_s=end_s, sent_s=(cue.start_s, cue.end_s))


class Fit:
    """What was heard, beside a transcript: frames of `FRAME_S`, 0 nobody to 1 surely somebody."""

    def __init__(self, heard: Values, cues: Sequence[Cue]) -> None:
        self._heard = heard
        self._times_s = np.array([(cue.start_s, cue.end_s) for cue in cues])

    def as_sent(self) -> tuple[float, float, float]:
        """Return the correlation without any correction, and `best_offset` without a drift."""
        fits = self._at(0.0)
        return float(fits[len(fits) // 2]), *_best(fits)

    def best_offset(self, drift_ppm: float) -> tuple[float, float]:
        """Return the offset that fits best with a drift, up to `MOST_S`, and the correlation."""
        return _best(self._at(drift_ppm))

    def best_drift(self) -> float:
        """Return the drift that fits best with some offset, up to `MOST_PPM`."""
        whole = len(self._heard) - len(self._heard) % _COARSE
        coarse = self._heard[:whole].reshape(-1, _COARSE).mean(axis=1)
        duration_s = whole * FRAME_S
        steps = int(MOST_PPM * duration_s / (_STEP_S * 1e6))
        drifts = np.arange(-steps, steps + 1) * _STEP_S * 1e6 / max(duration_s, FRAME_S)
        fits = [_fits(coarse, self._moved(ppm), _COARSE * FRAME_S).max() for ppm in drifts]
        return float(drifts[np.argmax(fits)])

    def _at(self, drift_ppm: float) -> Values:
        return _fits(self._heard, self._moved(drift_ppm), FRAME_S)

    def _moved(self, drift_ppm: float) -> Values:
        return self._times_s * (1 + drift_ppm / 1e6)


def _best(fits: Values) -> tuple[float, float]:
    best = int(fits.argmax())
    return (best - len(fits) // 2) * FRAME_S, float(fits[best])


def _fits(heard: Values, times_s: Values, frame_s: float) -> Values:
    """Return the correlation at each offset from -`MOST_S` on; 0 where one is constant."""
    count, reach = len(heard), round(MOST_S / frame_s)
    if not count:
        return np.zeros(2 * reach + 1)
    written = _written(times_s + MOST_S, count + 2 * reach, frame_s)
    sums = np.concatenate([[0.0], np.cumsum(written)])
    share = (sums[count:] - sums[: 2 * reach + 1])[::-1] / count
    together = np.correlate(written, heard, "valid")[::-1] / count
    spread = heard.std() * np.sqrt(np.clip(share * (1 - share), 0, None))
    fits = np.zeros(2 * reach + 1)
    np.divide(together - heard.mean() * share, spread, out=fits, where=spread > 1e-9)
    return fits


def _written(times_s: Values, count: int, frame_s: float) -> Values:
    """Return 1 in the frames in which the transcript has somebody speak [count]."""
    edges = np.clip(np.rint(times_s / frame_s), 0, count).astype(np.intp)
    changes = np.zeros(count + 1)
    np.add.at(changes, edges[:, 0], 1)
    np.add.at(changes, edges[:, 1], -1)
    written: Values = np.minimum(np.cumsum(changes[:-1]), 1.0)
    return written
