import socket
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api import VERSION
from api.app import create_app
from api.settings import Settings
from tests.api.fakes import FakeModels, down
from tests.api.servers import serve
from tests.waiting import wait_for


def test_root(client: httpx.Client) -> None:
    assert client.get("/").json() == {
        "service": "neurosense",
        "status": "ok",
        "version": VERSION,
        "models": {
            "text": {"name": "fake-text", "version": "3", "weights": "local"},
            "audio": {"name": "fake-audio", "version": "2", "weights": "hub"},
        },
        "trial": None,
    }


def test_health_says_whose_weights_answer(client: httpx.Client, models: FakeModels) -> None:
    health = client.get("/health").json()
    assert health["status"] == "ok"
    age = datetime.now(UTC) - datetime.fromisoformat(health["timestamp"])
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert health["weights"] == {"text": "local", "audio": "hub"}
    models.faults["audio"] = down()
    assert client.get("/health").json()["weights"] == {"text": "local", "audio": None}


def test_live_and_ready(client: httpx.Client, models: FakeModels) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
    wait_for(lambda: client.get("/health/ready").json() == {"status": "ok", "log": "ok"})
    models.faults["audio"] = down()
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {"detail": "missing: model emotion_audio", "code": "not_ready"}
    assert int(response.headers["retry-after"]) > 0
    assert client.get("/health/live").is_success


def test_who_is_asked_has_less_than_a_second(
    client: httpx.Client, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_s: dict[str, float] = {}

    async def loaded(timeout_s: float) -> dict[str, object]:
        given_s["loaded"] = timeout_s
        return {}

    async def missing(timeout_s: float) -> list[str]:
        given_s["missing"] = timeout_s
        return []

    monkeypatch.setattr(models, "loaded", loaded)
    monkeypatch.setattr(models, "missing", missing)
    for path, asked in (("/", "loaded"), ("/health", "loaded"), ("/health/ready", "missing")):
        assert client.get(path).is_success
        assert 0 < given_s.pop(asked) < 1


def test_a_triton_that_is_silent_holds_up_nothing(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = Settings(
            DATABASE_URL=database_url, triton_grpc_url=address, request_timeout_s=0.5
        )
        with serve(create_app(settings)) as client:
            answers = {path: client.get(path) for path in ("/", "/health", "/health/ready")}
            response = client.post("/analyze/text", data={"text": "hm"})
    # Without a limit it would be gRPC that gives up, after 20 s.
    assert max(answer.elapsed.total_seconds() for answer in answers.values()) < 10
    assert answers["/"].json()["models"] == {"text": None, "audio": None}
    assert answers["/health"].json()["weights"] == {"text": None, "audio": None}
    missing = "missing: model emotion_text, model emotion_audio, model emotion_multimodal"
    assert answers["/health/ready"].json() == {"detail": missing, "code": "not_ready"}
    assert response.json()["code"] in ("timeout", "model_unavailable")
    assert response.status_code in (503, 504)
