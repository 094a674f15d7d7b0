"""A decoding process whose decoder does what its input says, as a broken C library might."""

import ctypes
import os
import time

import numpy as np
import numpy.typing as npt

from ensemble.audio import decode
from ensemble.clips import Limits
from ensemble.decoding_worker import serve


def obey(encoded: bytes, limits: Limits) -> npt.NDArray[np.float32]:  # noqa: C901
    match encoded:
        case b"segfault":
            ctypes.string_at(0)
        case b"abort":
            os.abort()
        case b"exit":
            os._exit(0)
        case b"hang":
            time.sleep(600)
        case b"spin":
            while True:
                pass
        case b"allocate":
            np.ones(10**10, dtype=np.uint8)
        case b"malloc":
            malloc = ctypes.CDLL(None).malloc
            malloc.restype = ctypes.c_void_p
            ctypes.memset(malloc(ctypes.c_size_t(10**10)), 1, 10**10)
        case b"bug":
            raise KeyError("a bug of ours")
        case b"write":
            os.write(1, b"noise")
            os.write(2, b"noise")
        case b"lie":
            return np.zeros(100 * 16_000, np.float32)
    return decode(encoded, limits)


if __name__ == "__main__":
    serve(obey)
