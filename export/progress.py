"""How whatever takes long says how far it is."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str], None]

_EVERY_S = 2.0


@contextmanager
def repeated(report: Callable[[], None]) -> Iterator[None]:
    """While inside, call `report` every two seconds, in a thread of its own."""
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(_EVERY_S):
            report()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def lasting(what: str, progress: Progress) -> Iterator[None]:
    """While inside, tell `progress` every two seconds for how long this has been going on."""
    began_s = time.monotonic()
    with repeated(lambda: progress(f"{what}: {time.monotonic() - began_s:.0f} s so far")):
        yield
