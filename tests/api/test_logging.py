"""The lines that the process writes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.api.fakes import GOOD_AUDIO
from tests.api.process import EXPLODING, api_process

REQUEST = {"time", "level", "logger", "request_id", "message", "route", "method", "status",
           "duration_ms"}  # fmt: skip


def by_id(log: str) -> dict[str, list[dict[str, Any]]]:
    lines = [json.loads(line) for line in log.splitlines()]
    assert lines
    return {
        identity: [line for line in lines if line["request_id"] == identity]
        for identity in {line["request_id"] for line in lines}
    }


def test_json_has_an_object_for_every_request(database_url: str, tmp_path: Path) -> None:
    settings = {"NEUROSENSE_LOG_FORMAT": "json"}
    with api_process(database_url, tmp_path / "log", **settings) as api:
        for identity, text in (("good", "a"), ("empty", ""), ("broken", EXPLODING)):
            headers = {"X-Request-ID": identity}
            api.client.post("/analyze/text", data={"text": text}, headers=headers)
        api.client.get("/nowhere/at/all", headers={"X-Request-ID": "lost"})
        lines = by_id(api.stop())
    found = {i: lines[i][-1] for i in ("good", "empty", "broken", "lost")}
    assert {i: line["status"] for i, line in found.items()} == {
        "good": 200, "empty": 422, "broken": 500, "lost": 404,
    }  # fmt: skip
    assert all(set(line) == REQUEST for line in found.values())
    assert {found["good"][key] for key in ("method", "route", "level")} == {
        "POST", "/analyze/text", "info",
    }  # fmt: skip
    assert found["lost"]["route"] == "unmatched"
    assert found["good"]["duration_ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["good"]["time"])
    # The error says where it happened, under the request's id.
    [error, _] = lines["broken"]
    assert error["level"] == "error"
    assert "ValueError" in error["message"]
    assert "process.py" in error["message"]
    # uvicorn's own lines have the same form, and there is one line for each request.
    assert any(line["logger"] == "uvicorn.error" for line in lines[None])  # type: ignore[index]
    assert [len(lines[i]) for i in ("good", "empty", "lost")] == [1, 1, 1]


def test_text_is_the_default(database_url: str, tmp_path: Path) -> None:
    with api_process(database_url, tmp_path / "log") as api:
        headers = {"X-Request-ID": "my-id"}
        api.client.post("/analyze/audio", files={"audio": GOOD_AUDIO}, headers=headers)
        log = api.stop()
    assert re.search(r"Z INFO neurosense\.access \[my-id\] POST /analyze/audio 200 [\d.]+ ms$", log,
                     re.MULTILINE)  # fmt: skip
    assert re.search(r"Z INFO uvicorn\.error Application startup complete\.$", log, re.MULTILINE)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_warnings_only(database_url: str, tmp_path: Path, log_format: str) -> None:
    settings = {"NEUROSENSE_LOG_LEVEL": "warning", "NEUROSENSE_LOG_FORMAT": log_format}
    with api_process(database_url, tmp_path / "log", **settings) as api:
        api.client.post("/analyze/text", data={"text": "a"})
        assert api.stop() == ""
