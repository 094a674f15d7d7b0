"""Nothing of what clients send is in logs, metrics or traces."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from api.keys import create
from tests.api.collector import collecting
from tests.api.process import api_process
from tests.api.servers import read_rows
from tests.api.streams import of, open_stream, pcm, read_until, seconds
from tests.api.test_tracing import PARENT, environment
from tests.recordings import speech, wav

MARK = "Jane-Austen"
HEADERS = {
    "User-Agent": f"{MARK}-agent",
    "Cookie": f"name={MARK}",
    "X-Request-ID": f"{MARK} is no id",
    "X-Forwarded-For": f"{MARK}-address",
    "Referer": f"http://{MARK}/",
    "traceparent": PARENT,
    "tracestate": f"vendor={MARK}",
    "baggage": f"name={MARK}",
}
AUDIO = (f"{MARK}.wav", b"RIFF" + MARK.encode(), "audio/wav")
BROKEN_FORM = f'--x\r\nContent-Disposition: form-data; name="{MARK}"\r\n\r\n{MARK}\r\n--x{MARK}'
CALLS: list[tuple[int, dict[str, Any]]] = [
    (200, {"url": "/analyze/text", "data": {"text": MARK}}),
    (200, {"url": "/analyze/audio", "files": {"audio": AUDIO}}),
    (200, {"url": "/analyze/multimodal", "data": {"text": MARK}, "files": {"audio": AUDIO}}),
    (200, {"url": "/analyze/multimodal", "data": {"text": MARK}, "files": {"audio": MARK}}),
    (500, {"url": "/analyze/text", "data": {"text": f"explode {MARK}"}}),
    (422, {"url": "/analyze/multimodal", "data": {"text": "a", "text_weight": MARK}}),
    (422, {"url": "/analyze/text", "json": {"text": [MARK]}}),
    (400, {"url": "/analyze/text", "content": f'{{"text": {MARK}', "headers": {
        "Content-Type": "application/json"}}),
    (400, {"url": "/analyze/text", "content": BROKEN_FORM, "headers": {
        "Content-Type": "multipart/form-data; boundary=x"}}),
    (415, {"url": "/analyze/text", "content": MARK, "headers": {"Content-Type": f"x/{MARK}"}}),
    (413, {"url": "/analyze/text", "data": {"text": MARK * 200_000}}),
    (200, {"url": "/analyze/batch", "files": [("text", (None, MARK)), ("audio", AUDIO)]}),
    (200, {"url": "/analyze/batch", "json": {"texts": [MARK, ""]}}),
    (422, {"url": "/analyze/batch", "json": {"texts": [{MARK: MARK}]}}),
    (200, {"url": "/analyze/timeline", "files": {"audio": (f"{MARK}.wav", wav(3)), "segments": (
        None, json.dumps([{"start": 0, "end": 2, "text": MARK, "speaker": f"{MARK}-speaker"}]))}}),
    (200, {"url": "/analyze/timeline", "files": {"audio": wav(3), "transcript": (
        f"{MARK}.vtt", f"WEBVTT\n\n00:00.000 --> 00:02.000\n<v {MARK}>{MARK}\n")}}),
    (422, {"url": "/analyze/timeline", "files": {"audio": wav(3), "segments": (None, MARK)}}),
    (422, {"url": "/analyze/timeline", "files": {"audio": AUDIO}}),
    (401, {"url": "/analyze/text", "headers": {"X-API-Key": f"{MARK}-key"}}),
    (404, {"url": f"/{MARK}"}),
    (405, {"url": "/health"}),
]  # fmt: skip


def send_all(client: httpx.Client, key: str) -> None:
    for status, call in CALLS:
        headers = {**HEADERS, "Authorization": f"Bearer {key}", **call.get("headers", {})}
        answer = client.post(**{**call, "headers": headers}, params={"q": f"{MARK}-query"})
        assert answer.status_code == status, (call["url"], answer.text)
        assert MARK not in answer.headers["X-Request-ID"]


def talk(client: httpx.Client, key: str) -> None:
    """Speak, once to the end and once until a message that cannot be used."""
    headers = {**HEADERS, "Authorization": f"Bearer {key}"}
    sound = pcm(np.concatenate([speech(0), np.zeros(16_000, np.float32)]))
    for last in ('{"type": "end"}', json.dumps({"type": MARK, "speaker": MARK})):
        with pytest.raises(InvalidStatus, match="422"):
            open_stream(client.base_url, f"?q={MARK}", additional_headers=headers)
        with open_stream(client.base_url, additional_headers=headers) as stream:
            said = {"type": "text", "start": 0, "end": 3, "text": MARK}
            stream.send(json.dumps(said))
            for piece in seconds(sound, 0.5):
                stream.send(piece)
            stream.send(last)
            told = read_until(stream, "end" if "end" in last else "error")
            assert "end" not in last or of(told, "segment")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_log_metric_or_span_holds_it(database_url: str, tmp_path: Path, log_format: str) -> None:
    settings = {"NEUROSENSE_LOG_FORMAT": log_format, "NEUROSENSE_LOG_LEVEL": "debug"}
    settings["NEUROSENSE_STORE_INPUT_TEXT"] = "true"
    _, key = create(tmp_path / "keys.json", "one", ["analyze"])
    settings["NEUROSENSE_API_KEYS_FILE"] = str(tmp_path / "keys.json")
    with collecting() as collector:
        settings |= environment(collector)
        with api_process(database_url, tmp_path / "log", **settings) as api:
            send_all(api.client, key)
            talk(api.client, key)
            metrics = api.client.get("/metrics").text
            log = api.stop()
        spans, sent = collector.spans(), b"".join(collector.bodies)
    # They are all there ...
    assert log.count("neurosense.access") >= len(CALLS)
    assert metrics.count("neurosense_requests_total{") >= 8
    assert len([span for span in spans if span["kind"] == 2]) >= len(CALLS)
    assert {MARK, f"{MARK}-speaker"} <= {row["speaker"] for row in read_rows(database_url)}
    # ... and say nothing.
    for seen in (log, metrics, sent.decode()):
        assert MARK.lower() not in seen.lower()
        assert key not in seen
    addresses = [line for line in log.splitlines() if "127.0.0.1" in line]
    assert ["Uvicorn running on" in line for line in addresses] == [True]
    assert "127.0.0.1" not in metrics + sent.decode()
