"""What the tests against the whole real system share."""

import io
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
import soundfile
from psycopg.rows import dict_row

from tests.conftest import Stack

NOT_AUDIO = b"This is a text and no recording at all. " * 100


def ask(
    api: httpx.Client, text: str | bytes | None = None, audio: bytes | None = None, **data: str
) -> httpx.Response:
    """Send a multimodal form; what is None is not sent."""
    fields: list[tuple[str, Any]] = [(name, (None, value)) for name, value in data.items()]
    if text is not None:
        fields.append(("text", (None, text)))
    if audio is not None:
        fields.append(("audio", ("clip.wav", audio, "audio/wav")))
    return api.post("/analyze/multimodal", files=fields)


def assert_problem(response: httpx.Response, status: int, *codes: str) -> None:
    assert response.status_code == status, response.text
    assert set(response.json()) == {"detail", "code"}
    assert response.json()["code"] in codes


def assert_prediction(answer: dict[str, Any]) -> None:
    scores = list(answer["all_scores"].values())
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-5)
    assert answer["confidence"] == scores[0]
    assert answer["top_emotion"] == next(iter(answer["all_scores"]))


def log_row(stack: Stack, answer: dict[str, Any]) -> dict[str, Any]:
    with psycopg.connect(stack.database_url, row_factory=dict_row) as connection:
        query = "SELECT * FROM emotion_logs WHERE id = %s"
        row = connection.execute(query, [answer["id"]]).fetchone()
    assert row is not None
    return row


def long_zeros() -> bytes:
    """Hours of silence, in a file that is small."""
    packed = io.BytesIO()
    minute = np.zeros(60 * 8000, dtype=np.int16)
    with soundfile.SoundFile(packed, "w", 8000, 1, format="FLAC") as file:
        for _ in range(3 * 60):
            file.write(minute)
    assert len(packed.getvalue()) < 2**20
    return packed.getvalue()
