"""Where somebody speaks: WebRTC's voice activity detector, and the segments that follow from it.

It needs no model file and no time to speak of; Silero's, which is better in noise, would bring
torch into the service.
"""

import numpy as np
import numpy.typing as npt
import webrtcvad

from api.transcripts import Cue
from ensemble.clips import SAMPLE_RATE_HZ

FRAME_S = 0.03
_FRAME = int(FRAME_S * SAMPLE_RATE_HZ)
_FRAME_BYTES = 2 * _FRAME
_AGGRESSIVENESS = 2
"""0 to 3: the higher, the less is speech."""

_RANGE_DB = 40.0
"""What is quieter than a voice by so much is silence, however silent."""

_LONGEST_PAUSE_S = 0.45
_SHORTEST_SPEECH_S = 0.3
MARGIN_S = 0.12
"""So much of the sound around speech belongs to its segment."""

_MOST_FRAMES = int(29.0 / FRAME_S)
"""Who speaks on is cut: the models take 30 s."""

Activity = npt.NDArray[np.uint8]
"""1 where somebody speaks [frames of `FRAME_S`]."""


class SpeechDetector:
    """Gets a recording's 16-bit samples piece by piece."""

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(_AGGRESSIVENESS)
        self._rest = b""
        self._found = bytearray()

    def hear(self, samples: bytes) -> bytes:
        """Take the next samples; return what was found in the frames that are whole now."""
        before = len(self._found)
        heard = self._rest + samples
        whole = len(heard) - len(heard) % _FRAME_BYTES
        for start in range(0, whole, _FRAME_BYTES):
            frame = heard[start : start + _FRAME_BYTES]
            self._found.append(self._detector.is_speech(frame, SAMPLE_RATE_HZ))
        self._rest = heard[whole:]
        return bytes(self._found[before:])

    def activity(self) -> Activity:
        """Return what was found in the whole frames so far."""
        return np.frombuffer(bytes(self._found), dtype=np.uint8)


class Loudness:
    """Gets the same samples. What is loud is no proof of a voice, but it tells exactly when.

    In noise the detector finds a voice late and lets it go late.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._levels_db: list[npt.NDArray[np.float32]] = []

    def hear(self, samples: bytes) -> None:
        """Take the next samples."""
        heard = self._rest + samples
        whole = len(heard) - len(heard) % _FRAME_BYTES
        frames = np.frombuffer(heard[:whole], "<i2").astype(np.float32).reshape(-1, _FRAME)
        self._levels_db.append(10 * np.log10((frames**2).mean(axis=1) + 1))
        self._rest = heard[whole:]

    def shares(self) -> npt.NDArray[np.float64]:
        """Return how loud it was, 0 like the background to 1 like a voice [frames]."""
        levels_db = np.concatenate([*self._levels_db, np.zeros(0)])
        if not len(levels_db):
            return levels_db
        top_db = np.percentile(levels_db, 95)
        low_db = max(np.percentile(levels_db, 5), top_db - _RANGE_DB)
        shares: npt.NDArray[np.float64] = (levels_db - low_db) / max(top_db - low_db, 1.0)
        return shares.clip(0, 1)


class Pauses:
    """Finds the same segments while somebody still speaks; times are frames of `FRAME_S`."""

    def __init__(self) -> None:
        self._heard = 0
        self._start: int | None = None
        self._end = 0

    def hear(self, voiced: bool) -> tuple[int, int] | None:
        """Take the next frame; return the speech that is over with it, if any is."""
        self._heard += 1
        if voiced:
            self._start = self._heard - 1 if self._start is None else self._start
            self._end = self._heard
        if self._start is None:
            return None
        paused = (self._heard - self._end) * FRAME_S > _LONGEST_PAUSE_S + 1e-9
        return self.finish() if paused or self._heard - self._start >= _MOST_FRAMES else None

    def finish(self) -> tuple[int, int] | None:
        """Return the speech under way, as if it were over now."""
        start, self._start = self._start, None
        if start is None or (self._end - start) * FRAME_S < _SHORTEST_SPEECH_S - 1e-9:
            return None
        return start, self._end


def segments(activity: Activity, duration_s: float) -> list[Cue]:
    """Return the stretches of speech, without what is too short for a syllable."""
    found: list[tuple[float, float]] = []
    for start_s, end_s in _runs(activity):
        if found and start_s - found[-1][1] <= _LONGEST_PAUSE_S:
            found[-1] = (found[-1][0], end_s)
        else:
            found.append((start_s, end_s))
    return [
        Cue(max(0.0, start_s - MARGIN_S), min(duration_s, end_s + MARGIN_S))
        for start_s, end_s in found
        if end_s - start_s >= _SHORTEST_SPEECH_S
    ]


def _runs(activity: Activity) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], activity, [0]]).astype(np.int8)))
    return [(float(start), float(end)) for start, end in edges.reshape(-1, 2) * FRAME_S]
