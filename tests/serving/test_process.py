import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.errors import ServingError
from serving.process import Child
from tests.waiting import wait_for


def python(code: str, log: Path) -> Child:
    return Child("a server", [sys.executable, "-c", code], log)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end between open and read
        return True


def wait_until_gone(pid: int, timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while not is_gone(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_gone(pid)


def slice_ns(pid: int) -> int:
    """Return how long a turn of the processor it asks for."""
    lines = Path(f"/proc/{pid}/sched").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("se.slice")).split(":")[1])


def test_a_child_that_dies_is_reported_at_once_with_its_last_lines(tmp_path: Path) -> None:
    child = python("print('loading'); raise SystemExit('no such model')", tmp_path / "log")
    started = time.monotonic()
    with pytest.raises(ServingError, match=r"a server ended with exit code 1(.|\n)*no such model"):
        child.wait_until(lambda: False, timeout_s=60)
    assert time.monotonic() - started < 30


def test_a_child_that_is_killed_says_by_which_signal(tmp_path: Path) -> None:
    child = python("import time; time.sleep(60)", tmp_path / "log")
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ServingError, match="killed by SIGKILL"):
        child.wait_until(lambda: False, timeout_s=60)


def test_a_child_that_takes_too_long_is_reported(tmp_path: Path) -> None:
    child = python("import time; time.sleep(60)", tmp_path / "log")
    try:
        with pytest.raises(ServingError, match=r"not ready within 0\.2 s"):
            child.wait_until(lambda: False, timeout_s=0.2)
    finally:
        child.stop()


def test_stop_ends_one_that_ignores_the_request_and_its_own_children(tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid,"
        " flush=True);"
        "time.sleep(60)"
    )
    child = python(code, tmp_path / "log")
    child.wait_until(lambda: bool(child.last_lines()), timeout_s=30)
    grandchild = int(child.last_lines())
    child.stop(timeout_s=0.2)
    assert child.exit_code() == -signal.SIGKILL
    assert wait_until_gone(grandchild)


def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from serving.process import Child
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
child = Child("c", sleep, Path({str(tmp_path / "c")!r}))
print(child.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert wait_until_gone(pid)


@pytest.mark.skipif(
    tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (6, 15),
    reason="Linux has no turns of chosen lengths before 6.12, and shows them from 6.15",
)
def test_who_lets_others_go_first_takes_long_turns_and_so_do_its_steps(tmp_path: Path) -> None:
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); "
    command = [sys.executable, "-c", f"{code}time.sleep(60)"]
    children = [Child("a server", command, tmp_path / str(nice), nice=nice) for nice in (0, 5)]
    try:
        wait_for(lambda: all(c.log_path.read_text().endswith("\n") for c in children), 10)
        steps = [int(child.log_path.read_text()) for child in children]
        plain, nice = (
            [slice_ns(child.pid), slice_ns(step)]
            for child, step in zip(children, steps, strict=True)
        )
        assert plain == [slice_ns(os.getpid())] * 2
        assert nice == [10_000_000] * 2
    finally:
        for child in children:
            child.stop()
