"""Waiting for what happens by itself, and not for ever."""

import asyncio
import threading
import time
from collections.abc import Callable

# Tests that count rows: on a machine this busy, a second may pass before a database answers.
PATIENT_LOG_S = "20"

_EVERY_S = 0.02


def wait_for(
    happened: Callable[[], bool], timeout_s: float = 120, instead: Callable[[], object] = str
) -> None:
    """Return when it has; a failure shows what `instead` returns."""
    deadline_s = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline_s, instead()
        time.sleep(_EVERY_S)


async def until_set(event: threading.Event) -> None:
    """Wait inside an event loop for what a test sets outside."""
    while not event.is_set():
        await asyncio.sleep(0.01)
