"""A long recording, decoded piece by piece in a process of its own, as `ensemble.decoding`'s.

Imports none of the libraries that decode: whoever asks needs no memory for them.
"""

import dataclasses
import json
import threading

from ensemble.errors import InputError
from ensemble.worker_process import WorkerDiedError, WorkerProcess

READY, PIECE, REFUSED = b"REDY", b"PCM_", b"ERR_"
"""Begin each message of the worker; 16-bit samples or JSON [code, detail] follow."""

PIECE_SECONDS = 30
_LONGEST_ANSWER_BYTES = 2**24
_MEMORY_BYTES = 2**30


@dataclasses.dataclass(frozen=True)
class RecordingLimits:
    """What a long recording may be; beyond it the answer is an InputError."""

    max_seconds: float = 7200.0
    max_channels: int = 8


class RecordingProcess:
    """Decodes one recording; any thread may close it while another one waits for a piece."""

    def __init__(self, file: int, limits: RecordingLimits, piece_timeout_s: float = 30.0) -> None:
        """Start the process on an open file, by its descriptor."""
        self._timeout_s = piece_timeout_s
        self._lock = threading.Lock()
        spelt = json.dumps(dataclasses.asdict(limits))
        arguments = [str(_MEMORY_BYTES), spelt, str(file)]
        self._worker = WorkerProcess("ensemble.recording_worker", arguments, READY, [file])

    @property
    def pid(self) -> int:
        """The process id."""
        return self._worker.pid

    def next_piece(self) -> bytes:
        """Return the next mono samples, 16 kHz, 16 bits, little-endian; none after the last.

        Raises:
            InputError: audio_undecodable, audio_too_long, audio_too_short, audio_too_slow,
                audio_too_many_channels or audio_not_finite.
        """
        with self._lock:
            try:
                self._worker.wait_until_ready()
                answer = self._worker.ask(
                    b"next", timeout_s=self._timeout_s, max_answer_bytes=_LONGEST_ANSWER_BYTES
                )
            except WorkerDiedError:
                detail = "the recording cannot be read: the decoder failed"
                raise InputError("audio_undecodable", detail) from None
            except TimeoutError:
                detail = f"{PIECE_SECONDS} s of it take more than {self._timeout_s:g} s to decode"
                raise InputError("audio_too_slow", detail) from None
        if answer.startswith(PIECE):
            return answer[len(PIECE) :]
        code, detail = json.loads(answer[len(REFUSED) :])
        raise InputError(code, detail)

    def close(self) -> None:
        """End the process; nothing of it stays, and whoever waits for a piece is told."""
        self._worker.kill()
        with self._lock:
            self._worker.close()
