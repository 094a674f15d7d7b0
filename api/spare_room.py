"""Files of the recordings in work, beside the log's spool: they take no room that it may need."""

import errno
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Any

from api.errors import UnavailableError
from api.spool import Spool

_CHECKED_BYTES = 2**20
_write = os.write
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(UnavailableError):
    """A recording cannot be kept while it is analysed; others may soon be done with theirs."""

    retry_after_s = 30

    def __init__(self) -> None:
        super().__init__("disk_full", "there is no room for the recording: try again later")


class SpareFile(io.FileIO):
    """A file without a name, gone when it is closed. Making it may raise DiskFullError."""

    def __init__(self, spool: Spool) -> None:
        with _told(), TemporaryFile(dir=spool.folder, buffering=0) as file:
            super().__init__(os.dup(file.fileno()), "r+")
        self._spool = spool
        self._unchecked_bytes = _CHECKED_BYTES

    def write(self, content: Any, /) -> int:
        """Write all of it.

        Raises:
            DiskFullError: the disk has no more than what the spool may still need.
        """
        rest = memoryview(content)
        size_bytes = len(rest)
        self._check(size_bytes)
        with _told():
            while rest:
                rest = rest[_write(self.fileno(), rest) :]
        return size_bytes

    def _check(self, more_bytes: int) -> None:
        self._unchecked_bytes += more_bytes
        if self._unchecked_bytes >= _CHECKED_BYTES:
            free_bytes = shutil.disk_usage(self._spool.folder).free
            if free_bytes - more_bytes < self._spool.room_bytes():
                raise DiskFullError
            self._unchecked_bytes = 0


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError from None
        raise
