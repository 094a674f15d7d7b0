"""Finds processes by where they work, also those that have left their parent and its group."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
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


def children(pid: int) -> dict[int, str]:
    """Return the state of each child of a process, also of those that have ended unnoticed."""
    found = ((child, *_state_and_parent(child)) for child in _pids())
    return {child: state for child, state, parent in found if parent == pid}


def lost_children(pid: int, states: Mapping[int, str] | None = None) -> set[int]:
    """Return the children of a running process that have ended unnoticed, or are stopped.

    `states` are those of its children, where somebody has them.
    """
    if _state_and_parent(pid)[0] == _STOPPED:
        return set()  # it is paused itself, and they with it
    known = children(pid) if states is None else states
    return {child for child, state in known.items() if state in (_ENDED, _STOPPED)}


def stat_of(pid: int) -> list[bytes]:
    """Return what a process's stat file says from the state on (`man proc`), nothing if it is gone.

    Cheap, as every process of the machine is asked twice a second.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123
            # The name in brackets may hold anything; state and parent follow it.
            return file.read(4096).rpartition(b")")[2].split()
    except OSError:
        return []


def _state_and_parent(pid: int) -> tuple[str, int]:
    """Return both of a process, ("", 0) of one that is gone."""
    fields = stat_of(pid)
    return (fields[0].decode(), int(fields[1])) if fields else ("", 0)


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
    own = os.getpid()
    names = os.listdir("/proc")  # noqa: PTH208  cheap, too
    return [pid for name in names if name.isdecimal() and (pid := int(name)) != own]
