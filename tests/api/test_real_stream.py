"""A live stream over the real Triton and the real database."""

import json
import time
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import InvalidStatus

from tests.api.long_recordings import RATE_HZ, long_recording
from tests.api.real import ask, assert_prediction
from tests.api.streams import SECOND, end, of, open_stream, pcm, read, read_until, seconds
from tests.api.test_real_degraded import BRANCH_MODELS, without
from tests.conftest import Locked, Stack
from tests.recordings import encoded

SAMPLES, SAID = long_recording(2)
SPOKEN = pcm(SAMPLES)


def test_each_segment_is_answered_as_if_it_came_alone(api: httpx.Client, stack: Stack) -> None:
    with open_stream(stack.api_url) as stream:
        for said in SAID:
            text = {"type": "text", "start": said.start_s, "end": said.end_s, "text": said.text}
            stream.send(json.dumps(text))
        for piece in seconds(SPOKEN):
            stream.send(piece)
        told = end(stream)
    segments, last = of(told, "segment"), told[-1]
    assert (last["segments"], last["failed"], last["dropped"]["segments"]) == (len(segments), 0, 0)
    assert {one["text"] for one in segments} >= {said.text for said in SAID}
    for one in segments:
        assert_prediction(one)
        start, stop = (round(one[name] * RATE_HZ) for name in ("start", "end"))
        clip = encoded(SAMPLES[start:stop], RATE_HZ, "WAV", "PCM_16")
        alone = ask(api, one["text"], clip).json()
        assert one["modality"] == alone["modality"]
        assert one["all_scores"] == pytest.approx(alone["all_scores"], abs=2e-3)
    assert_prediction(last["overall"])
    assert_in_the_log(stack, last, segments)


def assert_in_the_log(stack: Stack, last: dict[str, Any], segments: list[dict[str, Any]]) -> None:
    with psycopg.connect(stack.database_url) as connection:
        query = "SELECT id::text FROM emotion_logs WHERE recording_id = %s ORDER BY start_s"
        stored = [one for (one,) in connection.execute(query, [last["id"]])]
    assert stored == [one["id"] for one in segments]


def test_as_fast_as_it_is_spoken(stack: Stack) -> None:
    """Each window's result comes before a few more seconds have passed."""
    with open_stream(stack.api_url) as stream:
        began_s = time.monotonic()
        for number, piece in enumerate(seconds(SPOKEN[: 4 * SECOND], 0.25), 1):
            stream.send(piece)
            time.sleep(max(0.0, began_s + number / 4 - time.monotonic()))
        told = end(stream)
    results = [one for one in told if one["type"] in ("window", "silence")]
    assert len(results) + told[-1]["dropped"]["windows"] == 4
    assert of(told, "window")
    assert all(0 < one["latency_ms"] < 20_000 for one in of(told, "window"))


def test_triton_goes_and_comes_back(stack: Stack) -> None:
    with open_stream(stack.api_url) as stream:
        with without(stack, *BRANCH_MODELS["audio"][:1]):
            for piece in seconds(SPOKEN[: 9 * SECOND]):
                stream.send(piece)
            failed = read_until(stream, "error")[-1]
            assert failed["code"] == "model_unavailable"
            assert "ensemble" not in failed["detail"]
        for piece in seconds(SPOKEN[9 * SECOND :]):
            stream.send(piece)
        told = end(stream)
    assert told[-1]["segments"] >= 1


def test_keys(locked: Locked) -> None:
    for headers in ({}, {"Authorization": "Bearer ns_wrong"}):
        with pytest.raises(InvalidStatus) as raised:
            open_stream(locked.api_url, additional_headers=headers)
        assert raised.value.response.status_code == 401
    with open_stream(
        locked.api_url, additional_headers={"Authorization": f"Bearer {locked.key}"}
    ) as stream:
        stream.send(bytes(SECOND))
        assert read(stream)["type"] == "silence"
        end(stream)
