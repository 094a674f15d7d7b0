"""What surrounds the peers: their pins, how they are run and stopped, the answer check."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from benchmarks.http_requests import Request
from benchmarks.peers import environment, processes
from benchmarks.peers.__main__ import app
from benchmarks.peers.check import TOLERANCE, Expected, require_right
from benchmarks.peers.compare import Comparison, Plan, given
from benchmarks.peers.environment import HERE, PEERS, prepare
from benchmarks.peers.errors import PeerError
from benchmarks.peers.onnx_models import fuse
from benchmarks.peers.runner import started
from benchmarks.peers.table import notes, table
from serving.ports import free_ports

PINNED = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==[^\s;]+( ; .+)?")
# A daemon of a new session, as Ray's are, and a server that becomes ready.
LEAVES_DAEMON = """
import os, sys, time
from http.server import HTTPServer, SimpleHTTPRequestHandler
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
os.wait()
HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()
"""
SCORES = {"JOY": 0.75, "ANGER": 0.25}
REQUEST = Request("/analyze/multimodal", b"x", "text/plain", 1.0)
EXPECTED = [Expected(REQUEST, SCORES)]


@pytest.fixture
def answering() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = b'{"all_scores": {"JOY": 0.7502, "ANGER": 0.2498}}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", PEERS)
def test_every_requirement_is_pinned_and_none_is_of_one_machine(name: str) -> None:
    lines = (HERE / name / "requirements.txt").read_text().splitlines()
    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert [line for line in lines if line.startswith(("nvidia-", "cuda-", "triton="))] == []
    named = {line.split("==")[0] for line in lines}
    wanted = re.findall(r"^[a-z_-]+", (HERE / name / "requirements.in").read_text(), re.MULTILINE)
    assert set(wanted) <= named


def test_peers_with_onnx_runtime_have_the_same_one_as_the_project() -> None:
    (ours,) = re.findall(r"^onnxruntime==.+$", Path("requirements/run.txt").read_text(), re.M)
    for name in PEERS[1:]:
        assert ours in (HERE / name / "requirements.txt").read_text().splitlines()


def test_an_environment_is_made_once_and_again_when_its_pins_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(_name: str, command: list[str]) -> None:
        commands.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)

    requirements = tmp_path / "peer" / "requirements.txt"
    requirements.parent.mkdir()
    requirements.write_text("one==1\n")
    monkeypatch.setattr(environment, "HERE", tmp_path)
    monkeypatch.setattr(environment, "_run", run)
    said: list[str] = []
    for _ in range(2):
        python = prepare("peer", tmp_path / "made", said.append)
    assert python == tmp_path / "made" / "venv" / "bin" / "python"
    assert (len(commands), len(said)) == (2, 1)
    requirements.write_text("one==2\n")
    prepare("peer", tmp_path / "made", said.append)
    assert (len(commands), len(said)) == (4, 2)


def test_an_environment_that_cannot_be_made_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PeerError, match="package index"):
        prepare("litserve", tmp_path, lambda _: None)


def test_a_dying_peer_is_reported_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('the model is missing')"]
    with (
        pytest.raises(PeerError, match="the model is missing"),
        started("dying", command, "http://127.0.0.1:9/", tmp_path / "log", {}),
    ):
        pytest.fail("it was said to be ready")


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != "zombie")  # init may be slow to reap
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_nothing_of_a_peer_is_left_whatever_happens(
    tmp_path: Path, error: type[BaseException] | None
) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-c", LEAVES_DAEMON, str(port)]
    url = f"http://127.0.0.1:{port}/"
    found: set[int] = set()
    with (
        suppress(KeyboardInterrupt),
        started("peer", command, url, tmp_path / "log", {"ANY": "1"}) as mark,
    ):
        found = processes.marked(mark)
        assert len(found) == 2
        assert processes.resident_bytes(found) > 2e6
        if error:
            raise error
    assert len(found) == 2
    assert not any(is_running(pid) for pid in found)


def test_answers_within_the_tolerance_are_right(answering: str) -> None:
    assert require_right(answering, EXPECTED, TOLERANCE) == pytest.approx(2e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"JOY": 0.7, "ANGER": 0.3}, "off by up to 0.05"),
        ({"JOY": 0.75, "FEAR": 0.25}, "not JOY, FEAR"),
    ],
)
def test_other_answers_are_not(answering: str, scores: dict[str, float], said: str) -> None:
    with pytest.raises(PeerError, match=said):
        require_right(answering, [Expected(REQUEST, scores)], TOLERANCE)


def test_servers_are_compared_and_one_that_fails_is_named(answering: str) -> None:
    servers = {
        "right": given(answering, TOLERANCE),
        "strict": given(answering, 1e-5),
        "away": given("http://127.0.0.1:9", TOLERANCE),
    }
    plan = Plan(rounds=2, seconds=1.0, warm_up_s=0.1, concurrency=2, rate_per_s=20)
    said: list[str] = []
    compared = Comparison(servers, EXPECTED, plan, said.append).run()
    assert [len(one.rounds) for one in compared] == [2, 0, 0]
    assert compared[0].failed is None
    assert compared[0].per_second() > 0
    assert compared[0].p99_ms()
    assert sum("strict" in line for line in said) == 2  # its turn, its failure, no second turn
    lines = table(compared).splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("| right | ")
    assert lines[3].startswith("| strict | not measured |")
    assert any("strict was left out" in note for note in notes(compared))


def test_scores_are_fused_by_weight_and_named() -> None:
    text, audio = np.zeros(7, np.float32), np.zeros(7, np.float32)
    text[0], audio[3] = 1.0, 1.0
    scores = fuse(text, audio)["all_scores"]
    assert scores["ANGER"] == pytest.approx(0.55)
    assert scores["JOY"] == pytest.approx(0.45)
    assert sum(scores.values()) == pytest.approx(1.0)


def test_an_unknown_peer_is_explained() -> None:
    result = CliRunner().invoke(app, ["--only", "classic,flask"])
    assert result.exit_code == 2
    assert "flask" in result.output
