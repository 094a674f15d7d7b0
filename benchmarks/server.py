"""The Triton that is measured: what it is, and what batches it formed."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonclient.grpc import InferenceServerClient as GrpcClient
from tritonclient.http import InferenceServerClient as HttpClient

from benchmarks.analyzer import Protocol
from export.publish import MODELS
from export.starter import publish_starter
from serving.ports import free_ports
from serving.repository import render
from serving.settings import Settings
from serving.triton import Triton

_CLASSIFIERS = ("text_classifier", "audio_classifier")


@dataclass(frozen=True)
class Counts:
    """How many rows a model was given so far, and in how many executions."""

    rows: int
    executions: int


class Server:
    """A running Triton, asked through the protocol that is measured."""

    def __init__(self, url: str, protocol: Protocol) -> None:
        self.url = url
        self.protocol = protocol
        self._client: Any = GrpcClient(url) if protocol == "grpc" else HttpClient(url)
        # The gRPC client returns messages unless asked for JSON; the HTTP client is JSON.
        self._as_json = {"as_json": True} if protocol == "grpc" else {}

    def described(self) -> dict[str, str]:
        """Say which Triton this is and whose weights it serves, for the report."""
        version = self._client.get_server_metadata(**self._as_json)["version"]
        config = self._client.get_model_config("emotion_multimodal", **self._as_json)
        parameters = config.get("config", config)["parameters"]
        served = {branch: json.loads(parameters[branch]["string_value"]) for branch in MODELS}
        return {"Triton": f"{version} over {self.protocol}"} | {
            branch: f"{one['name']} version {one['version']} ({one['weights']} weights)"
            for branch, one in served.items()
        }

    def counts(self) -> dict[str, Counts]:
        """Return the classifiers' counters, which only grow."""
        statistics = self._client.get_inference_statistics(**self._as_json)["model_stats"]
        return {
            model["name"]: Counts(
                rows=int(model.get("inference_count", 0)),
                executions=int(model.get("execution_count", 0)),
            )
            for model in statistics
            if model["name"] in _CLASSIFIERS
        }

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def mean_batches(before: dict[str, Counts], after: dict[str, Counts]) -> dict[str, float]:
    """Return the mean rows of an execution between two counts, for each model that ran."""
    return {
        name: (now.rows - before[name].rows) / (now.executions - before[name].executions)
        for name, now in after.items()
        if now.executions > before[name].executions
    }


def triton_on_free_ports(repository: Path, log_path: Path, response_cache_mb: int = 0) -> Triton:
    """Return a Triton that serves a rendered repository, not started yet."""
    http_port, grpc_port, metrics_port = free_ports(3)
    return Triton(
        repository,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        log_path=log_path,
        response_cache_mb=response_cache_mb,
    )


@contextmanager
def starter_triton(protocol: Protocol) -> Iterator[Server]:
    """Start a Triton of our own on free ports that serves the shipped starter weights."""
    with tempfile.TemporaryDirectory(prefix="neurosense-bench-") as folder:
        repository = Path(folder) / "model_repository"
        manifests = {branch: publish_starter(branch, repository) for branch in MODELS}
        render(repository, manifests, Settings.load())
        with triton_on_free_ports(repository, Path(folder) / "triton.log") as triton:
            url = triton.grpc_url if protocol == "grpc" else triton.http_url
            with running_triton(url, protocol) as server:
                yield server


@contextmanager
def running_triton(url: str, protocol: Protocol) -> Iterator[Server]:
    """Use the Triton at `url`, whoever started it."""
    server = Server(url, protocol)
    try:
        yield server
    finally:
        server.close()
