"""Who is who among the processes of a running service, and signals to them."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable

import psutil

from serving.process_folders import lost_children


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def api(supervisor: int) -> int:
    """Return the API's process."""
    return _one(supervisor, lambda words: words[1:3] == ["-m", "api"], "the API")


def triton(supervisor: int) -> int:
    """Return Triton's process."""
    return _one(supervisor, lambda words: words[0].endswith("/tritonserver"), "Triton")


def step(supervisor: int, model: str) -> int:
    """Return a process in which Triton runs a Python step, or a model of the Python backend."""

    def runs_it(words: list[str]) -> bool:
        return "python_backend_stub" in words[0] and any(f"/models/{model}/" in w for w in words)

    return _one(supervisor, runs_it, f"the step {model}")


def has_lost_steps(supervisor: int) -> bool:
    """Whether Triton goes on without a process of a step, or does not run at all."""
    with contextlib.suppress(LookupError, psutil.Error):
        return bool(lost_children(triton(supervisor)))
    return True


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes, of which some may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _one(supervisor: int, chosen: Callable[[list[str]], bool], name: str) -> int:
    for child in psutil.Process(supervisor).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = child.cmdline()
            if words and chosen(words):
                return int(child.pid)
    raise LookupError(f"{name} does not run")
