"""The process in which a long recording is decoded: started by `ensemble.recording`."""

import json
import os
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection

import numpy as np

from ensemble.audio import resampled_blocks
from ensemble.clips import SAMPLE_RATE_HZ, Limits
from ensemble.containers import open_file
from ensemble.decoding_worker import go_silent, restrict
from ensemble.errors import InputError
from ensemble.recording import PIECE, PIECE_SECONDS, READY, REFUSED


def main() -> None:
    """Send a piece whenever asked, until the parent is gone; then an empty one for the end."""
    socket_number, parent_id, memory_bytes, limits, file = (
        json.loads(word) for word in sys.argv[1:]
    )
    restrict(parent_id, memory_bytes)
    with Connection(socket_number) as connection:
        connection.send_bytes(READY)
        go_silent()
        try:
            pieces = _messages(file, Limits(**limits))
            ahead = next(pieces)  # the next one is decoded while the parent hears the last
            while connection.recv_bytes():
                connection.send_bytes(ahead)
                ahead = next(pieces, PIECE)
        except (EOFError, OSError):  # the parent has no more to ask
            return


def _messages(file: int, limits: Limits) -> Iterator[bytes]:
    """Yield the messages; anything but an InputError ends the process, as a crash does."""
    try:
        yield from (PIECE + piece for piece in _pieces(file, limits))
    except InputError as error:
        yield REFUSED + json.dumps([error.code, error.detail]).encode()
    except BaseException:  # noqa: BLE001  out of memory, for example
        os._exit(1)


def _pieces(file: int, limits: Limits) -> Iterator[bytes]:
    """Yield 16-bit samples, `PIECE_SECONDS` and a little at a time."""
    collected: list[bytes] = []
    samples = 0
    with os.fdopen(file, "rb") as opened, open_file(opened) as recording:
        for block in resampled_blocks(recording, limits):
            if not np.isfinite(block).all():
                raise InputError("audio_not_finite", "the recording holds NaN or infinite samples")
            # 16 bits come out as they went in.
            scaled = block * 32768
            np.clip(np.rint(scaled, out=scaled), -32768, 32767, out=scaled)
            collected.append(scaled.astype("<i2").tobytes())
            samples += len(block)
            if samples >= PIECE_SECONDS * SAMPLE_RATE_HZ:
                yield b"".join(collected)
                collected, samples = [], 0
    yield b"".join(collected)


if __name__ == "__main__":
    main()
