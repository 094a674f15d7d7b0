import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.rate_limit import RateLimit
from api.settings import Settings
from serving.postgres import Postgres
from serving.postgres_programs import initialise
from tests.api.fakes import FakeModels
from tests.api.servers import MovingPostgres, blank_database, read_rows, serve
from tests.conftest import Stack
from tests.waiting import PATIENT_LOG_S


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Postgres(tmp_path_factory.mktemp("postgres") / "data") as url:
        yield url


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the rate limits of an app that is made after this."""
    monkeypatch.setattr("api.auth.RateLimit", partial(RateLimit, clock=lambda: 0.0))


@pytest.fixture
def database_url(server_url: str) -> str:
    """A database of this test's own, blank."""
    return blank_database(server_url)


@pytest.fixture(scope="session", autouse=True)
def _log_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROSENSE_SPOOL_DIR", str(tmp_path_factory.mktemp("spool")))
        patch.setenv("NEUROSENSE_LOG_TIMEOUT_S", PATIENT_LOG_S)
        yield


@pytest.fixture(autouse=True)
def spool_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool of apps that a test makes itself."""
    monkeypatch.setenv("NEUROSENSE_SPOOL_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture
def own_models() -> FakeModels:
    """For a test that makes an app of its own."""
    return FakeModels()


@dataclass(frozen=True)
class Shared:
    """One app for all tests that leave the settings alone."""

    app: FastAPI
    models: FakeModels
    client: httpx.Client
    database_url: str
    spool_dir: Path


@pytest.fixture(scope="session")
def _shared(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    url, spool = blank_database(server_url), tmp_path_factory.mktemp("spool")
    models = FakeModels()
    settings = Settings(DATABASE_URL=url, request_timeout_s=1, spool_dir=spool)
    app = create_app(settings, lambda _: models)
    with serve(app) as client:
        yield Shared(app, models, client, url, spool)


@pytest.fixture
def shared(_shared: Shared) -> Shared:
    """The app with models that work and an empty log."""
    _shared.models.reset()
    while _shared.client.get("/health/ready").json().get("log") != "ok":
        time.sleep(0.05)  # the test before made its database hang
    with psycopg.connect(_shared.database_url) as connection:
        connection.execute("DELETE FROM emotion_logs")
    return _shared


@pytest.fixture
def client(shared: Shared) -> httpx.Client:
    return shared.client


@pytest.fixture
def models(shared: Shared) -> FakeModels:
    return shared.models


@pytest.fixture
def rows(shared: Shared) -> Callable[[], list[dict[str, Any]]]:
    """The log's rows, oldest first."""
    return lambda: read_rows(shared.database_url)


@pytest.fixture(scope="session")
def blank_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("blank") / "data"
    initialise(data)
    return data


@pytest.fixture
def moving_postgres(blank_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MovingPostgres]:
    monkeypatch.delenv("NEUROSENSE_LOG_TIMEOUT_S")  # it goes away: requests wait as long for it
    # A socket's path may have 107 characters at most: pytest's folders are too deep.
    with tempfile.TemporaryDirectory(prefix="neurosense-") as folder:
        Path(folder).chmod(0o755)
        postgres = MovingPostgres(Path(folder), blank_data)
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, timeout=60) as client:
        yield client
