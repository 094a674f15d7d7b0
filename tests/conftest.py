"""The whole real system, started once for all tests that talk to it."""

import functools
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx._transports.default
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from serving.ports import free_ports
from tests.chaos.reports import pytest_terminal_summary
from tests.waiting import PATIENT_LOG_S

__all__ = ["pytest_terminal_summary"]

# Nothing of what all the imports make is garbage: looking for some takes a fifth of their time.
gc.disable()

NEUROSENSE = Path(sys.executable).parent / "neurosense"
START_TIMEOUT_S = 240.0
_LONGEST = ("e2e", "ui", "chaos", "export", "serving")
# These files share what takes long to make, and so count as one.
_TOGETHER = {
    "swapping": ("e2e/test_models.py", "e2e/test_models_on_trial.py"),
    "stack, locked, browser": (
        "api/test_promises.py",
        "api/test_real_stream.py",
        "e2e/test_keys.py",
        "ui/test_docs.py",
        "ui/test_monitor.py",
        "ui/test_page.py",
        "ui/test_page_keys.py",
        "ui/test_samples.py",
        "ui/test_timeline.py",
    ),
    "stack": (
        "api/test_real_answers.py",
        "api/test_real_bad_input.py",
        "api/test_real_batch.py",
        "api/test_real_degraded.py",
        "api/test_real_timeline.py",
        "benchmarks/test_service.py",
        "benchmarks/test_stages.py",
        "deploy/test_probes.py",
        "docker/test_monitoring.py",
        "docker/test_watched.py",
        "e2e/test_clients.py",
        "e2e/test_decoder_crash.py",
        "e2e/test_seeing.py",
        "e2e/test_serve.py",
        "evaluation/test_commands.py",
        "serving/test_control.py",
        "test_readme.py",
    ),
    "exported audio": ("export/test_batching.py", "export/test_export.py"),
}
_SCOPES = {f"tests/{file}": scope for scope, files in _TOGETHER.items() for file in files}
_FIRST = ("swapping", "stack, locked, browser", "stack", "tests/chaos/test_faults.py")
# torch's threads gain nothing from toys, and on a busy machine they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing that is forked here goes on with gRPC; its handlers would write into logs that tests read.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# httpx reads all certificates anew for each call, which is most of a call's time. Once will do.
httpx._transports.default.create_ssl_context = functools.cache(  # type: ignore[attr-defined]
    httpx.create_ssl_context
)


@dataclass(frozen=True)
class Stack:
    """Where the running system answers."""

    api_url: str
    ui_url: str
    triton_http: str
    triton_grpc: str
    triton_metrics: str
    triton_control_key: str
    database_url: str
    state_dir: Path
    pid: int

    def scraped(self) -> str:
        """Return the metrics of API and Triton, once something was answered."""
        with httpx.Client(timeout=60) as client:
            client.post(f"{self.api_url}/analyze/text", data={"text": "I love this!"})
            urls = (f"{self.api_url}/metrics", self.triton_metrics)
            return "".join(client.get(url).text for url in urls)


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # which says nothing of its types
    """All tests of a file go to one process, and so do those of files that are together."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)


def _scope(nodeid: str) -> str:
    file = nodeid.split("::")[0]
    return _SCOPES.get(file, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_collection_finish() -> None:
    """Look for garbage from now on, but not among what was imported."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process works on one of them alone."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    scope = _scope(item.nodeid)
    if scope in _FIRST:
        return _FIRST.index(scope)
    return len(_FIRST) + (item.path.parent.name not in _LONGEST)


def stack_environment(state_dir: Path, **more: str) -> dict[str, str]:
    """Return an environment for `neurosense serve` on free ports, with the shipped weights."""
    names = ("API", "UI", "TRITON_HTTP", "TRITON_GRPC", "TRITON_METRICS")
    ports = {
        f"NEUROSENSE_{name}_PORT": str(port)
        for name, port in zip(names, free_ports(len(names)), strict=True)
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NEUROSENSE_")}
    inherited.pop("DATABASE_URL", None)
    return {
        **inherited,
        **ports,
        "NEUROSENSE_WEIGHTS": "starter",
        "NEUROSENSE_STATE_DIR": str(state_dir),
        "NEUROSENSE_LOG_TIMEOUT_S": PATIENT_LOG_S,
        # A start takes a fifth less of the processor so; `stack` and the chaos are as they come.
        "NEUROSENSE_CLASSIFIER_INSTANCES": "1",
        "NEUROSENSE_STEP_INSTANCES": "1",
        **more,
    }


def start_serve(environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start `neurosense serve` and return once it says it is ready."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [NEUROSENSE, "serve"], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while "Ready." not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"neurosense serve did not get ready:\n{log.read_text()}")
        time.sleep(0.1)
    return process


def stop_serve(process: "subprocess.Popen[bytes]") -> None:
    """End `neurosense serve` as Ctrl-C does; it must end well."""
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0  # four of its processes have five seconds each


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    state_dir = tmp_path_factory.mktemp("a folder with spaces")
    # `auto` with a hub that refuses, and a proxy that does: a newcomer behind a closed network.
    environment = stack_environment(
        state_dir,
        NEUROSENSE_WEIGHTS="auto",
        HF_ENDPOINT="http://127.0.0.1:9",
        HF_HOME=str(state_dir / "hub"),
        http_proxy="http://127.0.0.1:9",
        NEUROSENSE_CLASSIFIER_INSTANCES="",
        NEUROSENSE_STEP_INSTANCES="",
    )
    process = start_serve(environment, state_dir / "serve.log")
    yield Stack(
        api_url=f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}",
        ui_url=f"http://127.0.0.1:{environment['NEUROSENSE_UI_PORT']}",
        triton_http=f"127.0.0.1:{environment['NEUROSENSE_TRITON_HTTP_PORT']}",
        triton_grpc=f"127.0.0.1:{environment['NEUROSENSE_TRITON_GRPC_PORT']}",
        triton_metrics=f"http://127.0.0.1:{environment['NEUROSENSE_TRITON_METRICS_PORT']}/metrics",
        triton_control_key=(state_dir / "triton_control_key").read_text().strip(),
        database_url=(state_dir / "database_url").read_text().strip(),
        state_dir=state_dir,
        pid=process.pid,
    )
    stop_serve(process)


@dataclass(frozen=True)
class Locked:
    """A running system that was started with one key for `analyze`."""

    api_url: str
    ui_url: str
    key: str
    environment: dict[str, str]
    state_dir: Path
    pid: int

    def run_keys(self, *arguments: str) -> str:
        return run_keys(self.environment, *arguments)


def run_keys(environment: dict[str, str], *arguments: str) -> str:
    """Run `neurosense keys …` and return what it prints on stdout."""
    done = subprocess.run(
        [NEUROSENSE, "keys", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("locked")
    # Another key of the person who starts it must not be the page's.
    environment = stack_environment(folder / "state", NEUROSENSE_API_KEY="ns_somebody-elses")
    key = run_keys(environment, "create", "first", "--scope", "analyze").strip()
    process = start_serve(environment, folder / "log")
    yield Locked(
        api_url=f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}",
        ui_url=f"http://127.0.0.1:{environment['NEUROSENSE_UI_PORT']}",
        key=key,
        environment=environment,
        state_dir=folder / "state",
        pid=process.pid,
    )
    stop_serve(process)
