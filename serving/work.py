"""How long a server that should be starting has done next to nothing."""

import os
import time

from serving.process_folders import children, stat_of

_LOOK_EVERY_S = 1.0
_LEAST_S = 0.2
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Work:
    """The processor time that a process and its children take.

    One that loads models takes all it gets, and even reading them from a slow disk is some work;
    a Triton that only waits was seen to take 0.1 s in half a minute.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._next_look_s = 0.0
        self._worked_s = 0.0
        self._idle_looks = 0  # counted, so that a laptop may sleep

    def idle_s(self) -> float:
        """Return the seconds since it last got on; looks once a second at most."""
        if time.monotonic() >= self._next_look_s:
            self._next_look_s = time.monotonic() + _LOOK_EVERY_S
            self._look()
        return self._idle_looks * _LOOK_EVERY_S

    def _look(self) -> None:
        worked_s = sum(map(_processor_s, (self._pid, *children(self._pid))))
        self._idle_looks += 1
        if abs(worked_s - self._worked_s) >= _LEAST_S:  # less where a child has ended
            self._worked_s, self._idle_looks = worked_s, 0


def _processor_s(pid: int) -> float:
    utime_and_stime = stat_of(pid)[11:13]
    return sum(map(int, utime_and_stime)) / _TICKS_PER_S
