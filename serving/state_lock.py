"""One start at a time uses a state folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from serving.lock import is_locked, locked

_NAME = "lock"


def is_running(state_dir: Path) -> bool:
    """Return whether a start holds the state folder."""
    return is_locked(state_dir / _NAME)


@contextlib.contextmanager
def state_lock(state_dir: Path) -> Iterator[None]:
    """Hold the state folder; ServingError if another start already does."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    refusal = (
        f"another neurosense runs on {state_dir}: stop it, or choose another folder "
        "with NEUROSENSE_STATE_DIR (and other ports)"
    )
    with locked(state_dir / _NAME, refusal):
        yield
