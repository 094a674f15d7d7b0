"""A body that does not come in time is answered and left, against a real server."""

import contextlib
import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api.app import create_app
from api.body import LEAST_BYTES_PER_S
from api.settings import Settings
from tests.api.asking import FORM, assert_problem
from tests.api.fakes import FakeModels
from tests.api.long_recordings import RATE_HZ, long_recording
from tests.api.servers import blank_database, serve
from tests.recordings import encoded

TIMEOUT_S = 1.0
HEAD = (
    b"POST /analyze/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
)
FORM_TYPE = FORM["Content-Type"].encode()
PART = b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'


PROTOCOLS = ["h11", "httptools"]


@contextlib.contextmanager
def waiting(server_url: str, http: str, **settings: Any) -> Iterator[httpx.Client]:
    """Yield a client of an API with these settings, which speaks HTTP by that library."""
    made = Settings(DATABASE_URL=blank_database(server_url), **settings)
    with serve(create_app(made, lambda _: FakeModels()), http=http) as started:
        yield started


@pytest.fixture(scope="module", params=PROTOCOLS)
def client(request: pytest.FixtureRequest, server_url: str) -> Iterator[httpx.Client]:
    """Of an API that waits a second for a body."""
    with waiting(server_url, request.param, upload_timeout_s=TIMEOUT_S) as started:
        yield started


@pytest.fixture(scope="module", params=PROTOCOLS)
def patient(request: pytest.FixtureRequest, server_url: str) -> Iterator[httpx.Client]:
    """Of one that waits as long as by default."""
    with waiting(server_url, request.param) as started:
        yield started


def answer_to(client: httpx.Client, head: bytes, pause_s: float) -> bytes:
    """Send a body byte by byte; return all that comes until the server closes or resets."""
    url = urlsplit(str(client.base_url))
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as slow:
        slow.sendall(head)
        slow.settimeout(pause_s)
        answer = b""
        while True:
            try:
                piece = slow.recv(10_000)
            except TimeoutError:
                with contextlib.suppress(ConnectionError):  # what had come can still be read
                    slow.sendall(b"-")
                continue
            except ConnectionResetError:  # a byte was on its way when the server closed
                return answer
            if not piece:
                return answer
            answer += piece


@pytest.mark.parametrize("path", [b"text", b"audio", b"multimodal"])
def test_a_body_that_dribbles_in(
    client: httpx.Client, path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.body._DRAIN_S", 0.5)
    started_s = time.monotonic()
    answer = answer_to(client, HEAD % path, pause_s=0.1)
    assert TIMEOUT_S <= time.monotonic() - started_s < 15
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "upload_too_slow"


def send_slowly(
    client: httpx.Client, head: bytes, pieces: Iterable[bytes], pause_s: float
) -> bytes:
    """Send a body's pieces with pauses between them; return the answer's beginning."""
    url = urlsplit(str(client.base_url))
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as slow:
        slow.sendall(head)
        for piece in pieces:
            time.sleep(pause_s)
            slow.sendall(piece)
        return slow.recv(10_000)


def test_a_long_recording_may_take_its_time(server_url: str) -> None:
    """Longer than the limit in all, and no pause near it: on a busy machine a second is short."""
    timeout_s, pieces, pause_s = 6.0, 80, 0.1
    recording = encoded(long_recording(7)[0], RATE_HZ, "WAV", "PCM_16")
    body = PART + recording + b"\r\n--b--\r\n"
    step = len(body) // pieces + 1
    assert pieces * pause_s > timeout_s
    assert step / pause_s > 2 * LEAST_BYTES_PER_S
    head = HEAD.replace(b"10000", b"%d" % len(body)) % b"timeline"
    parts = [body[start : start + step] for start in range(0, len(body), step)]

    def answer_by(http: str) -> bytes:
        with waiting(server_url, http, upload_timeout_s=timeout_s) as client:
            return send_slowly(client, head, parts, pause_s)

    with ThreadPoolExecutor(len(PROTOCOLS)) as threads:
        answers = dict(zip(PROTOCOLS, threads.map(answer_by, PROTOCOLS), strict=True))
    for answer in answers.values():
        assert answer.startswith(b"HTTP/1.1 200"), answers


@pytest.mark.parametrize("first", [b"", PART + bytes(20 * LEAST_BYTES_PER_S)], ids=len)
def test_one_that_dribbles_in_or_stops_is_left(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    monkeypatch.setattr("api.body._DRAIN_S", 0.5)
    head = HEAD.replace(b"10000", b"%d" % (len(first) + 10_000)) % b"timeline"
    pause_s = 0.1 if not first else 2 * TIMEOUT_S  # what was sent before buys no pause
    answer = answer_to(client, head + first, pause_s)
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "upload_too_slow"


def test_the_time_of_one_request_is_not_that_of_the_next(client: httpx.Client) -> None:
    url = urlsplit(str(client.base_url))
    head = HEAD.replace(b"10000", b"7").replace(b"multipart/form-data; boundary=b", FORM_TYPE)
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as one:
        for _ in range(3):
            one.sendall(head % b"text" + b"text=hm")  # at once: no second can pass between them
            response = http.client.HTTPResponse(one)
            response.begin()
            assert response.status == 200, response.read()
            response.read()
            time.sleep(0.6 * TIMEOUT_S)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity"])
@pytest.mark.parametrize("path", ["text", "audio", "multimodal"])
@pytest.mark.parametrize("kind", ["application/json", FORM["Content-Type"]])
def test_a_packed_body_is_refused_and_not_unpacked(
    patient: httpx.Client, path: str, kind: str, encoding: str
) -> None:
    bomb = gzip.compress(bytes(10**7))
    headers = {"Content-Type": kind, "Content-Encoding": encoding}
    response = patient.post(f"/analyze/{path}", content=bomb, headers=headers)
    assert_problem(response, 415, "unsupported_content_encoding")


def test_identity_is_no_encoding(patient: httpx.Client) -> None:
    headers = {**FORM, "Content-Encoding": "identity"}
    assert patient.post("/analyze/text", content=b"text=hm", headers=headers).is_success
