"""One start at a time uses a state folder."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from serving.errors import ServingError

_NAME = "lock"


def is_running(state_dir: Path) -> bool:
    """Return whether a start holds the state folder."""
    try:
        with (state_dir / _NAME).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def state_lock(state_dir: Path) -> Iterator[None]:
    """Hold the state folder; ServingError if another start already does."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state_dir / _NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(
                f"another neurosense runs on {state_dir}: stop it, or choose another folder "
                "with NEUROSENSE_STATE_DIR (and other ports)"
            ) from None
        yield
