"""Long recordings over the real Triton, the real database and the real decoder."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import psycopg
import pytest
import soundfile
import tritonclient.grpc as triton

from api.app import create_app
from api.settings import Settings
from tests.api.long_recordings import RATE_HZ, as_json, as_vtt, flac, long_recording, shifted
from tests.api.real import ask, assert_prediction
from tests.api.servers import serve
from tests.conftest import Stack
from tests.e2e.test_batching import executions
from tests.processes import each, family
from tests.recordings import encoded
from tests.waiting import wait_for

SAMPLES, SAID = long_recording(24)


def send(api: httpx.Client, audio: Any, **fields: Any) -> dict[str, Any]:
    files = {"audio": ("call", audio)} | {name: (None, value) for name, value in fields.items()}
    response = api.post("/analyze/timeline", files=files, timeout=280)
    assert response.is_success, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_minutes_with_a_transcript_that_is_late(api: httpx.Client, stack: Stack) -> None:
    late = shifted(SAID, 2.0)
    answer = send(api, flac(SAMPLES), transcript=as_vtt(late))
    assert answer["duration_s"] > 120
    assert answer["alignment"]["offset_s"] == pytest.approx(-2, abs=0.2)
    assert answer["alignment"]["drift_ppm"] is None
    assert answer["failed"] == 0
    for segment, said in zip(answer["segments"], SAID, strict=True):
        assert segment["start"] == pytest.approx(said.start_s, abs=0.2)
        assert set(segment["result"]["sub_results"]) == {"text", "audio"}
        assert_prediction(segment["result"])
    assert_prediction(answer["overall"])
    assert_weighted(answer["overall"], answer["segments"])
    for name, speaker in answer["speakers"].items():
        assert_weighted(speaker, [one for one in answer["segments"] if one["speaker"] == name])
    with psycopg.connect(stack.database_url) as connection:
        query = "SELECT count(*) FROM emotion_logs WHERE recording_id = %s OR id = %s"
        found = connection.execute(query, [answer["id"], answer["id"]]).fetchone()
    assert found == (len(SAID) + 1,)


def assert_weighted(mean: dict[str, Any], segments: list[dict[str, Any]]) -> None:
    lengths = [one["end"] - one["start"] for one in segments]
    for emotion, score in mean["all_scores"].items():
        scores = [one["result"]["all_scores"][emotion] for one in segments]
        assert score == pytest.approx(np.average(scores, weights=lengths), abs=1e-6)


def test_a_segment_is_answered_as_if_it_came_alone(api: httpx.Client) -> None:
    samples, said = long_recording(3)
    answer = send(api, flac(samples), segments=json.dumps(as_json(said)), align="off")
    for segment, one in zip(answer["segments"], said, strict=True):
        start, end = (round(segment[name] * RATE_HZ) for name in ("start", "end"))
        assert (start / RATE_HZ, end / RATE_HZ) == pytest.approx((one.start_s, one.end_s), abs=1e-3)
        clip = samples[start:end]
        alone = ask(api, one.text, encoded(clip, RATE_HZ, "WAV", "PCM_16")).json()
        assert segment["result"]["all_scores"] == pytest.approx(alone["all_scores"], abs=1e-4)


def settled(client: Any) -> tuple[int, int]:
    """Return what the text model has done, once what others asked before is counted too."""
    found = [executions(client, "text_classifier")]

    def stays() -> bool:
        time.sleep(0.5)
        found.append(executions(client, "text_classifier"))
        return found[-1] == found[-2]

    wait_for(stays)
    return found[-1]


def test_segments_of_one_recording_share_executions(stack: Stack) -> None:
    settings = Settings(
        DATABASE_URL=stack.database_url, triton_grpc_url=stack.triton_grpc,
        max_concurrent_requests=64,  # a recording has a quarter of it under way at once
    )  # fmt: skip
    count = 48
    cues = [{"start": n / 2, "end": n / 2 + 0.4, "text": f"Sentence {n}."} for n in range(count)]
    counted = triton.InferenceServerClient(stack.triton_grpc)
    answered, executed = settled(counted)
    with serve(create_app(settings)) as client:
        sent = {"segments": json.dumps(cues), "align": "off"}
        answer = send(client, flac(SAMPLES[: count // 2 * RATE_HZ]), **sent)
    assert answer["failed"] == 0
    answered_now, executed_now = executions(counted, "text_classifier", answered + count)
    assert answered_now - answered == count
    assert executed_now - executed < count


def test_other_rates_and_channels(api: httpx.Client) -> None:
    samples, said = long_recording(3)
    stereo = np.repeat(np.stack([samples, samples], axis=1), 2, axis=0)  # 32 kHz, crudely
    answer = send(api, encoded(stereo, 32_000, "OGG"), segments=json.dumps(as_json(said)))
    assert answer["duration_s"] == pytest.approx(len(samples) / RATE_HZ, abs=0.1)
    assert answer["alignment"]["status"] == "kept"
    assert answer["failed"] == 0


@pytest.fixture
def two_hours(tmp_path: Path) -> Path:
    """Almost two hours of silence with ten sentences in them."""
    path = tmp_path / "long.wav"
    samples, _ = long_recording(1)
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        for _ in range(10):
            file.write(samples)
            for _ in range(11):
                file.write(np.zeros(60 * RATE_HZ, np.float32))
    return path


@pytest.mark.slow  # hours
def test_two_hours_take_little_memory(api: httpx.Client, stack: Stack, two_hours: Path) -> None:
    process = next(
        one for one, words in each(family(stack.pid), psutil.Process.cmdline)
        if "api" in words or "api.__main__" in words
    )  # fmt: skip
    before, most, done = process.memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], process.memory_info().rss)
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with two_hours.open("rb") as file:
            answer = send(api, file)
    finally:
        done.set()
        watcher.join()
    assert two_hours.stat().st_size > 200e6
    assert 6600 < answer["duration_s"] < 7200
    assert len(answer["segments"]) >= 10
    assert most[0] - before < 150e6  # the upload has 210 MB, and its samples as many
    assert most[0] < 400e6
