"""`neurosense serve` recovers without a hand, whichever part of it is killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from tests.conftest import START_TIMEOUT_S, stack_environment, start_serve, stop_serve
from tests.processes import each, family, still_runs
from tests.recordings import wav
from tests.waiting import wait_for


@dataclass
class Running:
    """A `neurosense serve` of this module's own, to be broken."""

    started: "subprocess.Popen[bytes]"
    log: Path
    state_dir: Path
    environment: dict[str, str]

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.started.pid)

    def url(self, server: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'NEUROSENSE_{server}_PORT']}"

    def part(self, name: str) -> psutil.Process:
        [found] = [child for child, is_it in each(self.process.children(), NAMES[name]) if is_it]
        return found

    def steps(self, model: str) -> list[psutil.Process]:
        commands = each(self.part("triton").children(), psutil.Process.cmdline)
        return [one for one, words in commands if any(f"/models/{model}/" in w for w in words)]

    def said(self, words: str) -> int:
        return self.log.read_text().count(words)

    def wait_until_back(self, name: str, before: int) -> None:
        """Wait until it has come back once more than `before`."""
        told = f"{name} is back after"
        wait_for(lambda: self.said(told) > before, START_TIMEOUT_S, self.log.read_text)

    def answers(self) -> bool:
        try:
            asked = httpx.post(
                f"{self.url('API')}/analyze/text", data={"text": "I love this!"}, timeout=30
            )
        except httpx.HTTPError:
            return False
        return asked.status_code == 200


NAMES: dict[str, Callable[[psutil.Process], bool]] = {
    "postgres": lambda process: "postgres" in process.name(),
    "triton": lambda process: process.name() == "tritonserver",
    "api": lambda process: process.cmdline()[1:3] == ["-m", "api"],
    "page": lambda process: "streamlit" in process.cmdline(),
}


def traces(state_dir: Path) -> set[Path]:
    """Return the temporary folder and the shared memory of the run on a state folder."""
    folder = (state_dir / "run").readlink()
    return {folder, *Path("/dev/shm").glob(f"{folder.name}*")}  # noqa: S108


def shared_memory(path: Path) -> bool:
    return path.parts[:3] == ("/", "dev", "shm")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("recovery")
    environment = stack_environment(folder / "state")
    started = start_serve(environment, folder / "log")
    running = Running(started, folder / "log", folder / "state", environment)
    yield running
    left = traces(running.state_dir)
    stop_serve(running.started)
    assert [path for path in left if path.exists()] == []


@pytest.mark.parametrize(
    "name",
    # The faults in tests/chaos have the others, under load.
    [pytest.param(one, marks=[pytest.mark.slow] if one != "page" else []) for one in NAMES],
)
def test_a_part_that_is_killed_is_started_again(running: Running, name: str) -> None:
    wait_for(running.answers)
    backs = running.said(f"{name} is back after")
    killed = running.part(name)
    before = traces(running.state_dir)
    killed.kill()
    running.wait_until_back(name, backs)
    wait_for(running.answers)
    assert running.part(name).pid != killed.pid
    assert running.said(f"{name} was killed by SIGKILL: starting it again") >= 1
    assert httpx.get(f"{running.url('UI')}/_stcore/health", timeout=60).status_code == 200
    if name == "triton":
        # Its steps' shared memory was made anew: none of the dead server's is left beside it.
        assert not traces(running.state_dir) & {path for path in before if shared_memory(path)}


@pytest.mark.slow  # among the faults, under load
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_step_that_is_lost_is_started_again(running: Running, number: signal.Signals) -> None:
    """Triton itself would leave it so, and every request for it would hang or fail."""
    wait_for(running.answers)
    backs = running.said("triton is back after")
    [step, *_] = running.steps("text_classifier")
    step.send_signal(number)
    running.wait_until_back("triton", backs)
    wait_for(running.answers)
    assert not still_runs(step)
    assert running.said("triton lost the process of a step (text_classifier): starting it") >= 1


@pytest.mark.slow  # among the faults, under load
def test_a_pause_of_all_of_triton_is_forgiven(running: Running) -> None:
    wait_for(running.answers)
    said = running.log.read_text()
    triton = running.part("triton")
    paused = family(triton.pid)
    for process in paused:
        process.suspend()
    time.sleep(3)
    for process in reversed(paused):  # Triton comes last: to it, its steps never stood still
        process.resume()
    time.sleep(3)
    wait_for(running.answers)
    assert running.log.read_text() == said
    assert running.part("triton").pid == triton.pid


def test_the_address_of_the_database_stays(running: Running) -> None:
    url = (running.state_dir / "database_url").read_text().strip()
    running.part("postgres").kill()
    wait_for(lambda: psycopg_answers(url))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM emotion_logs").fetchone() is not None


def psycopg_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_what_a_killed_run_leaves_is_removed_by_the_next(running: Running) -> None:
    wait_for(running.answers)
    left = traces(running.state_dir)
    names = each(running.process.children(recursive=True), psutil.Process.name)
    [stub, *_] = [child for child, name in names if "triton_python_b" in name]
    os.kill(stub.pid, signal.SIGSTOP)  # one that does not end by itself
    running.started.kill()
    running.started.wait()
    assert any(path.exists() for path in left)
    running.started = start_serve(running.environment, running.log)
    assert not still_runs(stub)
    assert [path for path in left if path.exists()] == []


def test_a_branch_whose_step_dies_again_and_again_leaves_the_other_to_serve(
    running: Running,
) -> None:
    """Comes last: audio is not served any more."""
    wait_for(running.answers)
    for _ in range(3):
        kill_step(running, "audio_classifier")
    assert running.said("NOT SERVED ANY MORE, what needs it is answered without: audio.") == 1
    wait_for(running.answers)
    answer = httpx.post(
        f"{running.url('API')}/analyze/multimodal",
        data={"text": "I love this!"},
        files={"audio": wav()},
        timeout=30,
    ).json()
    assert (answer["modality"], answer["degraded"]["modality"]) == ("text_only", "audio")
    assert running.started.poll() is None


def kill_step(running: Running, model: str) -> None:
    """Return when Triton is back."""
    backs = running.said("triton is back after")
    [step, *_] = running.steps(model)
    step.kill()
    running.wait_until_back("triton", backs)


@pytest.mark.slow
def test_a_stop_in_the_middle_of_a_restart_leaves_nothing(tmp_path: Path) -> None:
    process = start_serve(stack_environment(tmp_path / "state"), tmp_path / "log")
    running = family(process.pid)
    left = traces(tmp_path / "state")
    [triton] = [one for one, name in each(running, psutil.Process.name) if name == "tritonserver"]
    triton.kill()
    log = tmp_path / "log"
    wait_for(lambda: "triton was killed by SIGKILL" in log.read_text(), timeout_s=30)
    stop_serve(process)
    assert "triton is back" not in (tmp_path / "log").read_text()
    assert [one for one in running if still_runs(one)] == []
    assert [path for path in left if path.exists()] == []
