"""Where a transcript's times are late or early as a whole, by what the microphone heard.

The frames in which somebody speaks are correlated with the frames that the transcript says
somebody speaks in, at each offset up to five seconds; the offset that fits best is the one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from api.speech import FRAME_S, Activity
from api.transcripts import Cue

MOST_S = 5.0
_LEAST_CONFIDENCE = 0.3
_CHANCE_S = 17.0
"""Speech of so many seconds fits any transcript somewhere by chance: a correlation of 1 there, and
of the square root of its share in a longer recording, is no evidence (test_alignment simulates
it)."""

_LEAST_GAIN = 0.05
"""By so much the correlation must rise before times are touched."""

_LEAST_OFFSET_S = 0.1
"""What is less is as much the detector's."""


class Alignment(BaseModel):
    """What was done to the transcript's times."""

    status: Literal["corrected", "kept", "off", "no_transcript"] = Field(
        description="corrected: `offset_s` was added to each time; kept: they fit as they are, "
        "or nothing fits clearly better; off: it was not looked at"
    )
    offset_s: float = Field(description="what was added to the transcript's times; 0 where kept")
    confidence: float | None = Field(
        description="how well transcript and speech fit then: their correlation, 0 to 1"
    )
    correlation_before: float | None = Field(description="and how well as they were sent, -1 to 1")


def estimate(cues: Sequence[Cue], activity: Activity) -> Alignment:
    """Return the correction that fits best, up to `MOST_S`, if it is clear enough."""
    heard = activity.astype(np.float64)
    written = _written(cues, len(heard))
    most = round(MOST_S / FRAME_S)
    fits = np.array([_fit(heard, written, lag) for lag in range(-most, most + 1)])
    best, before = int(fits.argmax()), float(fits[most])
    confidence = float(np.clip(fits[best], 0, 1))
    offset_s, gain = (best - most) * FRAME_S, fits[best] - before
    if (
        confidence < _needed(len(heard) * FRAME_S)
        or gain < _LEAST_GAIN
        or abs(offset_s) < _LEAST_OFFSET_S
    ):
        return _alignment("kept", 0.0, float(np.clip(before, 0, 1)), before)
    return _alignment("corrected", offset_s, confidence, before)


def _needed(duration_s: float) -> float:
    """Return the correlation that chance does not reach."""
    return float(np.clip(np.sqrt(_CHANCE_S / max(duration_s, FRAME_S)), _LEAST_CONFIDENCE, 0.9))


def apply(cues: Sequence[Cue], alignment: Alignment) -> list[Cue]:
    """Return the cues at their corrected times, which may lie before the beginning."""
    return [
        replace(cue, start_s=cue.start_s + alignment.offset_s, end_s=cue.end_s + alignment.offset_s)
        for cue in cues
    ]


def _alignment(
    status: Literal["corrected", "kept"], offset_s: float, confidence: float, before: float
) -> Alignment:
    return Alignment(
        status=status,
        offset_s=round(offset_s, 3),
        confidence=round(confidence, 4),
        correlation_before=round(before, 4),
    )


def _written(cues: Sequence[Cue], frames: int) -> npt.NDArray[np.float64]:
    """Return 1 where the transcript has somebody speak [frames and the reach on both sides]."""
    reach = round(MOST_S / FRAME_S)
    written = np.zeros(frames + 2 * reach)
    for cue in cues:
        start, end = (round(time_s / FRAME_S) + reach for time_s in (cue.start_s, cue.end_s))
        written[max(0, start) : max(0, end)] = 1
    return written


def _fit(heard: npt.NDArray[np.float64], written: npt.NDArray[np.float64], lag: int) -> float:
    """Return the correlation with the transcript moved by `lag` frames; 0 where one is constant."""
    reach = round(MOST_S / FRAME_S)
    moved = written[reach - lag : reach - lag + len(heard)]
    spread = heard.std() * moved.std() if len(heard) else 0.0
    if spread < 1e-9:
        return 0.0
    return float(((heard - heard.mean()) * (moved - moved.mean())).mean() / spread)
