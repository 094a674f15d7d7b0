"""A Triton that aborts or is stuck while it loads is started once more; one that ends is not."""

import contextlib
import sys
from pathlib import Path

import psutil
import pytest

from export.publish import MODELS
from export.starter import publish_starter
from serving.errors import ServingError
from serving.ports import free_ports
from serving.repository import render
from serving.settings import Settings
from serving.triton import Triton
from tests.waiting import wait_for

ABORTS = [sys.executable, "-c", "import os; os.abort()"]
WAITS = [sys.executable, "-c", "import time; time.sleep(600)"]
WORKS = [sys.executable, "-c", "while True: pass"]
ENDS = [sys.executable, "-c", "raise SystemExit(1)"]
SERVES = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


class Commanded(Triton):
    """Each start runs the next of some commands instead of Triton."""

    def __init__(self, folder: Path, *before: list[str]) -> None:
        http, grpc, metrics = free_ports(3)
        super().__init__(
            folder, http_port=http, grpc_port=grpc, metrics_port=metrics, log_path=folder / "log"
        )
        self.commands = [*before, [sys.executable, "-c", SERVES, str(http)]]

    def _command(self) -> list[str]:
        return self.commands.pop(0)


def test_an_abort_is_forgiven_once(tmp_path: Path) -> None:
    with Commanded(tmp_path, ABORTS) as triton:
        assert triton.alive()
    twice = Commanded(tmp_path, ABORTS, ABORTS)
    with pytest.raises(ServingError, match="SIGABRT"):
        twice.__enter__()
    assert len(twice.commands) == 1


def test_one_that_waits_for_ever_has_a_second_try(tmp_path: Path) -> None:
    triton = Commanded(tmp_path, WAITS)
    triton.idle_timeout_s = 3
    with triton:
        assert triton.alive()
    never = Commanded(tmp_path, WAITS, WAITS)
    never.idle_timeout_s, never.start_timeout_s = 2, 5
    with pytest.raises(ServingError, match="not ready within 5 s"):
        never.__enter__()
    assert len(never.commands) == 1


def test_one_that_takes_too_long_is_not_tried_again(tmp_path: Path) -> None:
    triton = Commanded(tmp_path, WORKS)
    triton.start_timeout_s = 3
    with pytest.raises(ServingError, match="not ready within 3 s"):
        triton.__enter__()
    assert len(triton.commands) == 1


class StopsAStep(Triton):
    """Stops the first step of its first start: Triton 2.51 then waits for it for ever."""

    starts = 0

    def launch(self) -> None:
        super().launch()
        self.starts += 1
        if self.starts == 1 and self.child is not None:
            server = psutil.Process(self.child.pid)
            wait_for(lambda: any(map(_is_a_step, server.children())))
            next(filter(_is_a_step, server.children())).suspend()


def _is_a_step(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return Path(process.exe()).name == "triton_python_backend_stub"
    return False


def test_the_real_one_gets_over_a_step_that_it_waits_for(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    render(folder, {branch: publish_starter(branch, folder) for branch in MODELS}, Settings())
    http, grpc, metrics = free_ports(3)
    triton = StopsAStep(
        folder, http_port=http, grpc_port=grpc, metrics_port=metrics, log_path=tmp_path / "log"
    )
    triton.idle_timeout_s = 4
    with triton:
        assert triton.ready()
        assert triton.not_served() == {}
    assert triton.starts == 2


def test_one_that_can_load_nothing_is_not_tried_again(tmp_path: Path) -> None:
    lives = SERVES.replace(
        "send_response(200)", "send_response(200 if 'live' in self.path else 400)"
    )
    triton = Commanded(tmp_path)
    port = triton.commands[0][-1]
    triton.commands.insert(0, [sys.executable, "-c", lives, port])
    with pytest.raises(ServingError, match="can load no model"):
        triton.__enter__()
    assert len(triton.commands) == 1


def test_another_end_is_not(tmp_path: Path) -> None:
    triton = Commanded(tmp_path, ENDS)
    with pytest.raises(ServingError, match="exit code 1"):
        triton.__enter__()
    assert len(triton.commands) == 1
