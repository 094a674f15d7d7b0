"""Runs one peer: its environment, its processes, their memory, and their end."""

import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import processes
from benchmarks.peers.environment import HERE, Say, prepare
from benchmarks.peers.errors import PeerError
from benchmarks.points import Device
from export.manifest import Branch
from serving.errors import ServingError
from serving.ports import answers, free_ports
from serving.process import Child

_ROOT = HERE.parent.parent
_START_TIMEOUT_S = 120.0
_UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", "--log-level", "warning", "--port", "PORT")
_BENTOML = ("-m", "bentoml", "serve", "--host", "127.0.0.1", "--port", "PORT")
_PROGRAMS = {
    "classic": (*_UVICORN, "benchmarks.peers.classic.app:app"),
    "fastapi_onnx": (*_UVICORN, "benchmarks.peers.fastapi_onnx.app:app"),
    "litserve": ("-m", "benchmarks.peers.litserve.app", "PORT"),
    "bentoml": (*_BENTOML, "benchmarks.peers.bentoml.service:Emotion"),
    "ray_serve": ("-m", "benchmarks.peers.ray_serve.app", "PORT"),
}
_HEALTH = {"bentoml": "/readyz"}
# None of them may tell its makers of being run.
_QUIET = {"BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Weights:
    """What the peers serve."""

    checkpoints: Mapping[Branch, Path]
    """The folders of the text and the audio checkpoint."""
    onnx: Path
    """The folder that `naive_onnx` made of them."""


@dataclass(frozen=True)
class Peer:
    """A running peer."""

    name: str
    url: str
    pids: Callable[[], set[int]] | None
    """Its processes now; None where somebody else has started it."""

    def resident_mb(self) -> float | None:
        """Return the memory that all its processes hold now (PSS), or None if not known."""
        return None if self.pids is None else processes.resident_bytes(self.pids()) / 1e6


@contextmanager
def running(
    name: str, weights: Weights, folder: Path, say: Say, device: Device = "cpu"
) -> Iterator[Peer]:
    """Install (once) and start a peer, and stop it whatever happens.

    Args:
        name: one of environment.PEERS.
        weights: what it serves.
        folder: holds a folder for every peer: environment and log.
        say: is told what takes longer than a moment.
        device: where its models run; on a GPU in this environment, as none can be installed.

    Raises:
        PeerError: it cannot be installed, or did not start; with the end of its log.
    """
    (folder / name).mkdir(parents=True, exist_ok=True)
    python = sys.executable if device != "cpu" else prepare(name, folder / name, say)
    (port,) = free_ports(1)
    command = [str(python), *(str(port) if part == "PORT" else part for part in _PROGRAMS[name])]
    url = f"http://127.0.0.1:{port}"
    variables = {
        "PEER_TEXT": str(weights.checkpoints["text"].absolute()),
        "PEER_AUDIO": str(weights.checkpoints["audio"].absolute()),
        "PEER_MODELS": str(weights.onnx.absolute()),
        "PEER_DEVICE": device,
    }
    health = f"{url}{_HEALTH.get(name, '/health')}"
    with started(name, command, health, folder / name / "log", variables) as mark:
        yield Peer(name, url, lambda: processes.marked(mark))


@contextmanager
def started(
    name: str, command: Sequence[str], health: str, log: Path, variables: dict[str, str]
) -> Iterator[str]:
    """Start a server and yield the mark of its processes once `health` answers 200.

    Whatever happens, they are gone afterwards, also those that left its process group.
    """
    mark = uuid.uuid4().hex
    # Python finds this project, and nothing else of it than the peers import from it.
    environment = {**os.environ, **_QUIET, **variables, processes.MARK: mark}
    environment |= {"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"}
    environment.pop("VIRTUAL_ENV", None)
    child = Child(name, command, log, env=environment, cwd=log.parent)
    try:
        child.wait_until(lambda: answers(health, timeout_s=2.0), _START_TIMEOUT_S)
        yield mark
    except ServingError as error:
        raise PeerError(str(error)) from None
    finally:
        child.stop()
        processes.end(mark)
