"""WS /stream with models that know one answer: who gets in, what is told, stored and refused."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.connection import Connection

from api import stream_protocol, stream_talk
from api.app import create_app
from api.keys import create
from api.models import BranchResult
from api.settings import Settings
from api.stream_run import Stream
from tests.api.asking import Rows
from tests.api.conftest import Shared
from tests.api.fakes import FakeModels, down
from tests.api.process import api_process
from tests.api.servers import serve
from tests.api.streams import SECOND, end, of, open_stream, pcm, read, read_until, seconds
from tests.recordings import speech, voice
from tests.waiting import until_set, wait_for

SPOKEN = pcm(np.concatenate([speech(0), np.zeros(16_000, np.float32)]))


def send(stream: Connection, sound: bytes = SPOKEN) -> None:
    for piece in seconds(sound, 0.5):
        stream.send(piece)


def say(stream: Connection, start_s: float, end_s: float, text: str) -> None:
    stream.send(json.dumps({"type": "text", "start": start_s, "end": end_s, "text": text}))


def test_windows_segments_and_the_end(client: httpx.Client, rows: Rows) -> None:
    with open_stream(client.base_url, "?window_s=2.5") as stream:
        say(stream, 0.5, 3, "well then")
        send(stream)
        told = end(stream)
    windows, segments, last = of(told, "window"), of(told, "segment"), told[-1]
    whole = int(len(SPOKEN) / SECOND)
    assert len(windows) + len(of(told, "silence")) + last["dropped"]["windows"] == whole
    for one in windows:
        assert one["end"] - one["start"] == min(2.5, one["end"])
        assert one["end"] == int(one["end"])
        assert "id" not in one
    assert segments
    for one in windows + segments:
        assert one["latency_ms"] > 0
        assert one["degraded"] is None
        assert one["confidence"] == one["all_scores"][one["top_emotion"]]
    assert segments[0]["text"] == "well then"
    assert segments[0]["modality"] == "multimodal_fused"
    assert last["segments"] == len(segments)
    assert last["duration_s"] == pytest.approx(len(SPOKEN) / SECOND)
    assert_linked(last, segments, rows())


def assert_linked(
    last: dict[str, Any], segments: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    *stored, whole = rows
    assert str(whole["id"]) == last["id"]
    assert (whole["modality"], whole["recording_id"], whole["degraded"]) == ("timeline", None, None)
    assert (whole["start_s"], whole["end_s"]) == (0, last["duration_s"])
    assert whole["all_scores"] == pytest.approx(last["overall"]["all_scores"])
    assert [str(row["id"]) for row in stored] == [one["id"] for one in segments]
    for row, one in zip(stored, segments, strict=True):
        assert str(row["recording_id"]) == last["id"]
        assert (row["start_s"], row["end_s"]) == (one["start"], one["end"])
        assert (row["request_id"], row["input_text"]) == (whole["request_id"], None)


def test_a_segment_comes_at_the_pause_and_not_at_the_end(client: httpx.Client) -> None:
    with open_stream(client.base_url) as stream:
        send(stream)
        told = read_until(stream, "segment")
        assert told[-1]["latency_ms"] > 0
        last = end(stream)[-1]
    assert last["overall"]["top_emotion"]


def test_a_text_that_is_late_is_waited_for(client: httpx.Client) -> None:
    with open_stream(client.base_url, "?text_wait_s=10") as stream:
        send(stream)
        time.sleep(0.3)
        say(stream, 0, 7, "at last")
        told = end(stream)
    assert of(told, "segment")[0]["text"] == "at last"


def test_silence_costs_the_models_nothing(
    client: httpx.Client, models: FakeModels, rows: Rows
) -> None:
    with open_stream(client.base_url) as stream:
        for _ in range(3):
            stream.send(bytes(SECOND))
            told = read(stream)
            assert told["type"] == "silence"
        last = end(stream)[-1]
    assert (last["overall"], last["id"], last["segments"]) == (None, None, 0)
    assert models.calls == []
    assert rows() == []


@pytest.mark.parametrize(
    ("sent", "close_code", "code"),
    [
        (b"abc", 1007, "samples_odd"),
        ("no json", 1007, "message_invalid"),
        ('{"type": "video"}', 1007, "message_invalid"),
        ('{"type": "text", "start": 2, "end": 1, "text": "a"}', 1007, "message_invalid"),
        ('{"type": "text", "start": "0", "end": 1, "text": "a"}', 1007, "message_invalid"),
        ('{"type": "text", "start": 0, "end": NaN, "text": "a"}', 1007, "message_invalid"),
        (json.dumps({"type": "text", "start": 0, "end": 1, "text": "a" * 4001}), 1007,
         "message_invalid"),
    ],
)  # fmt: skip
def test_messages_that_are_refused(
    client: httpx.Client, sent: str | bytes, close_code: int, code: str
) -> None:
    with open_stream(client.base_url) as stream:
        stream.send(sent)
        told = read(stream)
        assert (told["type"], told["code"]) == ("error", code)
        assert told["detail"]
        with pytest.raises(ConnectionClosed):
            read(stream)
        assert (stream.close_code, stream.close_reason) == (close_code, code)


def test_a_message_that_is_too_long(client: httpx.Client) -> None:
    with open_stream(client.base_url) as stream:
        stream.send(bytes(2**18 + 2))
        with pytest.raises(ConnectionClosed):
            read(stream)
        assert stream.close_code == 1009


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?sample_rate=44100", "resample to 16000 Hz"),
        ("?window_s=0.5", "window_s"),
        ("?window_s=16", "window_s"),
        ("?window_s=nan", "window_s"),
        ("?text_weight=2", "text_weight"),
        ("?windows=3", "windows"),
    ],
)
def test_parameters_that_are_refused(client: httpx.Client, query: str, says: str) -> None:
    told = refused(client, 422, "invalid_request", query=query)
    assert says in told["detail"]


def refused(
    client: httpx.Client, status: int, code: str, query: str = "", **options: Any
) -> dict[str, Any]:
    with pytest.raises(InvalidStatus) as raised, open_stream(client.base_url, query, **options):
        pass
    response = raised.value.response
    assert response.status_code == status
    assert response.headers["X-Request-ID"]
    assert response.headers["Cache-Control"] == "no-store"
    told: dict[str, Any] = json.loads(response.body or b"")
    assert told["code"] == code
    return told


def test_only_named_pages_may_open_one(client: httpx.Client, cors: httpx.Client) -> None:
    refused(client, 403, "origin_forbidden", origin="https://evil.example")
    refused(client, 403, "origin_forbidden", origin="null")
    refused(cors, 403, "origin_forbidden", origin="https://evil.example")
    for allowed, origin in (
        (cors, "https://shop.example"),
        (client, str(client.base_url).rstrip("/")),
    ):
        with open_stream(allowed.base_url, origin=origin) as stream:
            end(stream)


@pytest.fixture
def cors(database_url: str, own_models: FakeModels) -> Iterator[httpx.Client]:
    settings = Settings(DATABASE_URL=database_url, cors_origins="https://shop.example")
    with serve(create_app(settings, lambda _: own_models)) as client:
        yield client


@contextmanager
def closed(url: str, models: FakeModels, file: Path, **more: Any) -> Iterator[httpx.Client]:
    settings = Settings(DATABASE_URL=url, api_keys_file=file, **more)
    with serve(create_app(settings, lambda _: models)) as client:
        yield client


@pytest.mark.usefixtures("no_time_passes")
def test_keys_and_limits(database_url: str, own_models: FakeModels, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys = {scope: create(file, scope, [scope])[1] for scope in ("analyze", "read")}
    with closed(database_url, own_models, file, rate_limit_per_minute=24) as client:
        refused(client, 401, "unauthorized")
        wrong = {"Authorization": "Bearer ns_unknown"}
        refused(client, 401, "unauthorized", additional_headers=wrong)
        lacking = {"Authorization": f"Bearer {keys['read']}"}
        refused(client, 403, "forbidden", additional_headers=lacking)
        right = {"Authorization": f"Bearer {keys['analyze']}"}
        with open_stream(client.base_url, additional_headers=right) as stream:
            end(stream)
        offered: Any = ["neurosense", f"bearer.{keys['analyze']}"]
        with open_stream(client.base_url, subprotocols=offered) as stream:
            assert stream.subprotocol == "neurosense"
            end(stream)
        for _ in range(2):
            with open_stream(client.base_url, additional_headers=right):
                pass
        refused(client, 429, "rate_limited", additional_headers=right)


def test_one_stream_too_many_is_refused(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, max_streams=1)
    with serve(create_app(settings, lambda _: own_models)) as client:
        with open_stream(client.base_url):
            assert refused(client, 503, "overloaded")
            assert "neurosense_streams 1.0" in client.get("/metrics").text
        wait_until_none_is_open(client)
        with open_stream(client.base_url) as stream:
            end(stream)


def test_an_idle_stream_ends(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, max_streams=1, upload_timeout_s=0.2)
    with serve(create_app(settings, lambda _: own_models)) as client:
        with open_stream(client.base_url) as stream:
            assert read(stream)["code"] == "idle_timeout"
            with pytest.raises(ConnectionClosed):
                read(stream)
            assert (stream.close_code, stream.close_reason) == (1008, "idle_timeout")
        wait_until_none_is_open(client)
        with open_stream(client.base_url):  # its place is free
            pass


def wait_until_none_is_open(client: httpx.Client) -> None:
    wait_for(lambda: "neurosense_streams 0.0" in client.get("/metrics").text)


def test_a_stream_that_is_too_long(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, max_timeline_seconds=2)
    with (
        serve(create_app(settings, lambda _: own_models)) as client,
        open_stream(client.base_url) as stream,
    ):
        stream.send(bytes(3 * SECOND))
        assert read_until(stream, "error")[-1]["code"] == "audio_too_long"


def test_who_leaves_has_a_row_that_says_so(
    shared: Shared, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_stream(shared.client.base_url) as stream:
        send(stream)
        segment = read_until(stream, "segment")[-1]
    wait_until_none_is_open(shared.client)
    *segments, whole = rows()
    assert segment["id"] in [str(row["id"]) for row in segments]
    assert {row["recording_id"] for row in segments} == {whole["id"]}
    assert whole["degraded"]["code"] == "incomplete"
    assert whole["end_s"] == max(row["end_s"] for row in segments)


def test_models_that_are_down_for_a_while(client: httpx.Client, models: FakeModels) -> None:
    models.faults["audio"] = down()
    with open_stream(client.base_url) as stream:
        send(stream)
        told = read_until(stream, "error")[-1]
        assert told["code"] == "model_unavailable"
        assert told["end"] > told["start"]
        while told.get("of") != "segment":
            told = read_until(stream, "error")[-1]
        models.reset()
        send(stream)
        assert read_until(stream, "segment")[-1]["top_emotion"]
        assert end(stream)[-1]["failed"] == 1


def test_a_slow_server_drops_the_oldest_windows(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_heard, go_on = threading.Event(), threading.Event()
    quick, finish = shared.models.audio, Stream.finish

    async def slow(audio: bytes, timeout_s: float) -> BranchResult:
        await until_set(go_on)
        return await quick(audio, timeout_s)

    def finished(live: Stream) -> None:
        finish(live)
        all_heard.set()

    monkeypatch.setattr(shared.models, "audio", slow)
    monkeypatch.setattr(Stream, "finish", finished)
    monkeypatch.setattr(stream_talk, "FASTEST", 1000.0)
    with open_stream(shared.client.base_url) as stream:
        for _ in range(10):  # 80 s, ten segments
            send(stream)
        stream.send('{"type": "end"}')
        assert all_heard.wait(60)
        go_on.set()
        told = read_until(stream, "end")
    last, whole = told[-1], int(10 * len(SPOKEN) / SECOND)
    assert last["dropped"]["segments"] >= 5
    assert last["segments"] <= 5
    windows = len(of(told, "window")) + len(of(told, "silence"))
    assert windows + last["dropped"]["windows"] == whole
    assert windows <= 4
    kept = of(told, "window")[-1]
    assert kept["end"] >= whole - 1, "the newest ones are answered"


def test_a_client_that_does_not_read_costs_no_memory(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_talk, "FASTEST", 1000.0)
    monkeypatch.setattr(stream_protocol, "_STUCK_S", 200.0)
    dropped = figure(client, DROPPED)
    with not_reading(client) as stuck:
        memory = [psutil.Process().memory_info().rss for _ in flood(stuck)]
        wait_for(lambda: figure(client, DROPPED) - dropped > 200)
        assert memory[-1] - memory[100] < 30e6  # the client's share too; unbounded: 60 MB
        assert client.get("/health/live").is_success
    wait_until_none_is_open(client)


def test_a_client_that_goes_on_not_reading_is_cut_off(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_talk, "FASTEST", 1000.0)
    monkeypatch.setattr(stream_protocol, "_STUCK_S", 0.2)
    with not_reading(client) as stuck:
        with pytest.raises(ConnectionError):
            list(flood(stuck, 100_000))
        wait_until_none_is_open(client)


def flood(stuck: socket.socket, count: int = 400) -> Iterator[None]:
    """Send so many seconds; each window's message has 64 kB, and each window 128 kB."""
    sound = [pcm(voice(1, seed=seed)) for seed in range(7)]
    for second in range(count):
        text = {"type": "text", "start": second, "end": second + 1, "text": "\U0001f600" * 4000}
        stuck.sendall(frame(1, json.dumps(text, ensure_ascii=False).encode()))
        stuck.sendall(frame(2, sound[second % 7]))
        yield


DROPPED = 'neurosense_stream_results_total{kind="window",outcome="dropped"}'


def figure(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


@contextmanager
def not_reading(client: httpx.Client) -> Iterator[socket.socket]:
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((client.base_url.host, client.base_url.port or 80))
        head = "GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        head += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        stuck.sendall(head.encode())
        yield stuck


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame of 126 to 65535 bytes; a mask of zeros leaves them as they are."""
    return bytes([0x80 | opcode, 0x80 | 126]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


def test_a_shutdown_says_so(database_url: str, tmp_path: Path) -> None:
    with (
        api_process(database_url, tmp_path / "log") as api,
        open_stream(api.client.base_url) as stream,
    ):
        send(stream)
        read_until(stream, "segment")
        log = api.stop()
        with pytest.raises(ConnectionClosed):
            read_until(stream, "never")
        assert stream.close_code == 1012
    assert "stream closed with 1012" in log
    assert "Cancel" not in log


def test_logs_hold_nothing_of_clients(database_url: str, tmp_path: Path) -> None:
    mark = "Jane-Austen"
    with api_process(database_url, tmp_path / "log", NEUROSENSE_LOG_LEVEL="debug") as api:
        with open_stream(api.client.base_url, additional_headers={"X-Name": mark}) as stream:
            say(stream, 0, 5, mark)
            send(stream)
            end(stream)
        refused(api.client, 422, "invalid_request", query=f"?name={mark}")
        with open_stream(api.client.base_url) as stream:
            stream.send(json.dumps({"type": mark}))
            assert read(stream)["code"] == "message_invalid"
        log = api.stop()
    assert "GET /stream 101" in log
    assert "stream closed with 1000" in log
    assert mark not in log
    assert [
        line for line in log.splitlines() if "127.0.0.1" in line and "Uvicorn" not in line
    ] == []
