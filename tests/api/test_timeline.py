"""A long recording with models that know one answer: what is asked, told, stored and refused."""

import asyncio
import errno
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from api.app import create_app
from api.models import FusedResult
from api.settings import Settings
from tests.api.asking import Rows, assert_problem
from tests.api.conftest import Shared
from tests.api.fakes import FakeModels, down
from tests.api.long_recordings import as_json, as_srt, as_vtt, flac, long_recording, shifted
from tests.api.servers import serve
from tests.waiting import wait_for

SAMPLES, SAID = long_recording(6)
AUDIO = flac(SAMPLES)


def post(client: httpx.Client, accept: str = "*/*", **fields: Any) -> httpx.Response:
    files = {"audio": ("call.flac", AUDIO)} | {
        name: value if isinstance(value, tuple) else (None, value) for name, value in fields.items()
    }
    return client.post("/analyze/timeline", files=files, headers={"Accept": accept}, timeout=120)


@pytest.mark.parametrize("way", ["vtt", "srt", "json"])
def test_with_a_transcript(client: httpx.Client, models: FakeModels, rows: Rows, way: str) -> None:
    late = shifted(SAID, 2.0)
    ways: dict[str, dict[str, Any]] = {
        "vtt": {"transcript": ("a.vtt", as_vtt(late).encode())},
        "srt": {"transcript": ("a.srt", as_srt(late).encode())},
        "json": {"segments": json.dumps(as_json(late))},
    }
    response = post(client, text_weight="0.3", **ways[way])
    assert response.is_success, response.text
    answer = response.json()
    assert answer["alignment"]["status"] == "corrected"
    assert answer["alignment"]["offset_s"] == pytest.approx(-2, abs=0.2)
    assert answer["alignment"]["confidence"] > 0.7
    for segment, said in zip(answer["segments"], SAID, strict=True):
        assert (segment["text"], segment["speaker"]) == (said.text, said.speaker)
        assert segment["start"] == pytest.approx(said.start_s, abs=0.2)
        assert segment["result"]["modality"] == "multimodal_fused"
    assert {call[1] for call in models.calls if call[0] == "multimodal"} == {
        said.text.encode() for said in SAID
    }
    assert list(answer["speakers"]) == ["A", "B"]
    assert sum(one["seconds"] for one in answer["speakers"].values()) == pytest.approx(
        sum(said.end_s - said.start_s for said in SAID), abs=0.1
    )
    assert answer["overall"]["all_scores"] == pytest.approx(
        answer["segments"][0]["result"]["all_scores"]  # the fakes know one answer
    )
    assert_linked(answer, rows())


def assert_linked(answer: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    *segments, whole = rows
    assert str(whole["id"]) == answer["id"]
    assert (whole["modality"], whole["recording_id"], whole["start_s"]) == ("timeline", None, 0)
    assert whole["end_s"] == answer["duration_s"]
    stored = {str(row["id"]): row for row in segments}
    assert len(stored) == len(answer["segments"])
    for segment in answer["segments"]:
        row = stored[segment["result"]["id"]]
        assert str(row["recording_id"]) == answer["id"]
        assert (row["start_s"], row["end_s"]) == (segment["start"], segment["end"])
        assert row["speaker"] is None  # only with NEUROSENSE_STORE_INPUT_TEXT
        assert row["request_id"] == whole["request_id"]


def test_the_log_shows_them(client: httpx.Client) -> None:
    answer = post(client).json()
    page = client.get("/predictions").json()["predictions"]
    assert page[0]["id"] == answer["id"]
    assert {one["recording_id"] for one in page[1:]} == {answer["id"]}
    found = client.get("/stats").json()
    assert (found["recordings"], found["total"]) == (1, len(answer["segments"]))


def test_align_off_leaves_the_times(client: httpx.Client) -> None:
    late = shifted(SAID, 0.9)
    answer = post(client, segments=json.dumps(as_json(late)), align="off").json()
    assert answer["alignment"]["status"] == "off"
    starts = [one["start"] for one in answer["segments"]]
    assert starts == pytest.approx([one.start_s for one in late], abs=1e-3)


def test_without_a_transcript_speech_is_found(client: httpx.Client) -> None:
    answer = post(client).json()
    assert answer["alignment"]["status"] == "no_transcript"
    assert {one["result"]["modality"] for one in answer["segments"]} == {"audio_only"}
    for said in SAID:
        found = [
            one for one in answer["segments"]
            if one["start"] < said.end_s - 0.3 and one["end"] > said.start_s + 0.3
        ]  # fmt: skip
        assert found[0]["start"] == pytest.approx(said.start_s, abs=0.4)
        assert found[-1]["end"] == pytest.approx(said.end_s, abs=0.4)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_lines(client: httpx.Client) -> None:
    response = post(client, "application/x-ndjson", segments=json.dumps(as_json(SAID)))
    assert response.headers["content-type"].startswith("application/x-ndjson")
    told = events(response)
    kinds = [one["event"] for one in told]
    assert kinds[0] == "progress"
    assert kinds[-1] == "summary"
    assert kinds.count("alignment") == 1
    [waveform] = [one for one in told if one["event"] == "waveform"]
    pictured_s = len(waveform["peaks"]) * waveform["step_s"]
    assert pictured_s == pytest.approx(len(SAMPLES) / 16_000, abs=0.1)
    assert max(waveform["peaks"]) == pytest.approx(abs(SAMPLES).max(), abs=1e-3)
    segments = [one for one in told if one["event"] == "segment"]
    assert [one["number"] for one in segments] == list(range(len(SAID)))
    last = [one for one in told if one["event"] == "progress"][-1]
    assert (last["stage"], last["done"], last["total"]) == ("analysing", 6, 6)


def test_server_sent_events(client: httpx.Client) -> None:
    response = post(client, "text/event-stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.strip().split("\n\n")
    for block in blocks:
        name, data = block.split("\n")
        assert json.loads(data.removeprefix("data: "))["event"] == name.removeprefix("event: ")
    assert blocks[-1].startswith("event: summary\n")


def test_results_come_while_others_are_still_missing(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    fused = shared.models.multimodal

    async def slow(*asked: Any) -> FusedResult:
        if asked[0] == b"This is sentence 5.":
            while "go on" not in seen:
                await asyncio.sleep(0.01)
        return await fused(*asked)

    monkeypatch.setattr(shared.models, "multimodal", slow)
    files: Any = {"audio": ("a", AUDIO), "segments": (None, json.dumps(as_json(SAID)))}
    accept = {"Accept": "application/x-ndjson"}
    found = 0
    with shared.client.stream("POST", "/analyze/timeline", files=files, headers=accept) as answer:
        for line in answer.iter_lines():
            found += json.loads(line)["event"] == "segment"
            if found == 5:
                seen.append("go on")
    assert found == 6


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_a_client_that_leaves_cancels_the_rest(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    seen: list[str] = []

    async def hang(*_: Any) -> FusedResult:
        seen.append("started")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")
        raise AssertionError

    monkeypatch.setattr(shared.models, "multimodal", hang)
    client = shared.client
    with leaving(client, accept):
        wait_for(lambda: len(seen) >= 4, instead=lambda: seen)
    wait_for(lambda: len(seen) >= 8, instead=lambda: seen)
    monkeypatch.undo()
    time.sleep(0.2)
    assert sorted(seen) == ["ended"] * 4 + ["started"] * 4
    for _ in range(3):  # all places are given back
        assert post(client).is_success


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_what_was_answered_before_a_client_left_has_the_recordings_row(
    shared: Shared, rows: Rows, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    answered, seen = shared.models.multimodal, list[str]()

    async def some(*asked: Any) -> FusedResult:
        if asked[0] in (b"This is sentence 0.", b"This is sentence 2."):
            return await answered(*asked)
        seen.append("started")
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(shared.models, "multimodal", some)
    with leaving(shared.client, accept):
        wait_for(lambda: len(seen) >= 3, instead=lambda: seen)
        wait_for(lambda: len(rows()) >= 2)
    wait_for(lambda: len(rows()) >= 3)
    *segments, whole = rows()
    assert (whole["modality"], whole["degraded"]["code"]) == ("timeline", "incomplete")
    assert {row["recording_id"] for row in segments} == {whole["id"]}
    assert {row["request_id"] for row in segments} == {whole["request_id"]} != {None}
    assert whole["end_s"] == max(row["end_s"] for row in segments)
    assert sorted(whole["models"]) == ["audio", "text"]


@contextmanager
def leaving(client: httpx.Client, accept: str) -> Iterator[None]:
    """Send a recording with its segments, and close the connection after the block."""
    files: Any = {"audio": ("a", AUDIO), "segments": (None, json.dumps(as_json(SAID)))}
    request = client.build_request("POST", "/analyze/timeline", files=files)
    kind, body = request.headers["content-type"], request.read()
    head = f"POST /analyze/timeline HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    head += f"Accept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as leaver:
        leaver.sendall(head.encode() + body)
        yield


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"transcript": "WEBVTT"}, "transcript_empty"),
        ({"transcript": "no"}, "transcript_invalid"),
        ({"segments": "no"}, "segments_invalid"),
        ({"segments": '[{"start": 500, "end": 501}]'}, "segment_beyond_end"),
        ({"segments": "[]", "transcript": "WEBVTT"}, "two_transcripts"),
        ({"align": "maybe"}, "align_invalid"),
        ({"text_weight": "2"}, "text_weight_invalid"),
        ({"audio": ("a", b"")}, "audio_missing"),
        ({"audio": ("a", b"this is no recording" * 100)}, "audio_undecodable"),
        ({"audio": ("a", AUDIO[: len(AUDIO) // 2])}, "audio_undecodable"),
    ],
)
def test_what_is_refused(
    client: httpx.Client, rows: Rows, fields: dict[str, Any], code: str
) -> None:
    assert_problem(post(client, **fields), 422, code)
    assert rows() == []


def test_silence_has_no_speech(client: httpx.Client) -> None:
    assert_problem(post(client, audio=("a", flac(SAMPLES[:9000] * 0))), 422, "no_speech")
    told = events(post(client, "application/x-ndjson", audio=("a", flac(SAMPLES[:9000] * 0))))
    assert told[-1]["event"] == "error"
    assert told[-1]["code"] == "no_speech"


def test_what_the_alignment_moves_out_of_the_recording_is_left_out(client: httpx.Client) -> None:
    music = {"start": 0.0, "end": 1.5, "text": "[music]"}
    answer = post(client, segments=json.dumps([music, *as_json(shifted(SAID, 2.0))])).json()
    assert answer["alignment"]["offset_s"] == pytest.approx(-2, abs=0.2)
    assert [one["text"] for one in answer["segments"]] == [said.text for said in SAID]
    assert answer["repairs"][0].startswith("the segment from 0.00 to 1.50 s was left out")


def test_segments_of_hardly_any_length_are_answered(client: httpx.Client) -> None:
    sent = [{"start": 1.0001, "end": 1.0003, "text": "hi", "speaker": "Ann"}]
    answer = post(client, segments=json.dumps(sent)).json()
    assert (answer["segments"][0]["start"], answer["segments"][0]["end"]) == (1.0, 1.1)
    assert answer["speakers"]["Ann"]["seconds"] == 0.1


def test_an_error_that_nobody_expected_is_an_event_too(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quoted = "what a user sent"

    def broken(*_: Any) -> None:
        raise ZeroDivisionError(quoted)

    monkeypatch.setattr("api.timeline_segments.together", broken)
    response = post(client, "application/x-ndjson", segments=json.dumps(as_json(SAID[:1])))
    last = events(response)[-1]
    assert (last["event"], last["code"]) == ("error", "internal")
    assert "ZeroDivisionError" in caplog.text
    assert quoted not in response.text + caplog.text


def test_a_segment_that_fails_costs_no_other(client: httpx.Client, models: FakeModels) -> None:
    sent = as_json(SAID)
    sent[2]["text"] = ""
    models.faults["audio"] = down()
    answer = post(client, segments=json.dumps(sent)).json()
    assert answer["failed"] == 1
    assert answer["segments"][2]["error"]["code"] == "model_unavailable"
    assert answer["segments"][1]["result"]["degraded"]["modality"] == "audio"


def test_models_that_are_down(client: httpx.Client, models: FakeModels, rows: Rows) -> None:
    models.faults["audio"] = down()
    response = post(client)
    assert_problem(response, 503, "model_unavailable")
    assert response.headers["retry-after"]
    assert rows() == []


def test_limits(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(
        DATABASE_URL=database_url, max_timeline_seconds=10, max_timeline_bytes=2**20,
        max_timelines=1, store_input_text=True,
    )  # fmt: skip
    with serve(create_app(settings, lambda _: own_models)) as client:
        assert_problem(post(client), 422, "audio_too_long")
        large = ("a", b"x" * (2**20 + 1))
        assert_problem(post(client, audio=large), 413, "audio_too_large")
        assert_problem(post(client, audio=("a", b"x" * 2**23)), 413, "body_too_large")
        short = ("a", flac(SAMPLES[: 9 * 16_000]))
        assert post(client, audio=short, segments=json.dumps(as_json(SAID[:1]))).is_success
    with psycopg.connect(database_url) as connection:
        stored = connection.execute("SELECT speaker, input_text FROM emotion_logs").fetchall()
    assert (SAID[0].speaker, SAID[0].text) in stored


def test_a_recording_leaves_the_spool_its_room(database_url: str, own_models: FakeModels) -> None:
    free_bytes = shutil.disk_usage(tempfile.gettempdir()).free
    settings = Settings(DATABASE_URL=database_url, spool_max_bytes=free_bytes + 2**30)
    with serve(create_app(settings, lambda _: own_models)) as client:
        response = post(client)
        assert_problem(response, 503, "disk_full")
        assert int(response.headers["retry-after"]) > 0
        assert client.post("/analyze/text", data={"text": "hm"}).is_success


@pytest.mark.parametrize("written", [0, len(AUDIO)])
def test_a_full_disk(client: httpx.Client, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """While the upload is written, and while its samples are."""
    room = [written]

    def write(file: int, content: memoryview) -> int:
        room[0] -= len(content)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(file, content)

    monkeypatch.setattr("api.spare_room._write", write)
    response = post(client)
    assert_problem(response, 503, "disk_full")
    assert response.headers["retry-after"]
    told = events(post(client, "application/x-ndjson"))
    assert told[-1]["code"] == "disk_full"
    monkeypatch.undo()
    assert post(client).is_success


def test_one_recording_too_many_is_refused(database_url: str, own_models: FakeModels) -> None:
    app = create_app(Settings(DATABASE_URL=database_url, max_timelines=1), lambda _: own_models)
    with serve(app) as client:
        head = b"POST /analyze/timeline HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
        head += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        address = (client.base_url.host, client.base_url.port or 80)
        with socket.create_connection(address) as uploader:
            uploader.sendall(head)
            wait_for(lambda: app.state.admission._recordings_left == 0)
            assert_problem(post(client), 503, "overloaded")
        wait_for(lambda: post(client).is_success)
