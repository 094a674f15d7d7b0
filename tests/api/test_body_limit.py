"""Bodies over the limit, against a real server: refused while they come, answered for sure."""

import http.client
import itertools
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from tests.api.fakes import FakeModels
from tests.api.process import DRAIN_S, api_process
from tests.api.servers import blank_database, serve

MB = 10**6
PIECE = b"\0" * MB
PATIENT_S = 60.0
"""For all that is still sent after an answer: on a busy machine that takes its time."""


@pytest.fixture(scope="module", params=["h11", "httptools"])
def address(request: pytest.FixtureRequest, server_url: str) -> Iterator[tuple[str, int]]:
    settings = Settings(DATABASE_URL=blank_database(server_url))
    with (
        pytest.MonkeyPatch.context() as patch,
        serve(create_app(settings, lambda _: FakeModels()), http=request.param) as client,
    ):
        patch.setattr("api.body._DRAIN_S", PATIENT_S)
        parts = urlsplit(str(client.base_url))
        yield str(parts.hostname), int(parts.port or 0)


def zeros(megabytes: int) -> Iterator[bytes]:
    return (PIECE for _ in range(megabytes))


def post(address: tuple[str, int], path: str, kind: str, body: object, **headers: str) -> object:
    """Send the whole body, then read: a client that does not look for an early answer."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request("POST", path, body, {"Content-Type": kind, **headers})  # type: ignore[arg-type]
    response = connection.getresponse()
    found = response.status, json.loads(response.read())["code"]
    connection.close()
    return found


@pytest.mark.parametrize("path", ["text", "audio", "multimodal"])
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "application/json"])
def test_100_mb_with_its_length(address: tuple[str, int], path: str, kind: str) -> None:
    length = {"Content-Length": str(100 * MB)}
    found = post(address, f"/analyze/{path}", kind, zeros(100), **length)
    assert found == (413, "body_too_large")  # also where the content type is wrong


def test_100_mb_in_chunks(address: tuple[str, int]) -> None:
    kind = "application/x-www-form-urlencoded"
    pieces = itertools.chain([b"text="], zeros(100))
    assert post(address, "/analyze/text", kind, pieces) == (413, "text_too_large")
    assert post(address, "/analyze/text", kind, zeros(100)) == (400, "malformed_body")
    assert post(address, "/analyze/text", "application/json", zeros(100)) == (413, "text_too_large")


def test_100_mb_where_no_body_is_wanted(address: tuple[str, int]) -> None:
    assert post(address, "/nowhere", "text/plain", zeros(100)) == (404, "not_found")


def test_a_length_alone_is_refused_before_the_body(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(
            b"POST /analyze/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_a_client_that_asks_first_sends_nothing(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(
            b"POST /analyze/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = b""
        while piece := client.recv(10_000):  # ends: the server closes
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()


def test_a_client_that_never_ends_is_left(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.body._DRAIN_S", 0.2)
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        while client.recv(10_000):
            time.sleep(0.01)


def test_within_the_limit(address: tuple[str, int]) -> None:
    url = f"http://{address[0]}:{address[1]}/analyze/audio"
    largest = b"RIFF".ljust(25 * 2**20, b"\0")
    assert httpx.post(url, files={"audio": ("a.wav", largest)}, timeout=60).is_success
    answer = httpx.post(url, files={"audio": ("a.wav", largest + b"\0")}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (413, "audio_too_large")


def test_the_connection_stays_for_normal_requests(address: tuple[str, int]) -> None:
    connection = http.client.HTTPConnection(*address, timeout=60)
    for _ in range(2):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/analyze/text", "text=hm", headers)
        response = connection.getresponse()
        assert response.status == 200
        response.read()
        assert not response.will_close
    connection.close()


def test_bodies_in_memory_are_bounded_by_their_bytes(database_url: str, tmp_path: Path) -> None:
    """Uploads of the largest size, all nearly there: fewer than may be inside, by their number."""
    held, size, uploads = 64 * 2**20, 25 * 2**20, 24
    settings = {"NEUROSENSE_MAX_BODY_MEMORY_BYTES": str(held), DRAIN_S: str(PATIENT_S)}
    with api_process(database_url, tmp_path / "log", **settings) as api, ExitStack() as stack:
        address = (api.client.base_url.host, api.client.base_url.port or 80)
        before = peak_bytes(api.child.pid)
        body, last = audio_form(size)
        connections = [
            stack.enter_context(socket.create_connection(address)) for _ in range(uploads)
        ]
        with ThreadPoolExecutor(uploads) as threads:
            list(threads.map(lambda one: one.sendall(body), connections))
        grown = peak_bytes(api.child.pid) - before
        assert grown < 5 * held < uploads * size / 1.8, "pieces are copied while they grow together"
        for one in connections:
            one.sendall(last)
        answers = [one.recv(12) for one in connections]
        assert set(answers) == {b"HTTP/1.1 200", b"HTTP/1.1 503"}
        assert answers.count(b"HTTP/1.1 200") >= held // size
        largest = {"audio": ("a.wav", b"RIFF".ljust(size, b"\0"))}
        assert api.client.post("/analyze/audio", files=largest).is_success


def audio_form(size: int) -> tuple[bytes, bytes]:
    """Return a request with a recording of `size` bytes, and its last byte apart."""
    form = (
        b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
        + b"RIFF".ljust(size, b"\0") + b"\r\n--b--"
    )  # fmt: skip
    head = (
        b"POST /analyze/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % len(form)
    )
    return head + form[:-1], form[-1:]


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had."""
    [line] = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) * 1024
