"""One child process: its log, its last lines when it dies, and an end that leaves nothing."""

import contextlib
import ctypes
import os
import platform
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from serving.errors import ServingError

_PR_SET_PDEATHSIG = 1
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
_LONG_TURN_NS = 10_000_000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Child:
    """A running server in a process group of its own, with its output in `log_path`.

    `append` keeps what the log holds, which is why the last one died. A positive `nice` lets
    others have the processor first, and interrupt. A Ctrl-C in the terminal does not reach it:
    whoever started it stops it, in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_path: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        append: bool = False,
        nice: int = 0,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._stop_signal = stop_signal
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab" if append else "wb") as log:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=partial(_prepare, nice),
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Return how it ended (negative: by which signal), or None while it runs."""
        return self._popen.poll()

    def ended(self) -> str | None:
        """Return in words how it ended, or None while it runs."""
        code = self.exit_code()
        return None if code is None else _how(code)

    def last_lines(self, count: int = 15) -> str:
        """Return the end of its log."""
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-count:])

    def require_running(self) -> None:
        """Raise ServingError with its last lines if it has ended."""
        if (how := self.ended()) is not None:
            raise ServingError(f"{self.name} {how}; its last lines:\n{self.log_end()}")

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll `ready`; ServingError with the log's end if the child dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.require_running()
            if time.monotonic() > deadline:
                raise ServingError(
                    f"{self.name} was not ready within {timeout_s:g} s; its last lines:\n"
                    f"{self.log_end()}"
                )
            time.sleep(0.05)
        self.require_running()  # else it was another server that answered

    def ask_to_stop(self) -> None:
        """Ask it to end, and go on."""
        if self.exit_code() is None:
            self._popen.send_signal(self._stop_signal)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ask it to end, then kill its whole group; returns when it is gone."""
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """Kill it and the helpers in its group, also what it left behind when it died."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def log_end(self) -> str:
        """Return the last lines of its log and where the rest is."""
        return f"{self.last_lines()}\n    (all of it: {self.log_path})"


def _prepare(nice: int) -> None:
    """In the child: be told to end when the process that started it is killed; be `nice`."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.nice(nice)
    if nice > 0:
        _take_long_turns(nice)
    # Where Linux groups processes by session, a process's own value counts inside its group only.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def _take_long_turns(nice: int) -> None:
    """Take long turns, which Linux (from 6.12) lets those interrupt that ask for shorter ones.

    With turns as long as everybody's it goes on with its own, 3 ms and more, while a program
    that sleeps for most of the time, like a database, has been woken up.
    """
    if _SCHED_SETATTR is not None:
        # struct sched_attr: size, policy (0: normal), flags, nice, priority, runtime, -, -
        attributes = struct.pack("=IIQiIQQQ", 48, 0, 0, nice, 0, _LONG_TURN_NS, 0, 0)
        _LIBC.syscall(_SCHED_SETATTR, 0, attributes, 0)  # who may not goes on without


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"
