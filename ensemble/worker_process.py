"""One helper process, asked over a socket and ended where it does not answer."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Pipe
from pathlib import Path

_PACKAGES = Path(__file__).parent.parent
_START_TIMEOUT_S = 60.0


class WorkerDiedError(Exception):
    """The process ended, or closed its socket, instead of answering."""


class WorkerProcess:
    """`python -m module`, which gets its socket's number, its parent's id and `arguments`.

    It first sends `ready`; then it gets and sends one message at a time.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], ready: bytes, files: Sequence[int] = ()
    ) -> None:
        """Start it and return at once; it takes a while to import what it needs.

        It also gets the open `files`, under the same descriptors.
        """
        self._awaited: bytes | None = ready
        self._connection, theirs = Pipe()
        with theirs:
            socket_number = theirs.fileno()
            self._process = subprocess.Popen(
                [_python(), "-m", module, str(socket_number), str(os.getpid()), *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[socket_number, *files],
                cwd=_PACKAGES,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return when it can be asked; WorkerDiedError or TimeoutError where it cannot start."""
        if self._awaited is not None:
            with self._killed_after(_START_TIMEOUT_S):
                self._connection.recv_bytes(len(self._awaited))
            self._awaited = None

    def ask(self, message: bytes, *, timeout_s: float, max_answer_bytes: int) -> bytes:
        """Return its answer; WorkerDiedError, or TimeoutError. After either it must be closed."""
        with self._killed_after(timeout_s):
            self._connection.send_bytes(message)
            return self._connection.recv_bytes(max_answer_bytes)

    def kill(self) -> None:
        """Kill it; whoever waits for it learns that it died."""
        self._process.kill()

    def close(self) -> int:
        """End it; nothing of it stays. Returns its exit code, a signal's as a negative number."""
        self._connection.close()
        self._process.kill()
        return self._process.wait()

    @contextlib.contextmanager
    def _killed_after(self, timeout_s: float) -> Iterator[None]:
        """Kill it if the block takes longer, so that whatever the block waits for comes."""
        deadline_s = time.monotonic() + timeout_s
        timer = threading.Timer(timeout_s, self._process.kill)
        timer.start()
        try:
            yield
        except (EOFError, OSError):
            if time.monotonic() >= deadline_s:
                raise TimeoutError from None
            raise WorkerDiedError from None
        finally:
            timer.cancel()
            timer.join()


def _python() -> str:
    # A program that embeds Python, as Triton's stub does, may not know where Python is.
    return sys.executable or shutil.which("python3") or "python3"
