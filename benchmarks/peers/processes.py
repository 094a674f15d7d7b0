"""A peer's processes, wherever they have gone: who they are, what they hold, and their end."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

MARK = "NEUROSENSE_PEER"
"""An environment variable that a peer's processes inherit: its value finds them again."""


def marked(value: str) -> set[int]:
    """Return the processes that carry MARK with this value, and all their descendants.

    Some leave the group of their parent, and outlive it (Ray's daemons); others overwrite
    their environment with a title. One of the two ways finds each of them.
    """
    parents = _parents()
    return _with_descendants({pid for pid in parents if _carries(pid, value)}, parents)


def family(pid: int) -> set[int]:
    """Return a process and all its descendants."""
    return _with_descendants({pid}, _parents())


def _with_descendants(pids: set[int], parents: dict[int, int]) -> set[int]:
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def resident_bytes(pids: set[int]) -> int:
    """Return the memory that these processes hold, shared pages counted once (PSS)."""
    return sum(_pss_bytes(pid) for pid in pids)


def end(value: str, timeout_s: float = 5.0) -> None:
    """Kill what `marked` finds, until there is nothing left of it."""
    deadline = time.monotonic() + timeout_s
    while (pids := marked(value)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _parents() -> dict[int, int]:
    """Return the parent of every process that has not ended (a zombie has)."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name in brackets may hold anything; state and parent follow it.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    return parents


def _carries(pid: int, value: str) -> bool:
    with contextlib.suppress(OSError):
        return f"{MARK}={value}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _pss_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        sizes = re.findall(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
        return sum(map(int, sizes)) * 1024
    return 0
