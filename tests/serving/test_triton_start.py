"""A Triton that aborts while it loads is started once more; one that ends otherwise is not."""

import sys
from pathlib import Path

import pytest

from serving.errors import ServingError
from serving.ports import free_ports
from serving.triton import Triton

ABORTS = [sys.executable, "-c", "import os; os.abort()"]
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


def test_another_end_is_not(tmp_path: Path) -> None:
    triton = Commanded(tmp_path, ENDS)
    with pytest.raises(ServingError, match="exit code 1"):
        triton.__enter__()
    assert len(triton.commands) == 1
