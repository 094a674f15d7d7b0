"""`neurosense serve`: starts, says when a part cannot, and ends without a trace."""

import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from export.manifest import sha256
from export.starter import publish_starter
from tests.conftest import Stack, stack_environment, start_serve, stop_serve
from tests.processes import each, family, listening, still_runs
from tests.recordings import wav
from tests.serving.test_cli import run


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files with a short name, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="ns-") as folder:
        yield Path(folder)


def traces(temporary: Path) -> set[Path]:
    """Return the temporary folders and the shared memory, named after them, of what ran there."""
    folders = set(temporary.iterdir())
    shared = {one for f in folders for one in Path("/dev/shm").glob(f"{f.name}*")}  # noqa: S108
    return folders | shared


def ask_until_it_is_gone(url: str) -> None:
    clip = wav(10)
    with contextlib.suppress(httpx.TransportError):
        while True:
            assert httpx.post(url, files={"audio": clip}, timeout=30).status_code in (200, 503)


STOP_S = 30.0
"""Alone on two cores it takes 6. Each of its five steps waits 5 before it does without."""


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_it_stops_soon_and_leaves_nothing(
    tmp_path: Path, temporary: Path, how: signal.Signals
) -> None:
    environment = stack_environment(tmp_path / "state", TMPDIR=str(temporary))
    process = start_serve(environment, tmp_path / "log")
    running = family(process.pid)
    left = traces(temporary)
    assert len(left) > 2
    names = {name for _, name in each(running, psutil.Process.name)}
    assert {"postgres", "tritonserver"} <= names
    url = f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}/analyze/audio"
    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(ask_until_it_is_gone, url) for _ in range(4)]
        time.sleep(1)
        started = time.monotonic()
        process.send_signal(how)
        assert process.wait(timeout=120) == 0
        assert time.monotonic() - started < STOP_S
        for client in clients:
            client.result()
    assert "Stopping ..." in (tmp_path / "log").read_text()
    assert [one for one in running if still_runs(one)] == []
    assert [path for path in left if path.exists()] == []
    for told in ("database_url", "triton_control_key"):
        assert not (tmp_path / "state" / told).exists()
    assert list(temporary.iterdir()) == []
    ports = {int(value) for name, value in environment.items() if name.endswith("_PORT")}
    open_now = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert not ports & {connection.laddr.port for connection in open_now}


@pytest.mark.slow
def test_a_part_that_dies_while_starting_is_shown(tmp_path: Path) -> None:
    done = run("serve", environment=stack_environment(tmp_path, NEUROSENSE_RETENTION_MONTHS="-1"))
    assert done.returncode == 1
    assert "api" in done.stderr
    assert "NEUROSENSE_RETENTION_MONTHS" in done.stderr


@pytest.mark.slow  # one that goes away meanwhile is in the faults
def test_a_database_that_is_away_is_said_and_costs_no_answer(tmp_path: Path) -> None:
    environment = stack_environment(
        tmp_path,
        DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/none",
        NEUROSENSE_LOG_TIMEOUT_S="1",
    )
    process = start_serve(environment, tmp_path / "log")
    said = (tmp_path / "log").read_text()
    assert "DATABASE_URL" in said
    assert "secret" not in said
    url = f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}/analyze/text"
    assert httpx.post(url, data={"text": "I love this!"}, timeout=30).is_success
    stop_serve(process)
    [segment] = (tmp_path / "spool").glob("*.jsonl")
    assert segment.read_text().count("JOY") > 0


def test_a_branch_that_cannot_be_loaded_leaves_the_other(tmp_path: Path) -> None:
    environment = stack_environment(tmp_path)
    publish_starter("audio", tmp_path / "model_repository")
    [graph] = (tmp_path / "model_repository").glob("audio_classifier/1/*.onnx")
    manifest, before = graph.with_name("manifest.json"), sha256(graph)
    graph.write_bytes(graph.read_bytes()[:1000])
    # A file that is not the published one would be noticed, and the version published again.
    manifest.write_text(manifest.read_text().replace(before, sha256(graph)))
    process = start_serve(environment, tmp_path / "log")
    assert "NOT SERVED" in (tmp_path / "log").read_text()
    url = f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}/analyze/multimodal"
    answer = httpx.post(url, data={"text": "I love this!"}, files={"audio": wav()}, timeout=30)
    assert answer.json()["degraded"]["modality"] == "audio"
    assert answer.json()["top_emotion"] == "JOY"
    stop_serve(process)


def test_a_second_start_on_the_same_folder_is_refused(stack: Stack) -> None:
    done = run("serve", environment=stack_environment(stack.state_dir))
    assert done.returncode == 1
    assert "NEUROSENSE_STATE_DIR" in done.stderr


def test_the_servers_listen_on_loopback_only(stack: Stack) -> None:
    assert {address for _, address in listening(stack.pid)} == {"127.0.0.1"}


def test_a_hub_that_cannot_be_reached_is_said_loudly(stack: Stack) -> None:
    log = (stack.state_dir / "serve.log").read_text()
    for name in ("j-hartmann/emotion-english-distilroberta-base", "superb/wav2vec2-base-superb-er"):
        assert f"STARTER weights, not by {name}" in log


def test_hub_weights_that_cannot_be_reached_are_an_error(tmp_path: Path) -> None:
    environment = stack_environment(
        tmp_path, NEUROSENSE_WEIGHTS="hub", HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path)
    )
    done = run("serve", environment=environment)
    assert done.returncode == 1
    assert "http://127.0.0.1:9" in done.stderr
    assert "NEUROSENSE_WEIGHTS" in done.stderr
