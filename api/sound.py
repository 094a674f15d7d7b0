"""A long recording's samples, on the disk: what is in memory is a piece at a time."""

import asyncio
import io
import os
import wave
from typing import IO

from api.correlation import Values
from api.errors import InputError
from api.spare_room import SpareFile
from api.speech import Loudness, SpeechDetector
from api.spool import Spool
from api.waveform import Peaks
from ensemble.clips import SAMPLE_RATE_HZ
from ensemble.errors import InputError as RecordingError
from ensemble.recording import RecordingLimits, RecordingProcess

_BYTES_PER_S = 2 * SAMPLE_RATE_HZ


class Sound:
    """16 kHz mono samples in a file without a name, where somebody speaks in them, and how loud.

    Read by `read`, to be called until it returns False; `close` it in any case.
    """

    def __init__(self, encoded: IO[bytes], spool: Spool, limits: RecordingLimits) -> None:
        """Start a process that decodes an open file; DiskFullError."""
        self._samples = SpareFile(spool)
        self._bytes = 0
        self._piece = b""
        self.speech = SpeechDetector()
        self._loudness = Loudness()
        self.peaks = Peaks()
        try:
            os.lseek(encoded.fileno(), 0, os.SEEK_SET)
            self._process = RecordingProcess(encoded.fileno(), limits)
        except BaseException:
            self._samples.close()
            raise

    @property
    def duration_s(self) -> float:
        """How much of it has been heard."""
        return self._bytes / _BYTES_PER_S

    async def read(self) -> bool:
        """Decode a piece, and meanwhile hear the one before; False after the last one.

        Raises:
            InputError: as `RecordingProcess.next_piece`.
            DiskFullError: its samples are too many for the disk.
        """
        try:
            self._piece, _ = await asyncio.gather(
                asyncio.to_thread(self._process.next_piece),
                asyncio.to_thread(self._hear, self._piece),
            )
        except RecordingError as error:
            raise InputError(error.code, error.detail) from None
        return bool(self._piece)

    def heard(self) -> Values:
        """Return how surely somebody speaks, 0 to 1: by the detector and the loudness, by half."""
        return (self.speech.activity() + self._loudness.shares()) / 2

    def wav(self, start_s: float, end_s: float) -> bytes:
        """Return a part as a WAV file."""
        start, end = (2 * round(time_s * SAMPLE_RATE_HZ) for time_s in (start_s, end_s))
        return as_wav(os.pread(self._samples.fileno(), end - start, start))

    def close(self) -> None:
        """End the process and drop the samples."""
        self._process.close()
        self._samples.close()

    def _hear(self, piece: bytes) -> None:
        self._samples.write(piece)
        self._bytes += len(piece)
        self.speech.hear(piece)
        self._loudness.hear(piece)
        self.peaks.hear(piece)


def as_wav(samples: bytes) -> bytes:
    """Return 16 kHz mono samples of 16 bits as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        written.writeframes(samples)
    return file.getvalue()
