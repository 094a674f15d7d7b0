"""The service that is measured: all of it, started as users start it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from benchmarks.memory import by_process
from benchmarks.peers.errors import PeerError
from benchmarks.peers.processes import marked
from benchmarks.peers.runner import started
from benchmarks.prepare import BEST, Prepared
from benchmarks.sources import newest
from export import manifest as manifests
from export.manifest import Branch
from export.progress import Progress
from serving.ports import answers, free_ports

_PORTS = ("API", "UI", "TRITON_HTTP", "TRITON_GRPC", "TRITON_METRICS")
_PAGE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Stack:
    """Where a running service answers."""

    api_url: str
    triton_http: str
    triton_grpc: str
    pids: Callable[[], set[int]]
    """All its processes now."""

    def memory_mb(self) -> dict[str, float]:
        """Return what each process holds now."""
        return by_process(self.pids())


@contextmanager
def best_stack(prepared: Prepared, say: Progress, let_in: int | None = 256) -> Iterator[Stack]:
    """Start the service at its best precision: database, Triton, API and page.

    `let_in` requests wait inside, which is more than by default (None): what is measured may wait.
    """
    say("starting the service: database, Triton, API and page ...")
    checkpoints = {
        f"NEUROSENSE_{branch.upper()}_CHECKPOINT": str(one.folder.absolute())
        for branch, one in prepared.checkpoints.items()
    }
    variables: dict[str, str] = {"NEUROSENSE_PRECISION": prepared.precisions[BEST]}
    if let_in is not None:
        variables["NEUROSENSE_MAX_CONCURRENT_REQUESTS"] = str(let_in)
    with running_stack(prepared.state(BEST), checkpoints | variables) as stack:
        yield stack


@contextmanager
def running_stack(state: Path, variables: dict[str, str]) -> Iterator[Stack]:
    """Run `neurosense serve` on free ports, with nothing of it left afterwards.

    Args:
        state: its state folder, with what is published already.
        variables: further settings.

    Raises:
        PeerError: it did not start; with the end of its log.
    """
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    settings = {f"NEUROSENSE_{name}_PORT": str(port) for name, port in ports.items()}
    # An empty DATABASE_URL is none: rows go to the database that is started with the rest.
    own = {"NEUROSENSE_STATE_DIR": str(state.absolute()), "DATABASE_URL": ""}
    urls = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    command = [sys.executable, "-m", "serving.cli", "serve"]
    health = f"http://{urls['API']}/health/ready"
    log = state / "logs" / "serve.log"
    with started("neurosense", command, health, log, settings | own | variables) as mark:
        _wait_for_page(f"http://{urls['UI']}/_stcore/health")
        yield Stack(
            api_url=f"http://{urls['API']}",
            triton_http=urls["TRITON_HTTP"],
            triton_grpc=urls["TRITON_GRPC"],
            pids=lambda: marked(mark),
        )


def served_models(state: Path) -> str:
    """Return name, version and precision of what a state folder's service answers with."""
    folders = [newest(branch, state / "model_repository") for branch in get_args(Branch)]
    models = [(manifests.read(folder), folder.name) for folder in folders]
    return "; ".join(f"{one.branch} {one.name} {v} ({one.precision})" for one, v in models)


def _wait_for_page(url: str) -> None:
    """Wait for the page, whose start would otherwise take the cores of the first figures."""
    deadline = time.monotonic() + _PAGE_TIMEOUT_S
    while not answers(url, timeout_s=2.0):
        if time.monotonic() > deadline:
            raise PeerError(f"the page at {url} was not ready within {_PAGE_TIMEOUT_S:g} s")
        time.sleep(0.1)
