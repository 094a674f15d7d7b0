"""One at a time changes what a repository serves: a command, or a start until it is ready."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from serving.errors import ServingError


@contextlib.contextmanager
def swapping(repository: Path) -> Iterator[None]:
    """Hold the repository; ServingError if another command swaps there at the moment."""
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".models.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(
                f"another command works on {repository}, or a start: wait for it"
            ) from None
        yield
