"""One at a time changes what a repository serves: a command, or a start until it is ready."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from serving.lock import locked


@contextlib.contextmanager
def swapping(repository: Path) -> Iterator[None]:
    """Hold the repository; ServingError if another command swaps there at the moment."""
    repository.mkdir(parents=True, exist_ok=True)
    refusal = f"another command works on {repository}, or a start: wait for it"
    with locked(repository / ".models.lock", refusal):
        yield
