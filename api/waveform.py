"""What a picture of a long recording needs: how loud it is over time."""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from ensemble.clips import SAMPLE_RATE_HZ

_STEP = SAMPLE_RATE_HZ // 10
_MOST_PEAKS = 2000


class Waveform(BaseModel):
    """The loudest sample of each stretch of a recording."""

    step_s: float = Field(description="how long a stretch is, in seconds; the last may be shorter")
    peaks: list[float] = Field(
        description=f"0 silent, 1 as loud as can be; at most {_MOST_PEAKS}, from the start on"
    )


class Peaks:
    """Gets a recording's 16-bit samples piece by piece; keeps ten values a second."""

    def __init__(self) -> None:
        self._rest = b""
        self._found: list[npt.NDArray[np.float64]] = []

    def hear(self, samples: bytes) -> None:
        """Take the next samples."""
        heard = self._rest + samples
        whole = len(heard) - len(heard) % (2 * _STEP)
        self._found.append(_loudest(_shares(heard[:whole]), _STEP))
        self._rest = heard[whole:]

    def waveform(self) -> Waveform:
        """Return what was heard so far."""
        peaks = np.concatenate([*self._found, _loudest(_shares(self._rest), _STEP)])
        steps = max(1, -(-len(peaks) // _MOST_PEAKS))
        return Waveform(
            step_s=steps * _STEP / SAMPLE_RATE_HZ,
            peaks=_loudest(peaks, steps).round(3).tolist(),
        )


def _shares(samples: bytes) -> npt.NDArray[np.float64]:
    """Return 16-bit samples as shares of the loudest one, without their sign [n]."""
    return np.abs(np.frombuffer(samples, "<i2").astype(np.float64)) / 2**15


def _loudest(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Return the largest of each `count` values; the last may be of fewer."""
    if not len(values):
        return values
    largest: npt.NDArray[np.float64] = np.maximum.reduceat(values, range(0, len(values), count))
    return largest
