"""Rows equal answers; a database that goes away, hangs, and comes back."""

import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api.app import create_app
from api.log import PredictionLog
from api.settings import Settings
from tests.api.fakes import GOOD_AUDIO, FakeModels
from tests.api.servers import MovingPostgres, read_rows, serve

WAV = {"audio": ("a.wav", GOOD_AUDIO)}


def assert_row_equals(row: dict[str, Any], answer: dict[str, Any]) -> None:
    assert str(row["id"]) == answer["id"]
    same = ("modality", "top_emotion", "confidence", "all_scores", "latency_ms", "degraded")
    for name in (*same, "models"):
        assert row[name] == answer[name], name
    if "fusion_weights" in answer:
        assert row["fusion_weights"] == answer["fusion_weights"]


def test_rows_equal_answers(client: httpx.Client, rows: Any) -> None:
    bad = {"audio": ("a.wav", b"no audio")}
    answers = [
        client.post("/analyze/text", data={"text": "hm"}).json(),
        client.post("/analyze/audio", files=WAV).json(),
        client.post("/analyze/multimodal", data={"text": "hm"}, files=WAV).json(),
        client.post("/analyze/multimodal", data={"text": "hm"}).json(),
        client.post("/analyze/multimodal", files=WAV).json(),
        client.post("/analyze/multimodal", data={"text": "hm"}, files=bad).json(),
    ]
    found = rows()
    assert len(found) == len(answers)
    for row, answer in zip(found, answers, strict=True):
        assert_row_equals(row, answer)
        assert row["input_text"] is None
        assert row["created_at"].tzinfo is not None
    assert found[0]["fusion_weights"] == {"text": 1.0, "audio": 0.0}
    assert found[5]["degraded"]["modality"] == "audio"


def test_text_is_stored_only_when_asked_for(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, store_input_text=True)
    with serve(create_app(settings, lambda _: own_models)) as client:
        client.post("/analyze/text", data={"text": "a\0b 👋"})
        client.post("/analyze/audio", files=WAV)
        both = {"text": (None, b"\xff"), **WAV}
        assert client.post("/analyze/multimodal", files=both).json()["degraded"]
    stored = [row["input_text"] for row in read_rows(database_url)]
    assert stored == ["a\u2400b 👋", None, "\ufffd"]


def test_many_at_once_with_few_connections(database_url: str, own_models: FakeModels) -> None:
    from concurrent.futures import ThreadPoolExecutor

    settings = Settings(DATABASE_URL=database_url, database_connections=2)
    with serve(create_app(settings, lambda _: own_models)) as client:

        def ask(text: str) -> dict[str, Any]:
            answer: dict[str, Any] = client.post("/analyze/text", data={"text": text}).json()
            return answer

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(ask, map(str, range(64))))
    ids = {str(row["id"]) for row in read_rows(database_url)}
    assert ids == {answer["id"] for answer in answers}


def ask_until(client: httpx.Client, status: int, seconds: float) -> httpx.Response:
    """Ask until the answer has this status; fails after a while."""
    deadline = time.monotonic() + seconds
    while True:
        response = client.post("/analyze/text", data={"text": "hm"})
        if response.status_code == status or time.monotonic() > deadline:
            assert response.status_code == status, response.text
            return response
        time.sleep(0.1)


def test_database_goes_away_and_comes_back(
    moving_postgres: MovingPostgres, own_models: FakeModels
) -> None:
    settings = Settings(DATABASE_URL=moving_postgres.url, log_timeout_s=1)
    with serve(create_app(settings, lambda _: own_models)) as client:
        before = ask_until(client, 200, 0).json()
        moving_postgres.stop()
        gone = ask_until(client, 503, 0)
        assert gone.json()["code"] == "log_unavailable"
        assert int(gone.headers["retry-after"]) > 0
        assert gone.elapsed.total_seconds() < 5
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert "database" in ready.json()["detail"]
        assert client.get("/health").is_success
        moving_postgres.start()
        after = ask_until(client, 200, 30).json()
        assert client.get("/health/ready").is_success
        moving_postgres.stop()
        moving_postgres.start()
        # A restart between two requests costs none of them anything.
        last = ask_until(client, 200, 0).json()
        ids = [str(row["id"]) for row in read_rows(moving_postgres.url)]
    assert ids == [before["id"], after["id"], last["id"]]


def test_database_that_hangs(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, log_timeout_s=0.5)
    with serve(create_app(settings, lambda _: own_models)) as client:
        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE emotion_logs")
            response = client.post("/analyze/text", data={"text": "hm"})
            assert (response.status_code, response.json()["code"]) == (503, "log_unavailable")
        answer = ask_until(client, 200, 30).json()
    assert [str(row["id"]) for row in read_rows(database_url)] == [answer["id"]]


def test_readiness_is_quick_beside_a_database_that_is_silent(
    moving_postgres: MovingPostgres, own_models: FakeModels
) -> None:
    settings = Settings(DATABASE_URL=moving_postgres.url)
    with (
        tempfile.TemporaryDirectory(prefix="neurosense-") as folder,
        socket.socket(socket.AF_UNIX) as silent,
    ):
        silent.bind(str(Path(folder) / ".s.PGSQL.5432"))
        silent.listen()
        with serve(create_app(settings, lambda _: own_models)) as client:
            moving_postgres.stop()
            moving_postgres.point_at(Path(folder))
            for _ in range(2):
                response = client.get("/health/ready")
                assert response.status_code == 503
                assert "database" in response.json()["detail"]
                assert response.elapsed.total_seconds() < 2


def test_a_start_without_database_names_the_variable(own_models: FakeModels) -> None:
    import asyncio

    log = PredictionLog("postgresql://127.0.0.1:1/x", 1, 1)
    with pytest.raises(psycopg.OperationalError, match="DATABASE_URL"):
        asyncio.run(log.open(start_timeout_s=0.1))
