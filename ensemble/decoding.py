"""Decodes recordings in a process of its own, so that a hostile one can break only that.

The libraries that read audio files are C, and a file that crashes one, keeps it busy or fills
the memory costs that file's request alone: the process is ended and another takes its place.
"""

import dataclasses
import json
import logging
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ensemble.clips import SAMPLE_RATE_HZ, Limits
from ensemble.errors import InputError
from ensemble.worker_process import WorkerDiedError, WorkerProcess

logger = logging.getLogger("neurosense.decoding")

READY, SAMPLES, REFUSED = b"REDY", b"SMPL", b"ERR_"
"""Begin each message of the process; float32 samples or JSON [code, detail] follow. Four bytes
long, so that the samples are aligned."""

_ATTEMPTS = 2
"""A process that dies may have been hurt from outside, or by the recording before."""


@dataclasses.dataclass(frozen=True)
class ProcessLimits:
    """What decoding one recording may cost."""

    timeout_s: float = 10.0
    memory_bytes: int = 2**30

    @classmethod
    def from_strings(cls, values: Mapping[str, str]) -> "ProcessLimits":
        """Return the limits that a config.pbtxt's parameters spell."""
        return cls(
            timeout_s=float(values["decode_timeout_s"]),
            memory_bytes=int(values["decode_memory_bytes"]),
        )


class DecodingProcess:
    """Decodes one recording at a time; a context manager, used by one thread."""

    def __init__(
        self,
        limits: Limits,
        process_limits: ProcessLimits,
        *,
        worker: str = "ensemble.decoding_worker",
    ) -> None:
        """Start the process; RuntimeError where it does not start."""
        self._limits = limits
        self._timeout_s = process_limits.timeout_s
        self._memory_bytes = process_limits.memory_bytes + 2 * limits.max_bytes
        self._module = worker
        self.restarts = 0
        self._worker = self._started()
        try:
            self._wait_until_ready()
        except RuntimeError:
            self.close()
            raise

    def __enter__(self) -> "DecodingProcess":
        """Return itself; the process runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    @property
    def pid(self) -> int:
        """The process id; another one after a crash."""
        return self._worker.pid

    def decode(self, encoded: bytes) -> npt.NDArray[np.float32]:
        """Return mono samples [n] at 16 kHz, as `ensemble.audio.decode`.

        Raises:
            InputError: as there; audio_undecodable also where the file crashes the decoder or
                needs too much memory, audio_too_slow where it takes too long.
            RuntimeError: the process does not start.
        """
        for _ in range(_ATTEMPTS):
            self._wait_until_ready()
            try:
                return self._ask(encoded)
            except WorkerDiedError:
                self._restart("died")
            except TimeoutError:
                self._restart("was ended after its time-out")
                detail = f"the recording takes more than {self._timeout_s:g} s to decode"
                raise InputError("audio_too_slow", detail) from None
        raise InputError("audio_undecodable", "the recording cannot be read: the decoder failed")

    def close(self) -> None:
        """End the process; nothing of it stays."""
        self._worker.close()

    def _ask(self, encoded: bytes) -> npt.NDArray[np.float32]:
        answer = self._worker.ask(
            encoded, timeout_s=self._timeout_s, max_answer_bytes=self._longest_answer_bytes()
        )
        if answer.startswith(SAMPLES):
            return np.frombuffer(answer, dtype=np.float32, offset=len(SAMPLES))
        if answer.startswith(REFUSED):
            code, detail = json.loads(answer[len(REFUSED) :])
            raise InputError(code, detail)
        raise WorkerDiedError

    def _wait_until_ready(self) -> None:
        try:
            self._worker.wait_until_ready()
        except (WorkerDiedError, TimeoutError):
            self._restart("did not start")
            raise RuntimeError("the decoding process does not start") from None

    def _restart(self, what: str) -> None:
        logger.warning("the decoding process %s (exit code %d)", what, self._worker.close())
        self.restarts += 1
        self._worker = self._started()

    def _started(self) -> WorkerProcess:
        limits = json.dumps(dataclasses.asdict(self._limits))
        return WorkerProcess(self._module, [str(self._memory_bytes), limits], READY)

    def _longest_answer_bytes(self) -> int:
        # Seconds more than allowed: the limit is checked where a block ends.
        return int((self._limits.max_seconds + 2) * SAMPLE_RATE_HZ) * 4 + 4096
