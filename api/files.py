"""Files that survive a crash, and that one process at a time holds."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_durably(file: int, content: bytes) -> None:
    """Write all of it to a file descriptor; it is on the disk when this returns."""
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)


def fsync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a file's lock; False if another process does, or has taken the file away."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _lock(file) and path.exists()
    finally:
        os.close(file)


def size_bytes(path: Path) -> int:
    """Return a file's size, 0 if it has gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
