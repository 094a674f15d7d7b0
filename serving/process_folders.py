"""Finds processes by where they work, also those that have left their parent and its group."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process lives and has `folder` as its working directory."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    return False


def kill_all_in(folder: Path) -> None:
    """Kill every process that works in `folder`; returns when they are gone."""
    end_all(lambda pid: works_in(pid, folder), grace_s=0)


def carries(pid: int, variable: str, value: str) -> bool:
    """Whether a process was started with an environment variable of this value."""
    with contextlib.suppress(OSError):
        return f"{variable}={value}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(
            b"\0"
        )
    return False


def dead_children(pid: int) -> list[str]:
    """Return the names of a process' children that have ended without its noticing."""
    dead = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in brackets may hold anything; state and parent follow it.
            front, _, rest = stat.read_text().rpartition(")")
            if rest.split()[:2] == ["Z", str(pid)]:
                dead.append(front.partition("(")[2])
    return dead


def end_all(chosen: Callable[[int], bool], grace_s: float, timeout_s: float = 5.0) -> None:
    """Wait until the chosen processes are gone, killing those that are not after `grace_s`."""
    began_s = time.monotonic()
    while (left := [pid for pid in _pids() if chosen(pid)]) and (
        waited_s := time.monotonic() - began_s
    ) < grace_s + timeout_s:
        if waited_s >= grace_s:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _pids() -> list[int]:
    return [
        int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()
    ]
