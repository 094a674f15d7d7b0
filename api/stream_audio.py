"""Speech while it comes, cut: a window every second, a segment at each pause."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from api.errors import InputError
from api.speech import FRAME_S, MARGIN_S, Pauses, SpeechDetector
from ensemble.clips import SAMPLE_RATE_HZ

_BYTES_PER_S = 2 * SAMPLE_RATE_HZ
_STEP_S = 1
_KEPT_S = 31
"""More than the longest window and the longest segment reach back."""


@dataclass(frozen=True)
class Cut:
    """A part of the stream, its times in seconds from the first sample."""

    kind: Literal["window", "segment"]
    start_s: float
    end_s: float
    samples: bytes
    voiced: bool
    received_s: float
    """When its last sample had come."""


class Hearing:
    """Takes 16 kHz mono samples of 16 bits; keeps half a minute of them."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._detector = SpeechDetector()
        self._pauses = Pauses()
        self._voiced = bytearray()
        self._kept = bytearray()
        self._dropped_bytes = 0
        self._arrivals: deque[tuple[float, float]] = deque()
        self._next_window_s = _STEP_S
        self._last_end_s = 0.0

    @property
    def duration_s(self) -> float:
        """How much has come."""
        return (self._dropped_bytes + len(self._kept)) / _BYTES_PER_S

    def hear(self, samples: bytes, now_s: float) -> list[Cut]:
        """Take samples that came at `now_s`; return what is whole with them.

        Raises:
            InputError: `samples_odd`, half a sample.
        """
        if len(samples) % 2:
            detail = f"{len(samples)} bytes are no whole number of samples of 16 bits"
            raise InputError("samples_odd", detail)
        self._kept += samples
        self._note_arrival(now_s)
        frames = self._detector.hear(samples)
        self._voiced += frames
        spoken = [found for frame in frames if (found := self._pauses.hear(bool(frame)))]
        cuts = [*self._windows(), *(self._segment(*found) for found in spoken)]
        self._forget()
        return cuts

    def finish(self) -> list[Cut]:
        """Return the segment that the end cuts off."""
        found = self._pauses.finish()
        return [] if found is None else [self._segment(*found)]

    def _windows(self) -> list[Cut]:
        cuts = []
        while self._next_window_s <= self.duration_s:
            end_s = float(self._next_window_s)
            cuts.append(self._cut("window", max(0.0, end_s - self._window_s), end_s))
            self._next_window_s += _STEP_S
        return cuts

    def _segment(self, start: int, end: int) -> Cut:
        start_s = max(self._last_end_s, start * FRAME_S - MARGIN_S)
        self._last_end_s = min(self.duration_s, end * FRAME_S + MARGIN_S)
        return self._cut("segment", round(start_s, 3), round(self._last_end_s, 3))

    def _cut(self, kind: Literal["window", "segment"], start_s: float, end_s: float) -> Cut:
        start, end = (
            2 * round(time_s * SAMPLE_RATE_HZ) - self._dropped_bytes for time_s in (start_s, end_s)
        )
        voiced = any(self._voiced[int(start_s / FRAME_S) : int(end_s / FRAME_S)])
        last_s = self._arrivals[-1][1]
        came_s = next((at for until, at in self._arrivals if until >= end_s - 1e-3), last_s)
        return Cut(kind, start_s, end_s, bytes(self._kept[start:end]), voiced, came_s)

    def _note_arrival(self, now_s: float) -> None:
        """Note what had come by now, to 10 ms of sound: a message may hold a single sample."""
        arrivals = self._arrivals
        if len(arrivals) > 1 and self.duration_s - arrivals[-2][0] < 0.01:
            arrivals.pop()
        arrivals.append((self.duration_s, now_s))

    def _forget(self) -> None:
        if (over := len(self._kept) - _KEPT_S * _BYTES_PER_S) > 0:
            del self._kept[:over]
            self._dropped_bytes += over
        while self._arrivals[0][0] < self.duration_s - _KEPT_S:
            self._arrivals.popleft()
