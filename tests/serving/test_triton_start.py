"""A Triton that aborts or hangs while it loads is started once more; one that ends is not."""

import sys
from pathlib import Path

import pytest

from serving.errors import ServingError
from serving.ports import free_ports
from serving.triton import Triton

ABORTS = [sys.executable, "-c", "import os; os.abort()"]
HANGS = [sys.executable, "-c", "import time; time.sleep(600)"]
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


def test_half_of_the_time_is_for_one_that_hangs(tmp_path: Path) -> None:
    triton = Commanded(tmp_path, HANGS)
    triton.start_timeout_s = 20
    with triton:
        assert triton.alive()
    never = Commanded(tmp_path, HANGS, HANGS)
    never.start_timeout_s = 1
    with pytest.raises(ServingError, match="not ready within 1 s"):
        never.__enter__()
    assert len(never.commands) == 1


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
