"""A process that works is told from one that waits, also where a child does the work."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.process import Child
from serving.work import Work
from tests.waiting import wait_for

WORKS = "while True: pass"
WAITS = "import time; time.sleep(600)"
CHILD_WORKS = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORKS!r}])"
"""The child ends with the group."""


@contextmanager
def work_of(code: str, folder: Path) -> Iterator[Work]:
    child = Child("one", [sys.executable, "-c", code], folder / "log")
    try:
        yield Work(child.pid)
    finally:
        child.kill()


def test_one_that_waits_is_idle_for_longer_and_longer(tmp_path: Path) -> None:
    with work_of(WAITS, tmp_path) as work:
        wait_for(lambda: work.idle_s() >= 3)


@pytest.mark.parametrize("code", [WORKS, CHILD_WORKS])
def test_one_that_works_never_is(code: str, tmp_path: Path) -> None:
    with work_of(code, tmp_path) as work:
        deadline_s = time.monotonic() + 6
        while time.monotonic() < deadline_s:
            assert work.idle_s() < 5
            time.sleep(0.1)


def test_one_that_is_gone_is_idle(tmp_path: Path) -> None:
    with work_of(WAITS, tmp_path) as work:
        pass
    wait_for(lambda: work.idle_s() >= 2)
