"""What keeps Triton's container honest: it ends when a step is lost, and is probed by answers."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from export.publish import MODELS
from export.starter import publish_starter
from serving.ports import free_ports
from serving.repository import render
from serving.settings import Settings
from serving.triton import Triton
from tests.conftest import Stack
from tests.docker.files import PROJECT
from tests.waiting import wait_for

WATCHED = PROJECT / "docker" / "watched.py"
PROBE = PROJECT / "docker" / "probe.py"
STUB = "triton_python_backend_stub"

# A parent that does not notice how its child ends, as Triton does not.
PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
if "reaps" in sys.argv:
    child.wait()
time.sleep(600)
"""


def watched(*command: str | Path) -> "subprocess.Popen[bytes]":
    # Not to a pipe: what is left of the command would hold it open.
    return subprocess.Popen([sys.executable, WATCHED, *command], cwd=PROJECT)


def pid_in(file: Path) -> int:
    wait_for(lambda: file.exists() and bool(file.read_text()))
    return int(file.read_text())


def catches(pid: int, number: signal.Signals) -> bool:
    """Tell whether the process has a handler of the signal by now."""
    [caught] = re.findall(r"SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) & 1 << number - 1)


def kill(pid: int, number: signal.Signals) -> None:
    subprocess.run(["kill", f"-{number.value}", str(pid)], check=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_it_ends_when_a_step_is_lost(tmp_path: Path, how: signal.Signals) -> None:
    process = watched(sys.executable, "-c", PARENT, tmp_path / "pid")
    step = pid_in(tmp_path / "pid")
    kill(step, how)
    try:
        assert process.wait(timeout=60) == 70
    finally:
        if how is signal.SIGSTOP:
            kill(step, signal.SIGKILL)


def test_it_goes_on_while_steps_end_in_order(tmp_path: Path) -> None:
    process = watched(sys.executable, "-c", PARENT, tmp_path / "pid", "reaps")
    kill(pid_in(tmp_path / "pid"), signal.SIGKILL)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3.5)
    process.send_signal(signal.SIGTERM)  # handed on: the command ends by it
    assert process.wait(timeout=60) == 128 + signal.SIGTERM


@pytest.mark.parametrize("status", [0, 3])
def test_it_ends_as_the_command_does(status: int) -> None:
    assert watched("sh", "-c", f"exit {status}").wait(timeout=60) == status


# Told to stop, it takes three seconds, in which its step is dead and not waited for.
SLOW_END = """
import pathlib, signal, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
def end(*_):
    child.kill()
    time.sleep(3)
    sys.exit(5)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


def test_steps_that_end_while_it_stops_are_not_lost(tmp_path: Path) -> None:
    process = watched(sys.executable, "-c", SLOW_END, tmp_path / "pid")
    pid_in(tmp_path / "pid")
    wait_for(lambda: catches(process.pid, signal.SIGTERM))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 5


class WatchedTriton(Triton):
    """The real server, started as the image starts it."""

    def _command(self) -> list[str]:
        return [sys.executable, str(WATCHED), *super()._command()]


def test_the_real_triton_ends_with_its_step(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    render(folder, {branch: publish_starter(branch, folder) for branch in MODELS}, Settings())
    http, grpc, metrics = free_ports(3)
    log = tmp_path / "log"
    with WatchedTriton(
        folder, http_port=http, grpc_port=grpc, metrics_port=metrics, log_path=log
    ) as triton:
        assert triton.child is not None
        time.sleep(3.5)  # a few looks at a server that is well
        assert probed(f"http://{triton.http_url}") == 0
        [server] = psutil.Process(triton.child.pid).children()
        [step, *others] = [one for one in server.children() if STUB in one.cmdline()[0]]
        assert others
        step.kill()
        child = triton.child
        wait_for(lambda: child.exit_code() is not None)
        assert child.exit_code() == 70
        assert not triton.alive()
    assert "the process of a step is lost" in log.read_text()


def probed(url: str) -> int:
    command = [sys.executable, str(PROBE), url]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


def test_the_probe_is_content_with_a_triton_that_answers(stack: Stack) -> None:
    def counted() -> float:
        metrics = httpx.get(stack.triton_metrics, timeout=60).text.splitlines()
        head = "nv_inference_request_success{"
        lines = [line for line in metrics if line.startswith(head)]
        return sum(
            float(line.split()[-1])
            for line in lines
            if 'model="emotion_text"' in line or 'model="emotion_audio"' in line
        )

    before = counted()
    assert probed(f"http://{stack.triton_http}") == 0
    wait_for(lambda: counted() >= before + 2)  # Triton counts just after it answers


def test_the_probe_is_not_content_with_a_server_that_only_says_ready(stack: Stack) -> None:
    assert httpx.get(f"{stack.api_url}/health").status_code == 200
    assert probed(stack.api_url) != 0
    assert probed("http://127.0.0.1:9") != 0
