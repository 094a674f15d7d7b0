"""Every error has one shape, and the status that a client can act on."""

from typing import Any

import httpx
import pytest

from api.app import create_app
from api.errors import InputError
from api.settings import Settings
from tests.api.asking import FORM, WAV, Rows, assert_problem
from tests.api.fakes import GOOD_AUDIO, FakeModels
from tests.api.servers import serve


@pytest.mark.parametrize("weight", ["2", "-0.1", "nan", "inf", "-inf", "abc", "1e400", "0.5,", "é"])
def test_bad_weight(client: httpx.Client, weight: str, rows: Rows) -> None:
    data = {"text": "hm", "text_weight": weight}
    assert_problem(client.post("/analyze/multimodal", data=data), 422, "text_weight_invalid")
    assert rows() == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("text", {"data": {"other": "x"}}, 422, "text_missing"),
        ("text", {}, 422, "text_missing"),
        ("text", {"data": {"text": ""}}, 422, "text_empty"),
        ("text", {"data": {"text": " \t\n"}}, 422, "text_empty"),
        ("text", {"json": {"text": ""}}, 422, "text_empty"),
        ("text", {"json": {"text": 5}}, 422, "invalid_request"),
        ("text", {"json": {"text": None}}, 422, "invalid_request"),
        ("text", {"json": {}}, 422, "invalid_request"),
        ("text", {"json": ["text"]}, 422, "invalid_request"),
        ("text", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400,
         "malformed_body"),
        ("text", {"content": b"", "headers": {"Content-Type": "application/json"}}, 400,
         "malformed_body"),
        ("text", {"content": b'{"text": "\xff"}', "headers": {"Content-Type": "application/json"}},
         400, "malformed_body"),
        ("text", {"content": b'{"text": "\\ud800"}',
                  "headers": {"Content-Type": "application/json"}}, 400, "malformed_body"),
        ("text", {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400,
         "malformed_body"),
        ("text", {"content": b"text=%ff", "headers": FORM}, 422, "text_invalid"),
        ("text", {"content": b"text=\xff", "headers": FORM}, 422, "text_invalid"),
        ("text", {"files": {"text": (None, b"\xff")}}, 422, "text_invalid"),
        ("text", {"content": b"hello", "headers": {"Content-Type": "text/plain"}}, 415,
         "unsupported_media_type"),
        ("text", {"content": b"hello"}, 415, "unsupported_media_type"),
        ("text", {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400,
         "malformed_body"),
        ("text", {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
         400, "malformed_body"),
        ("audio", {"data": {"text": "x"}}, 422, "audio_missing"),
        ("audio", {"files": {"audio": ("", b"")}}, 422, "audio_missing"),
        ("audio", {"files": {"audio": ("a.wav", b"")}}, 422, "audio_empty"),
        ("audio", {"files": {"audio": ("a.wav", b"text")}}, 422, "audio_undecodable"),
        ("audio", {"json": {"audio": "x"}}, 415, "unsupported_media_type"),
        ("audio", {"content": GOOD_AUDIO, "headers": {"Content-Type": "audio/wav"}}, 415,
         "unsupported_media_type"),
        ("multimodal", {}, 422, "nothing_to_analyze"),
        ("multimodal", {"data": {"text": ""}}, 422, "nothing_to_analyze"),
        ("multimodal", {"files": {"audio": ("", b"")}}, 422, "nothing_to_analyze"),
        ("multimodal", {"files": {"audio": ("a.wav", b"")}}, 422, "audio_empty"),
        ("multimodal", {"data": {"text": "  "}}, 422, "text_empty"),
        ("multimodal", {"json": {"text": "x"}}, 415, "unsupported_media_type"),
    ],
)  # fmt: skip
def test_bad_input(
    client: httpx.Client, path: str, body: dict[str, Any], status: int, code: str, rows: Rows
) -> None:
    assert_problem(client.post(f"/analyze/{path}", **body), status, code)
    assert rows() == []


def test_limits_of_the_parts(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, max_text_bytes=10, max_upload_bytes=20)
    with serve(create_app(settings, lambda _: own_models)) as client:
        assert client.post("/analyze/text", data={"text": "é" * 5}).is_success
        response = client.post("/analyze/text", data={"text": "é" * 5 + "x"})
        assert_problem(response, 413, "text_too_large")
        fits, over = GOOD_AUDIO.ljust(20), GOOD_AUDIO.ljust(21)
        assert client.post("/analyze/audio", files={"audio": ("a", fits)}).is_success
        response = client.post("/analyze/audio", files={"audio": ("a", over)})
        assert_problem(response, 413, "audio_too_large")
        data, files = {"text": "x"}, {"audio": ("a", over)}
        response = client.post("/analyze/multimodal", data=data, files=files)
        assert_problem(response, 413, "audio_too_large")


def test_other_errors_have_the_shape_too(client: httpx.Client) -> None:
    assert_problem(client.get("/nowhere"), 404, "not_found")
    response = client.get("/analyze/text")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_the_unexpected_is_a_500_that_shows_nothing(
    client: httpx.Client,
    models: FakeModels,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def explode(*_: Any) -> None:
        raise RuntimeError(" ".join(["what", "the", "user", "sent"]))

    monkeypatch.setattr(models, "text", explode)
    response = client.post("/analyze/text", data={"text": "secret words"})
    assert_problem(response, 500, "internal")
    assert "what the user sent" not in response.text
    assert "RuntimeError" in caplog.text
    assert "what the user sent" not in caplog.text


def test_logs_hold_no_user_data(
    client: httpx.Client, models: FakeModels, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="neurosense")
    models.faults["audio"] = InputError("audio_undecodable", "no")
    client.post("/analyze/multimodal", data={"text": "my secret"}, files=WAV)
    client.post("/analyze/text", json={"text": ["my secret"]})
    assert "my secret" not in caplog.text
