"""What the tests of the endpoints share."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.api.fakes import GOOD_AUDIO

Rows = Callable[[], list[dict[str, Any]]]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WAV = {"audio": ("a.wav", GOOD_AUDIO, "audio/wav")}


def upper(scores: Any) -> dict[str, float]:
    return {emotion.upper(): score for emotion, score in scores.items()}


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert set(response.json()) == {"detail", "code"}
    assert response.json()["code"] == code
    assert response.json()["detail"]
