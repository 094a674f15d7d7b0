"""A batch over the real Triton and the real database."""

import httpx
import psycopg
import pytest

from export.real_inputs import RECORDINGS
from tests.api.real import NOT_AUDIO, assert_prediction, log_row
from tests.conftest import Stack
from tests.recordings import wav

SENTENCES = ("I love this!", "I am furious with you", "It is a table.", "I miss her so much")


def test_each_item_is_answered_as_if_it_came_alone(api: httpx.Client, stack: Stack) -> None:
    clips = [recording.read_bytes() for recording in RECORDINGS[:3]] + [wav(), NOT_AUDIO]
    sent = [("text", (None, sentence.encode())) for sentence in SENTENCES]
    sent += [("audio", ("clip", clip)) for clip in clips]  # type: ignore[misc]
    answer = api.post("/analyze/batch", files=sent).json()
    *answered, failed = answer["results"]
    assert answer["failed"] == 1
    assert failed["code"] == "audio_undecodable"
    alone = [api.post("/analyze/text", json={"text": one}).json() for one in SENTENCES]
    alone += [api.post("/analyze/audio", files={"audio": one}).json() for one in clips[:-1]]
    for one, other in zip(answered, alone, strict=True):
        assert_prediction(one)
        assert one["all_scores"] == pytest.approx(other["all_scores"], abs=1e-4)
        assert log_row(stack, one)["all_scores"] == one["all_scores"]


def test_64_texts_are_64_rows(api: httpx.Client, stack: Stack) -> None:
    response = api.post("/analyze/batch", json={"texts": [f"{n} of us" for n in range(64)]})
    assert response.json()["failed"] == 0
    with psycopg.connect(stack.database_url) as connection:
        query = "SELECT count(*) FROM emotion_logs WHERE request_id = %s"
        found = connection.execute(query, [response.headers["X-Request-ID"]]).fetchone()
    assert found == (64,)
