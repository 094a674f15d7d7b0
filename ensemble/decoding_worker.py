"""The process in which recordings are decoded: started by `ensemble.decoding`, nobody else.

It reads one recording, writes one answer, and so on until its parent is gone. The libraries
below it parse what strangers send, so it may crash, hang or run out of memory.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from ensemble.audio import decode
from ensemble.clips import Limits
from ensemble.decoding import READY, REFUSED, SAMPLES
from ensemble.errors import InputError

_PR_SET_PDEATHSIG = 1

Decode = Callable[[bytes, Limits], npt.NDArray[np.float32]]


def serve(decode: Decode) -> None:
    """Answer until the parent closes its end; argv is socket, parent, memory and Limits as JSON."""
    socket_number, parent_id, memory_bytes, limits = (json.loads(word) for word in sys.argv[1:])
    restrict(parent_id, memory_bytes)
    with Connection(socket_number) as connection:
        connection.send_bytes(READY)
        go_silent()
        try:
            while True:
                connection.send_bytes(_answer(connection.recv_bytes(), Limits(**limits), decode))
        except (EOFError, OSError):  # the parent has no more to ask
            return


def _answer(encoded: bytes, limits: Limits, decode: Decode) -> bytes:
    """Return the message; anything but an InputError ends the process, as a crash does."""
    try:
        return SAMPLES + decode(encoded, limits).tobytes()
    except InputError as error:
        return REFUSED + json.dumps([error.code, error.detail]).encode()
    except BaseException:  # noqa: BLE001  out of memory, for example: a new process is clean
        os._exit(1)


def restrict(parent_id: int, memory_bytes: int) -> None:
    """End with the parent, take no more memory than this, write no file."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_id:
        os._exit(1)  # it ended before the line above
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent ends, then this does
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # decoding writes no files
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def go_silent() -> None:
    """Keep what the libraries say about a user's file out of the logs."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)


if __name__ == "__main__":
    serve(decode)
