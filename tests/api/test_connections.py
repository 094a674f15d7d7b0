"""Connections that ask nothing, or more of them than go, against a real server."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI
from websockets.sync.client import connect

from api.app import create_app
from api.http_protocol import bounded
from api.settings import Settings
from tests.api.fakes import FakeModels
from tests.api.servers import blank_database, connected, serve
from tests.waiting import wait_for

MOST = 20
HEAD = b"POST /analyze/text HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ntext=hm"


@pytest.fixture(scope="module")
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture(scope="module")
def app(server_url: str, models: FakeModels) -> FastAPI:
    settings = Settings(DATABASE_URL=blank_database(server_url), max_concurrent_requests=MOST)
    return create_app(settings, lambda _: models)


@pytest.fixture(scope="module")
def few(app: FastAPI) -> Iterator[httpx.Client]:
    with serve(app, http=bounded(MOST)) as client:
        yield client


def opened(client: httpx.Client, stack: ExitStack) -> socket.socket:
    return stack.enter_context(connected(client))


def ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(10_000) == b""
    except ConnectionResetError:
        return True


def test_a_head_that_does_not_come_ends_the_connection(
    few: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    head_s = 2.5  # each of the first three is used as soon as it is open
    monkeypatch.setattr("api.http_protocol._HEAD_S", head_s)
    with ExitStack() as stack:
        slow_body = opened(few, stack)
        slow_body.sendall(HEAD + BODY[:-1])
        second = opened(few, stack)
        second.sendall(HEAD + BODY)
        assert second.recv(10_000).startswith(b"HTTP/1.1 200")
        url = str(few.base_url).replace("http", "ws")
        stream = stack.enter_context(connect(f"{url}/stream"))
        opened_s = time.monotonic()
        monkeypatch.setattr("api.http_protocol._HEAD_S", 0.3)
        silent, half = (opened(few, stack) for _ in range(2))
        half.sendall(HEAD)
        assert ends(silent)
        assert ends(half)
        second.sendall(HEAD)  # it was idle, which it may be for longer
        assert ends(second)
        time.sleep(max(0.0, opened_s + head_s - time.monotonic()))
        stream.send('{"type": "end"}')
        assert '"end"' in str(stream.recv())
        slow_body.sendall(BODY[-1:])
        assert slow_body.recv(10_000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [b"", HEAD, b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"],
    ids=["nothing", "half a head", "no body"],
)
def test_who_asks_nothing_gives_way_to_who_does(few: httpx.Client, sent: bytes) -> None:
    with ExitStack() as stack:
        idle = []
        for _ in range(5 * MOST):
            idle.append(connection := opened(few, stack))
            connection.sendall(sent)
            if sent.endswith(b"\r\n\r\n"):
                assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        for _ in range(5):
            with httpx.Client(base_url=few.base_url) as newcomer:
                assert newcomer.post("/analyze/text", data={"text": "hm"}).is_success
        left = [one for one in idle if not gone(one)]
        assert len(left) < MOST


def gone(connection: socket.socket) -> bool:
    """Tell whether the server has ended it by now."""
    connection.settimeout(0.05)
    try:
        while connection.recv(10_000):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


def test_who_is_being_answered_is_not_cut(
    few: httpx.Client, app: FastAPI, models: FakeModels
) -> None:
    models.hanging.add("text")
    models.given_up = threading.Event()
    try:
        with ExitStack() as stack:
            asking = [opened(few, stack) for _ in range(MOST)]
            for connection in asking[:16]:
                connection.sendall(HEAD + BODY)
            for connection in asking[16:]:
                connection.sendall(HEAD + BODY[:-1])
            wait_for(lambda: app.state.admission._inside == MOST)
            late = opened(few, stack)
            assert late.recv(10_000).startswith(b"HTTP/1.1 503")
            models.given_up.set()
            assert {one.recv(10_000)[:12] for one in asking[:16]} == {b"HTTP/1.1 504"}
    finally:
        models.reset()
    assert few.post("/analyze/text", data={"text": "hm"}).is_success
