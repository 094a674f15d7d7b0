"""Where a transcript's times are late or early, by what the microphone heard.

The frames in which somebody speaks are correlated with the frames that the transcript says
somebody speaks in: at each offset up to five seconds, and with each drift up to 0.3 %, as of a
clock that runs fast. What fits best is taken, if it fits clearly better.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from api.correlation import Fit, Values, moved
from api.speech import FRAME_S
from api.transcripts import Cue

_LEAST_CONFIDENCE = 0.3
_CHANCE_S = 17.0
"""Speech of so many seconds fits any transcript somewhere by chance: a correlation of 1 there, and
of the square root of its share in a longer recording, is no evidence (test_alignment simulates
it)."""

_LEAST_GAIN = 0.05
"""By so much the correlation must rise before times are touched."""

_LEAST_DRIFT_GAIN = 0.03
"""And by so much more before they are stretched: chance reaches 0.006 in 3 minutes, less in more.
What is lost without is a drift of 0.1 s at both ends."""

_LEAST_OFFSET_S = 0.1
"""What is less is as much the detector's."""


class Alignment(BaseModel):
    """What was done to the transcript's times."""

    status: Literal["corrected", "kept", "off", "no_transcript"] = Field(
        description="corrected: each time is `offset_s` later, and with a drift `drift_ppm` "
        "millionths of itself more; kept: they fit as they are, or nothing fits clearly better; "
        "off: it was not looked at"
    )
    offset_s: float = Field(description="what was added to the transcript's times; 0 where kept")
    drift_ppm: float | None = Field(
        None, description="by how many millionths they were stretched; null: they were not"
    )
    confidence: float | None = Field(
        description="how well transcript and speech fit then: their correlation, 0 to 1"
    )
    correlation_before: float | None = Field(description="and how well as they were sent, -1 to 1")


def estimate(cues: Sequence[Cue], heard: Values) -> Alignment:
    """Return the correction that fits best, if it is clear enough.

    Args:
        cues: as they were sent.
        heard: how surely somebody speaks, 0 to 1 [frames of `FRAME_S`].
    """
    fit = Fit(heard, cues)
    before, offset_s, best = fit.as_sent()
    drift_ppm = None
    drift = fit.best_drift()
    stretched_s, best_stretched = fit.best_offset(drift)
    if best_stretched - best >= _LEAST_DRIFT_GAIN:
        offset_s, best, drift_ppm = stretched_s, best_stretched, drift
    if (
        best < _needed(len(heard) * FRAME_S)
        or best - before < _LEAST_GAIN
        or (drift_ppm is None and abs(offset_s) < _LEAST_OFFSET_S)
    ):
        return _alignment("kept", 0.0, None, before, before)
    return _alignment("corrected", offset_s, drift_ppm, best, before)


def _needed(duration_s: float) -> float:
    """Return the correlation that chance does not reach."""
    return float(np.clip(np.sqrt(_CHANCE_S / max(duration_s, FRAME_S)), _LEAST_CONFIDENCE, 0.9))


def apply(cues: Sequence[Cue], alignment: Alignment) -> list[Cue]:
    """Return the cues at their corrected times, which may lie outside of the recording."""
    if alignment.status != "corrected":
        return list(cues)
    return [moved(cue, alignment.offset_s, alignment.drift_ppm or 0.0) for cue in cues]


def _alignment(
    status: Literal["corrected", "kept"],
    offset_s: float,
    drift_ppm: float | None,
    confidence: float,
    before: float,
) -> Alignment:
    return Alignment(
        status=status,
        offset_s=round(offset_s, 3),
        drift_ppm=None if drift_ppm is None else round(drift_ppm, 1),
        confidence=round(min(max(confidence, 0.0), 1.0), 4),
        correlation_before=round(before, 4),
    )
