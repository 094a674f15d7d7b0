"""Finds processes by where they work, also those that have left their parent and its group."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_ENDED, _STOPPED = "Z", "T"


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


def children(pid: int) -> set[int]:
    """Return the children of a process, also those that have ended unnoticed."""
    return {child for child, _, parent in _states() if parent == pid}


def lost_children(pid: int) -> set[int]:
    """Return the children of a running process that have ended unnoticed, or are stopped."""
    states = {child: (state, parent) for child, state, parent in _states()}
    if states.get(pid, ("", 0))[0] == _STOPPED:
        return set()  # it is paused itself, and they with it
    lost = (_ENDED, _STOPPED)
    return {child for child, (state, parent) in states.items() if parent == pid and state in lost}


def _states() -> Iterator[tuple[int, str, int]]:
    for pid in _pids():
        with contextlib.suppress(OSError):
            # The name in brackets may hold anything; state and parent follow it.
            rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            yield pid, rest[0], int(rest[1])


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
