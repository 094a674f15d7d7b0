"""Rows that the database will never take: a file for each month, where a person finds them."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from api.files import size_bytes, write_durably

logger = logging.getLogger("neurosense.api")


class Rejected:
    """Safe to use from several threads and processes; every method may wait for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def size_bytes(self) -> int:
        """Return how many bytes lie there."""
        return sum(map(size_bytes, self._files()))

    def add(self, lines: bytes) -> None:
        """Keep lines; those of a segment that is read a second time only once."""
        path = self._folder / _name(datetime.now(UTC), months_ago=0)
        with _held(path) as file:
            if lines in path.read_bytes():
                return
            write_durably(file, lines)
        logger.error("rows that cannot be stored were put into %s", path)

    def forget(self, prediction: UUID) -> int:
        """Remove the rows that are a prediction, or about it; return how many."""
        return sum(self._forget(path, f'"{prediction}"'.encode()) for path in self._files())

    def expire(self, keep_months: int) -> None:
        """Remove what was put there before so many whole months; 0 keeps all."""
        oldest = _name(datetime.now(UTC), months_ago=keep_months)
        for path in self._files() if keep_months else []:
            if path.name < oldest:
                path.unlink(missing_ok=True)

    def _forget(self, path: Path, quoted_id: bytes) -> int:
        with _held(path) as file:
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if quoted_id not in line]
            if len(kept) < len(lines):
                os.ftruncate(file, 0)
                write_durably(file, b"".join(kept))
        return len(lines) - len(kept)

    def _files(self) -> list[Path]:
        return list(self._folder.glob("rejected-*"))


def _name(now: datetime, *, months_ago: int) -> str:
    year, month = divmod(now.year * 12 + now.month - 1 - months_ago, 12)
    return f"rejected-{year:04}-{month + 1:02}"


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """Open a file to add to it, alone until the end of the block."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)
