"""Rows that the database could not take, on this machine's disk until it can.

Segments of JSON lines in one folder, which several processes may share: each writes a segment
of its own, locked while it does. A segment that nobody holds (its process was killed) is for
whoever comes first. A last line that was cut off belongs to an answer that was never given.
"""

import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from api.files import fsync_folder, held, size_bytes, write_durably
from api.rejected import Rejected
from api.rows import Row

_SEGMENT_BYTES = 4 * 2**20


class SpoolFullError(OSError):
    """The spool may not grow any more."""


class Spool:
    """Safe to use from several threads; every method may wait for the disk."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.rejected = Rejected(folder)
        self._max_bytes = max_bytes
        self._mutex = threading.Lock()
        self._segment: int | None = None  # the file descriptor that rows go to
        self._refused_bytes = 0  # by the last attempt to add rows

    def open(self) -> None:
        """Make the folder; OSError if rows could not be written there."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = self.folder / f".probe-{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()

    def size_bytes(self) -> int:
        """Return how many bytes wait, those of other processes included."""
        return sum(size_bytes(path) for path in self.folder.glob("*.jsonl"))

    def is_full(self) -> bool:
        """Tell whether rows like those that were refused last would be refused again.

        Tried on the disk: where nobody sends a request any more, no row would ever tell.
        """
        size = max(1, self._refused_bytes)
        if not self._has_room(size):
            return True
        try:
            with TemporaryFile(dir=self.folder, buffering=0) as file:
                write_durably(file.fileno(), bytes(size))
        except OSError:
            return True
        return False

    def room_bytes(self) -> int:
        """Return how many bytes may still be added."""
        return max(0, self._max_bytes - self.size_bytes())

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows; they are on the disk when this returns.

        Raises:
            SpoolFullError: they would take it over its limit.
            OSError: the disk does not take them. None of them is added then.
        """
        lines = b"".join(map(_line, rows))
        with self._mutex:
            self._refused_bytes = len(lines)
            if not self._has_room(len(lines)):
                raise SpoolFullError("the spool has reached its limit")
            self._append(lines)
            self._refused_bytes = 0

    def finish_segment(self) -> None:
        """Let the rows so far be taken; later ones go to a new segment."""
        with self._mutex:
            self._finish()

    def segments(self) -> Iterator[Path]:
        """Yield the segments that nobody writes to, oldest first; each is ours meanwhile."""
        for path in sorted(self.folder.glob("*.jsonl")):
            with held(path) as ours:
                if ours:
                    yield path

    def read(self, segment: Path) -> list[Row]:
        """Return a segment's rows; damaged lines are set aside."""
        rows, damaged = [], []
        for line in segment.read_bytes().split(b"\n")[:-1]:
            try:
                rows.append(json.loads(line))
            except ValueError:
                damaged.append(line + b"\n")
        if damaged:
            self.rejected.add(b"".join(damaged))
        return rows

    def set_aside(self, row: Row) -> None:
        """Keep a row that the database will never take, where a person finds it."""
        self.rejected.add(_line(row))

    def _has_room(self, more_bytes: int) -> bool:
        taken = self.size_bytes() + self.rejected.size_bytes()
        return taken + more_bytes <= self._max_bytes

    def _append(self, lines: bytes) -> None:
        segment = self._new() if self._segment is None else self._segment
        self._segment = segment
        before = os.fstat(segment).st_size
        try:
            write_durably(segment, lines)
        except OSError:
            with suppress(OSError):
                os.ftruncate(segment, before)
            self._finish()  # what a failed fsync left behind is anybody's guess
            raise
        if before + len(lines) > _SEGMENT_BYTES:
            self._finish()

    def _new(self) -> int:
        while True:
            path = self.folder / f"{time.time_ns():020}-{uuid.uuid4().hex}.jsonl"
            segment = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(segment, fcntl.LOCK_EX)
            if os.fstat(segment).st_nlink:  # else another process took it before the lock
                break
            os.close(segment)
        fsync_folder(self.folder)  # a file whose name is not on the disk is not there
        return segment

    def _finish(self) -> None:
        if self._segment is not None:
            os.close(self._segment)
            self._segment = None


def _line(row: Row) -> bytes:
    return json.dumps(row).encode() + b"\n"
