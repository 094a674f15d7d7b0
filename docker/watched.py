#!/usr/bin/env python3
"""Runs a command (Triton) and ends when it does, or when a process of its own is lost.

    watched tritonserver --model-repository=/models

Triton neither restarts nor reports a Python step whose process has died: it goes on to say that
it is ready, and requests that need the step hang (server issue 8604). So this ends Triton then,
with status 70, and the container's restart policy starts it anew. It looks at processes and asks
nothing, so a server that is only busy is never restarted.
"""

import signal
import subprocess
import sys

from serving.process_folders import lost_children

_LOOK_EVERY_S = 1.0
_LOST_STATUS = 70  # EX_SOFTWARE of sysexits.h


def main() -> int:
    """Run the command of the arguments; return the status to exit with."""
    if len(sys.argv) < 2:
        print("usage: watched COMMAND [ARGUMENT...]", file=sys.stderr)  # noqa: T201
        return 64
    child = subprocess.Popen(sys.argv[1:])
    told: list[int] = []  # to stop; its steps end before it does then

    def hand_on(number: int, _: object) -> None:
        told.append(number)
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    return _end(child, told)


def _end(child: "subprocess.Popen[bytes]", told: list[int]) -> int:
    looks = 0  # in a row that found one lost: a step that is unloaded is dead for a moment
    while looks < 2:
        try:
            status = child.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            looks = looks + 1 if lost_children(child.pid) and not told else 0
        else:
            return status if status >= 0 else 128 - status
    print("watched: the process of a step is lost; stopping", file=sys.stderr)  # noqa: T201
    child.kill()
    child.wait()
    return _LOST_STATUS


if __name__ == "__main__":
    sys.exit(main())
