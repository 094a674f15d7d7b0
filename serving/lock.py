"""Locks that end with the process that holds them."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from serving.errors import ServingError


@contextlib.contextmanager
def locked(file: Path, refusal: str) -> Iterator[None]:
    """Hold a file; ServingError with the refusal if somebody else does."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(refusal) from None
        yield


def is_locked(file: Path) -> bool:
    """Return whether somebody holds a file."""
    try:
        with file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
