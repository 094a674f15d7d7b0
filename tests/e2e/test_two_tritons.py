"""Two real Tritons behind one API: one is lost under load, and a third joins, unnoticed."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from ensemble.labels import EMOTIONS
from export.calibrated import publish_calibrated
from export.publish import MODELS
from export.starter import publish_starter
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton
from serving.ports import free_ports
from serving.postgres import Postgres
from serving.repository import render
from serving.settings import PROJECT, Settings
from serving.triton import Triton
from tests.api.process import api_process
from tests.e2e.swapping import TEXTS, Load, load
from tests.name_server import NameServer, name_server
from tests.waiting import wait_for

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
RECORDING = PROJECT / "export/samples/recordings/sense-and-sensibility-0870.flac"


class Replica(Triton):
    """Has its clients connect anew, and so look its name up: the images do so every 30 s."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--grpc-max-connection-age=2000"]

    def answered(self) -> int:
        """Return how many sentences it has classified."""
        counts = [
            float(line.split()[-1])
            for line in httpx.get(self.metrics_url, timeout=60).text.splitlines()
            if line.startswith("nv_inference_request_success{") and '"text_classifier"' in line
        ]
        return int(sum(counts))


@dataclass
class Cluster:
    """One API, and the Tritons that its name for them stands for."""

    api: httpx.Client
    folder: Path
    database_url: str
    names: NameServer
    replicas: list[Replica]
    stack: ExitStack

    def join(self, replica: Replica) -> None:
        self.stack.enter_context(replica)
        self.names.addresses.append(replica.host)

    def lose(self, replica: Replica) -> None:
        """Kill it as a lost machine ends, and only then take it out of the name."""
        assert replica.child is not None
        replica.child.kill()
        time.sleep(1)
        self.names.addresses.remove(replica.host)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    root = tmp_path_factory.mktemp("cluster")
    folder = root / "models"
    render(folder, {branch: publish_starter(branch, folder) for branch in MODELS}, Settings())
    assert publish_calibrated(folder, "text", 1, {"temperature": 3.0}).version == 2
    http, grpc, metrics = free_ports(3)
    replicas = [
        Replica(
            folder,
            http_port=http,
            grpc_port=grpc,
            metrics_port=metrics,
            log_path=root / f"{host}.log",
            host=host,
        )
        for host in HOSTS
    ]
    with ExitStack() as stack:
        # Open to the end: the children of a thread are told to end with it.
        pool = stack.enter_context(ThreadPoolExecutor())
        url = stack.enter_context(Postgres(root / "postgres"))
        names = stack.enter_context(name_server(*HOSTS[:2]))
        list(pool.map(stack.enter_context, replicas[:2]))
        settings = {"NEUROSENSE_TRITON_GRPC_URL": names.url(grpc)}
        api = stack.enter_context(api_process(url, root / "api.log", module="api", **settings))
        yield Cluster(api.client, folder, url, names, replicas, stack)


def scores(api: httpx.Client, text: str) -> list[float]:
    asked = api.post("/analyze/text", data={"text": text})
    assert asked.status_code == 200, asked.text
    found = asked.json()["all_scores"]
    return [found[emotion.upper()] for emotion in EMOTIONS]


def all_go_on(running: Load, *replicas: Replica, more: int = 12) -> None:
    """Return when each of them has answered `more` requests."""
    before = [replica.answered() for replica in replicas]
    wait_for(lambda: all(r.answered() >= n + more for r, n in zip(replicas, before, strict=True)))
    assert running.wrong == []


@contextmanager
def swapped(cluster: Cluster, *replicas: Replica) -> Iterator[Repository]:
    """The repository that these replicas share."""
    with ExitStack() as stack:
        tritons = [
            stack.enter_context(SwappedTriton(one.grpc_url, one.control_key)) for one in replicas
        ]
        with swapping(cluster.folder):
            yield Repository(cluster.folder, tritons, synchronizer(None), print)


def test_both_are_swapped_and_no_answer_fails_or_names_another_version(cluster: Cluster) -> None:
    """One after the other: meanwhile each answers by a version that the other does not know."""
    expected = {("1", text): scores(cluster.api, text) for text in TEXTS}
    with swapped(cluster, *cluster.replicas[:2]) as repository, repository.beside("text", 2):
        repository.promote("text", 2)
        expected |= {("2", text): scores(cluster.api, text) for text in TEXTS}
        with load(str(cluster.api.base_url), RECORDING.read_bytes(), expected) as running:
            for version in (1, 2, 1):
                repository.promote("text", version)
                running.meet(str(version), times=8)
    assert running.wrong == []


@pytest.mark.slow  # a third Triton
def test_a_lost_replica_costs_nothing_and_a_new_one_joins(cluster: Cluster) -> None:
    one, two, three = cluster.replicas
    before = len(logged(cluster))
    expected = {("1", text): scores(cluster.api, text) for text in TEXTS}
    with load(str(cluster.api.base_url), RECORDING.read_bytes(), expected) as running:
        all_go_on(running, one, two)
        cluster.lose(one)
        wait_for(lambda: cluster.api.get("/health/ready").is_success)
        all_go_on(running, two)
        cluster.join(three)
        all_go_on(running, two, three)
        cluster.lose(two)
        wait_for(lambda: cluster.api.get("/health/ready").is_success)
        all_go_on(running, three)
    assert running.wrong == []
    assert set(running.rows) <= logged(cluster)
    assert len(logged(cluster)) == before + len(running.rows) + len(TEXTS)


def logged(cluster: Cluster) -> set[str]:
    with psycopg.connect(cluster.database_url) as connection:
        return {str(row[0]) for row in connection.execute("SELECT id FROM emotion_logs")}
